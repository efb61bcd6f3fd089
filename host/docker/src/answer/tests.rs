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
            "Volume { name: \"v\", is_plain: false }".into(),
        ),
        (
            "POST",
            "/volumes/create",
            "{}",
            Some(201),
            r#"{"Name":"v","Options":{"type":"none"}}"#,
            "Volume { name: \"v\", is_plain: false }".into(),
        ),
        (
            "POST",
            "/volumes/create",
            "{}",
            Some(201),
            r#"{"Name":"v","Options":null}"#,
            "Volume { name: \"v\", is_plain: true }".into(),
        ),
        (
            "POST",
            "/volumes/create",
            "{}",
            Some(201),
            r#"{"Name":"v","Driver":"local","Options":{}}"#,
            "Volume { name: \"v\", is_plain: true }".into(),
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
        ("POST", "/volumes/prune", "", Some(200), r#"{"VolumesDeleted":null}"#, "Nothing".into()),
    ];
    for (method, uri, body, status, answered, expected) in rows {
        assert_eq!(summary_of(&answer(method, uri, body, status, answered)), expected, "{method} {uri}");
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
        [("GET", "/containers/json"), ("POST", "/containers/x/start"), ("POST", "//"), ("GET", "/containers/create")]
    {
        assert_eq!(is_telling(answer(method, uri, "", Some(200), "").as_bytes()), Some(false), "{method} {uri}");
    }
    for other in ["[", "x", "{1", "{\"User\":1", "{\"User\" \"", "{}"] {
        assert_eq!(is_telling(other.as_bytes()), Some(false), "{other}");
    }
}
