//! Answers as dockerd sends them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::{NoResolve, Rules};

fn base64(text: &str) -> String {
    base64_simd::STANDARD.encode_to_string(text)
}

/// dockerd writes its fields in this order.
fn answer(method: &str, uri: &str, body: &str, status: Option<u16>, answer: &str) -> String {
    let mut fields = vec![
        ("User", json!("ann \"\\ <x>")),
        ("UserAuthNMethod", json!("TLS")),
        ("RequestMethod", json!(method)),
        ("RequestUri", json!(uri)),
    ];
    let headers = json!({ "Content-Type": "application/json", "Content-Length": body.len().to_string() });
    let headers = if body.is_empty() { json!({}) } else { headers };
    if !body.is_empty() {
        fields.push(("RequestBody", json!(base64(body))));
    }
    fields.push(("RequestHeaders", headers));
    fields.extend(status.map(|status| ("ResponseStatusCode", json!(status))));
    fields.push(("ResponseHeaders", json!({ "Server": "Docker" })));
    if !answer.is_empty() {
        fields.push(("ResponseBody", json!(base64(answer))));
    }
    let fields: Vec<_> = fields.into_iter().map(|(name, value): (&str, Value)| format!("{name:?}:{value}")).collect();
    format!("{{{}}}\n", fields.join(","))
}

fn summary_of(answer: &str) -> String {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    assert_eq!(is_telling(answer.as_bytes()), Some(true), "{answer}");
    format!("{:?}", read(answer.as_bytes(), &reader).expect("an answer").1)
}

#[test]
fn what_was_changed_is_told() {
    let id = "a".repeat(64);
    let created = format!(r#"{{"Id":"{id}","Warnings":[]}}"#);
    let rows = [
        (
            "POST",
            "/v1.41/containers/create?name=%2Fweb",
            "{}",
            Some(201),
            &*created,
            format!("Container {{ id: {id:?}, name: Some(\"web\") }}"),
        ),
        (
            "POST",
            "/containers/create?name=",
            "{}",
            Some(201),
            &created,
            format!("Container {{ id: {id:?}, name: None }}"),
        ),
        ("POST", "/containers/create?name=web", "{}", None, "", "Nothing".into()),
        (
            "POST",
            "/volumes/create",
            "{}",
            Some(201),
            r#"{"Name":"v","Driver":"local"}"#,
            "Volume { name: \"v\", mounts: None }".into(),
        ),
        (
            "POST",
            "/volumes/create",
            "{}",
            Some(201),
            r#"{"Name":"v","Options":null}"#,
            "Volume { name: \"v\", mounts: Some([]) }".into(),
        ),
        (
            "POST",
            "/volumes/create",
            "{}",
            Some(201),
            r#"{"Name":"v","Driver":"local","Options":{}}"#,
            "Volume { name: \"v\", mounts: Some([]) }".into(),
        ),
        ("POST", "/services/create", "{}", Some(201), r#"{"ID":"x"}"#, "Service".into()),
        ("POST", "/services/x/update?version=1", "{}", Some(200), "{}", "Service".into()),
        (
            "POST",
            "/containers/web/rename?name=/www",
            "",
            Some(204),
            "",
            "Renamed { container: \"web\", name: \"www\" }".into(),
        ),
        ("POST", "/containers/web/rename?name=www", "", None, "", "Nothing".into()),
        ("DELETE", "/v1.41/containers/web?force=1", "", Some(204), "", "ContainersRemoved([\"web\"])".into()),
        ("DELETE", "/containers/web", "", None, "", "Nothing".into()),
        ("DELETE", "/volumes/v", "", Some(204), "", "VolumesRemoved([\"v\"])".into()),
        (
            "POST",
            "/containers/prune",
            "",
            Some(200),
            r#"{"ContainersDeleted":["x"],"SpaceReclaimed":0}"#,
            "ContainersRemoved([\"x\"])".into(),
        ),
        ("POST", "/volumes/prune", "", Some(200), r#"{"VolumesDeleted":null}"#, "VolumesRemoved([])".into()),
        ("POST", "/volumes/prune", "", None, "", "SomeVolumesRemoved".into()),
        ("POST", "/containers/prune", "", None, "", "SomeContainersRemoved".into()),
        (
            "GET",
            "/containers/json?all=1",
            "",
            Some(200),
            r#"[{"Id":"x","Names":["/web/db","/quirky_fermi"]},{"Id":"y","Names":[]}]"#,
            "ContainersSeen([(\"x\", \"quirky_fermi\")])".into(),
        ),
        (
            "GET",
            "/containers/x/json",
            "",
            Some(200),
            r#"{"Id":"x","Name":"/quirky_fermi"}"#,
            "ContainersSeen([(\"x\", \"quirky_fermi\")])".into(),
        ),
        (
            "GET",
            "/volumes",
            "",
            Some(200),
            r#"{"Volumes":[{"Name":"v","Driver":"local","Options":null},{"Name":"w"}],"Warnings":null}"#,
            "VolumesSeen([(\"v\", [])])".into(),
        ),
        ("GET", "/volumes/v", "", Some(200), r#"{"Name":"v","Options":{}}"#, "VolumesSeen([(\"v\", [])])".into()),
    ];
    for (method, uri, body, status, answered, expected) in rows {
        assert_eq!(summary_of(&answer(method, uri, body, status, answered)), expected, "{method} {uri}");
    }
}

#[test]
fn a_volume_that_is_there_is_told_as_what_it_is() {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let asked = r#"{"Name":"v","DriverOpts":{"type":"tmpfs","device":"tmpfs"}}"#;
    let there = r#"{"Name":"v","Driver":"local","Options":{"type":"none","o":"bind","device":"/there"}}"#;
    let made = answer("POST", "/v1.41/volumes/create", asked, Some(201), there);
    let Some((_, Change::Volume { mounts: Some(mounts), .. })) = read(made.as_bytes(), &reader) else {
        panic!("it is told");
    };
    let told: Vec<_> = mounts.iter().map(|mount| (mount.kind, &*mount.source)).collect();
    assert_eq!(told, [(portcullis_model::view::MountKind::Bind, "/there")]);
}

/// dockerd has written more than 64 KiB by the time that it asks.
#[test]
fn what_is_not_told_of_an_answer_was_carried_out() {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    for (uri, expected) in [
        ("/containers/create", "Hidden"),
        ("/volumes/create", "Hidden"),
        ("/services/create", "Hidden"),
        ("/volumes/prune", "SomeVolumesRemoved"),
    ] {
        let told = answer("POST", uri, "{}", None, "").replace(r#","ResponseHeaders":{"Server":"Docker"}"#, "");
        let (_, change) = read(told.as_bytes(), &reader).expect("it is read");
        assert_eq!(format!("{change:?}"), expected, "{uri}");
    }
}

#[test]
fn a_service_that_is_not_made_makes_no_volumes() {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let failed = answer("POST", "/services/create", "{}", None, "");
    assert!(read(failed.as_bytes(), &reader).is_none());
}

#[test]
fn the_beginning_is_enough_and_no_less() {
    let created = answer("POST", "/v1.41/containers/create?x=\u{26}", "{}", Some(201), "{}");
    let enough = created.find("create?x=").expect("there") + "create?x=&\"".len();
    for end in 0..created.len() {
        let expected = (end >= enough).then_some(true);
        assert_eq!(is_telling(&created.as_bytes()[..end]), expected, "{}", &created[..end]);
    }
    // Whatever stands before the path, it is told.
    let far = format!("http://{}/v1.41/containers/create", "a".repeat(1 << 20));
    assert_eq!(is_telling(answer("POST", &far, "{}", Some(201), "{}").as_bytes()), Some(true));
    for (method, uri) in
        [("GET", "/images/json"), ("POST", "/containers/x/start"), ("POST", "//"), ("GET", "/containers/create")]
    {
        assert_eq!(is_telling(answer(method, uri, "", Some(200), "").as_bytes()), Some(false), "{method} {uri}");
    }
    for other in ["[", "x", "{1", "{\"User\":1", "{\"User\" \"", "{}"] {
        assert_eq!(is_telling(other.as_bytes()), Some(false), "{other}");
    }
}
