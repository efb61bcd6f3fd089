use super::*;
use crate::testing::{call, read as request, with_json};

fn set(pointer: &str, value: &str) -> Obligation {
    Obligation::Set { pointer: pointer.to_owned(), value: value.to_owned() }
}

fn label(name: &str, value: &str) -> Obligation {
    Obligation::Label { name: name.to_owned(), value: value.to_owned() }
}

fn show_only(name: &str, value: &str) -> Obligation {
    Obligation::ShowOnly { name: name.to_owned(), value: value.to_owned() }
}

fn redact(pointer: &str) -> Obligation {
    Obligation::Redact { pointer: pointer.to_owned() }
}

/// What is to be added to a create with this body.
fn missing(body: &str, obligation: &Obligation) -> Option<String> {
    let request = request(with_json("POST", "/v1.41/containers/create", body)).expect("a good call");
    unmet(obligation, &request)
}

#[test]
fn a_value_is_demanded_as_it_is_whatever_its_spelling() {
    for (body, pointer, value) in [
        (r#"{"HostConfig":{"Memory":536870912}}"#, "/HostConfig/Memory", "536870912"),
        (r#"{"hostconfig":{"MEMORY":536870912}}"#, "/HostConfig/Memory", "5.36870912e8"),
        (r#"{"HostConfig":{"Dns":["1.1.1.1"]}}"#, "/HostConfig/Dns", r#"["1.1.1.1"]"#),
        (r#"{"Image":"a"}"#, "/HostConfig/ReadonlyRootfs", "false"),
        (r#"{"HostConfig":{"Memory":null}}"#, "/HostConfig/Memory", "0"),
        ("{}", "/HostConfig/Binds", "[]"),
    ] {
        assert_eq!(missing(body, &set(pointer, value)), None, "{body} {pointer} {value}");
    }
    for (body, pointer, value, message) in [
        (
            "{}",
            "/HostConfig/Memory",
            "536870912",
            "`--memory=536870912` is required (`/HostConfig/Memory` must be 536870912)",
        ),
        (r#"{"HostConfig":{"NanoCpus":2}}"#, "/HostConfig/NanoCpus", "1500000000", "`--cpus=1.5` is required"),
        ("{}", "/HostConfig/NanoCpus", "2000000000", "`--cpus=2` is required"),
        ("{}", "/HostConfig/ReadonlyRootfs", "true", "`--read-only` is required"),
        (
            r#"{"HostConfig":{"ReadonlyRootfs":true}}"#,
            "/HostConfig/ReadonlyRootfs",
            "false",
            "`/HostConfig/ReadonlyRootfs` of the body of ContainerCreate must be false",
        ),
        ("{}", "/HostConfig/Dns", "[\"1.1.1.1\"]", "`/HostConfig/Dns` of the body of ContainerCreate must be"),
        (r#"{"User":"root"}"#, "/User", "\"1000\"", "`--user=1000` is required"),
    ] {
        let text = missing(body, &set(pointer, value)).expect(body);
        assert!(text.starts_with(message), "{body}: {text}");
    }
}

#[test]
fn a_label_is_looked_for_where_the_operation_gives_one() {
    let owner = label("owner", "alice");
    let with = r#"{"Labels":{"owner":"alice","a":"b"}}"#;
    for (method, uri, body) in [
        ("POST", "/v1.41/containers/create", with),
        ("POST", "/v1.41/volumes/create", with),
        ("POST", "/v1.41/networks/create", with),
        ("POST", "/v1.41/services/create", with),
        ("POST", "/v1.41/services/web/update?version=1", with),
        ("POST", "/v1.41/secrets/create", with),
        ("POST", "/v1.41/configs/create", with),
    ] {
        let has = request(with_json(method, uri, body)).expect("a good call");
        assert_eq!(unmet(&owner, &has), None, "{uri}");
        for body in [r#"{"Labels":{"owner":"bob"}}"#, r#"{"Labels":{"Owner":"alice"}}"#, "{}"] {
            let lacks = request(with_json(method, uri, body)).expect("a good call");
            assert_eq!(unmet(&owner, &lacks).as_deref(), Some("`--label owner=alice` is required"), "{uri} {body}");
        }
    }
    let build = |query: &str| {
        let uri = format!("/v1.41/build?{query}");
        let call = call("POST", &uri, &["Content-Type: application/x-tar"], None);
        unmet(&owner, &request(call).expect("a good call"))
    };
    assert_eq!(build("labels=%7B%22owner%22%3A%22alice%22%7D"), None);
    assert!(build("labels=%7B%22owner%22%3A%22bob%22%7D").is_some());
    assert!(build("t=x").is_some());
    let start = request(call("POST", "/v1.41/containers/web/start", &[], None)).expect("a good call");
    assert!(unmet(&owner, &start).expect("gives none").contains("ContainerStart gives none"));
}

#[test]
fn a_list_is_filtered_by_all_its_labels_and_by_the_first_parameter() {
    let list = |query: &str| {
        let call = call("GET", &format!("/v1.41/containers/json?{query}"), &[], None);
        unmet(&show_only("owner", "alice"), &request(call).expect("a good call"))
    };
    for meets in [
        r#"filters={"label":["owner=alice"]}"#,
        r#"filters={"label":["a","owner=alice"],"status":["running"]}"#,
        r#"filters={"label":{"owner=alice":true}}"#,
        "all=1&filters=%7B%22label%22%3A%5B%22owner%3Dalice%22%5D%7D",
    ] {
        let encoded = meets.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        assert_eq!(list(&encoded), None, "{meets}");
    }
    for lacks in [
        "",
        r#"filters={"label":["owner"]}"#,
        r#"filters={"label":["owner=bob"]}"#,
        r#"filters={"Label":["owner=alice"]}"#,
        r#"filters={"label":{"owner=alice":false}}"#,
        r#"filters={"label":"owner=alice"}"#,
        "filters=x",
    ] {
        let encoded = lacks.replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
        assert!(list(&encoded).expect(lacks).contains("add `--filter label=owner=alice`"), "{lacks}");
    }
}

#[test]
fn nothing_is_taken_out_of_an_answer() {
    let text = missing("{}", &redact("/Config/Env")).expect("cannot be met");
    assert!(text.contains("`/Config/Env` would have to be taken out"), "{text}");
}

#[test]
fn what_is_no_obligation_is_told() {
    for good in [set("/a~1b/0", "{}"), label("a.b/c", ""), show_only("a", "b=c"), redact("/")] {
        assert_eq!(check(&good), Ok(()), "{good}");
    }
    for bad in [
        set("", "1"),
        set("a", "1"),
        set("/a~2", "1"),
        set("/a", "x"),
        set("/a", ""),
        label("", "x"),
        label("a=b", ""),
        redact("a"),
    ] {
        assert!(check(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_contradiction_names_both_and_what_it_is_about() {
    for (one, other, about) in [
        (set("/a", "1"), set("/a", "2"), Some("/a")),
        (set("/a", "1"), set("/a", "1.0"), None),
        (set("/a", "1"), set("/ab", "2"), None),
        (set("/a", r#"{"b":1}"#), set("/a/b", "1"), None),
        (set("/a", r#"{"b":1}"#), set("/a/b", "2"), Some("/a/b")),
        (set("/a/b", "2"), set("/a", r#"{"b":1}"#), Some("/a/b")),
        (set("/a", "1"), set("/a/b/c", "2"), Some("/a/b/c")),
        (label("owner", "a"), label("owner", "b"), Some("label owner")),
        (label("owner", "a"), label("owner", "a"), None),
        (label("owner", "a"), show_only("owner", "b"), None),
        (show_only("a", "1"), show_only("a", "2"), None),
        (redact("/a"), set("/a", "1"), None),
    ] {
        let found = contradiction([("first", &one), ("second", &other)]);
        assert_eq!(found.as_ref().map(|found| &*found.about), about, "{one}; {other}");
        if let Some(found) = found {
            let mut whose = [found.one, found.other];
            whose.sort_unstable();
            assert_eq!(whose, ["first", "second"]);
        }
    }
}
