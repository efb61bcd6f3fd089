//! Every row of the catalogue of bypasses an authorization plugin, and the ordinary calls beside it.

use portcullis_model::{Access, Request as _};

use super::{HostRule, Rules};
use crate::testing::{call, read, read_by, with_json};
use HostRule::*;

const JSON: &str = "Content-Type: application/json";
const TEXT: &str = "Content-Type: text/plain";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=x";
const TAR: &str = "Content-Type: application/x-tar";
const EMPTY: &str = "Content-Length: 0";
const BODY: &str = r#"{"Image":"x"}"#;

fn rule(method: &str, uri: &str, headers: &[&str], body: Option<&str>) -> Option<HostRule> {
    read(call(method, uri, headers, body)).err().map(|refusal| refusal.rule)
}

#[test]
fn json_that_was_not_shown_whole_is_refused() {
    for (note, headers, body, expected) in [
        ("as the CLI sends it", &[JSON, "Content-Length: 13"][..], Some(BODY), None),
        ("chunked", &[JSON], Some(BODY), None),
        ("with a charset", &["Content-Type: application/json; charset=utf-8", "Content-Length: 13"], Some(BODY), None),
        ("in other letters", &["content-type: Application/JSON", "content-length: 13"], Some(BODY), None),
        ("over the old limit of 1 MiB", &[JSON, "Content-Length: 1100076"], None, Some(BodyWithheld)),
        ("CVE-2024-41110: a length of 0 and a chunked body", &[JSON], None, Some(BodyWithheld)),
        ("another length", &[JSON, "Content-Length: 12"], Some(BODY), Some(BodyWithheld)),
        ("a length of 0 with a body", &[JSON, EMPTY], Some(BODY), Some(BodyWithheld)),
        ("no number", &[JSON, "Content-Length: 13, 13"], Some(BODY), Some(BodyWithheld)),
        ("a signed number", &[JSON, "Content-Length: +13"], Some(BODY), Some(BodyWithheld)),
        ("text, which old daemons decode", &[TEXT, "Content-Length: 13"], None, Some(BodyWithheld)),
        ("text, chunked", &[TEXT], None, Some(BodyWithheld)),
        ("no type", &["Content-Length: 13"], None, Some(BodyWithheld)),
        ("a form", &[FORM, "Content-Length: 13"], None, Some(BodyWithheld)),
        ("JSON first, text last", &[TEXT, "Content-Length: 13"], Some(BODY), Some(BodyWithheld)),
        ("nothing at all", &[EMPTY], None, None),
        ("nothing, of a type", &[JSON, EMPTY], None, None),
        ("nothing, of another type", &[TEXT, EMPTY], None, None),
    ] {
        for operation in ["/containers/create", "/services/create", "/containers/x/exec", "/networks/create"] {
            assert_eq!(rule("POST", operation, headers, body), expected, "{operation}: {note}");
        }
    }
    // Nothing, or chunks of no type: the daemon refuses to read these as JSON, but for what 20.10 reads whatever its type.
    for (uri, expected) in [
        ("/containers/create", None),
        ("/volumes/create", None),
        ("/commit?container=x", None),
        ("/exec/x/start", None),
        ("/services/create", Some(BodyWithheld)),
        ("/swarm/init", Some(BodyWithheld)),
        ("/plugins/pull?remote=x", Some(BodyWithheld)),
        ("/containers/x/checkpoints", Some(BodyWithheld)),
    ] {
        assert_eq!(rule("POST", uri, &[], None), expected, "{uri}");
    }
    assert_eq!(rule("POST", "/auth", &[JSON, "Content-Length: 80"], None), None, "credentials are never shown");
    assert_eq!(rule("POST", "/v1.44/auth", &[JSON], None), None, "credentials are never shown");
}

#[test]
fn a_body_that_may_be_a_form_is_refused() {
    for (note, headers, body, expected) in [
        ("as the CLI sends it", &[EMPTY][..], None, None),
        ("as the CLI of 19.03 sends it", &[TEXT, EMPTY], None, None),
        ("attach", &["Connection: Upgrade", "Upgrade: tcp", TEXT, EMPTY], None, None),
        ("curl -X POST", &[], None, None),
        ("curl -d ''", &[FORM, EMPTY], None, None),
        ("no type, some body", &["Content-Length: 5"], None, None),
        ("JSON that is shown", &[JSON, "Content-Length: 2"], Some("{}"), None),
        ("JSON that is shown, chunked", &[JSON], Some("{}"), None),
        ("JSON of another length", &[JSON, "Content-Length: 3"], Some("{}"), Some(FormBody)),
        ("a form", &[FORM, "Content-Length: 20"], None, Some(FormBody)),
        ("a chunked form", &[FORM], None, Some(FormBody)),
        ("a multipart form", &[MULTIPART, "Content-Length: 20"], None, Some(FormBody)),
        ("a form first, JSON last, chunked", &[JSON], None, Some(FormBody)),
        ("a form first, text last", &[TEXT, "Content-Length: 20"], None, Some(FormBody)),
        ("an unreadable length", &[TEXT, "Content-Length: x"], None, Some(FormBody)),
    ] {
        for uri in [
            "/images/x/tag?repo=ok",
            "/images/create?fromImage=ok",
            "/containers/x/kill",
            "/build/prune",
            "/swarm/leave",
        ] {
            assert_eq!(rule("POST", uri, headers, body), expected, "{uri}: {note}");
        }
        // These read no parameter that a form could override.
        for uri in ["/containers/x/pause", "/containers/x/unpause", "/plugins/x/push", "/session", "/grpc"] {
            assert_eq!(rule("POST", uri, headers, body), None, "{uri}: {note}");
        }
    }
}

#[test]
fn a_start_of_unknown_length_is_empty_or_refused_by_the_daemon() {
    let start = "/v1.24/containers/x/start";
    for (note, uri, headers, expected) in [
        ("curl -X POST with a type", start, &[JSON][..], None),
        ("without a version", "/containers/x/start", &[JSON], None),
        ("text", start, &[TEXT], None),
        ("a form, which would be chunked", start, &[FORM], None),
        ("a length", start, &[FORM, "Content-Length: 4"], Some(StartBody)),
        ("an old version", "/v1.23/containers/x/start", &[JSON], Some(OldApiVersion)),
    ] {
        assert_eq!(rule("POST", uri, headers, None), expected, "{note}");
    }
    let mut rules = Rules::default();
    rules.disable(OldApiVersion);
    let refusal =
        read_by(rules, call("POST", "/v1.23/containers/x/start", &[JSON], None)).expect_err("may have a body");
    assert_eq!(refusal.rule, FormBody, "Docker up to 24.0 reads chunks there");
}

#[test]
fn a_body_that_is_not_shown_is_refused_with_the_type_that_was_sent_and_the_one_to_send() {
    let long = format!("Content-Type: {}", "x".repeat(4000));
    for (method, uri, headers, body, expected) in [
        (
            "POST",
            "/containers/create",
            &[TEXT, "Content-Length: 2"][..],
            None,
            "the Content-Type `text/plain`; send `Content-Type: application/json`",
        ),
        (
            "POST",
            "/containers/create",
            &["Content-Length: 2"],
            None,
            "no Content-Type; send `Content-Type: application/json`",
        ),
        ("POST", "/containers/create", &[JSON], None, "send a body of less than 1 MiB with its `Content-Length`"),
        (
            "POST",
            "/containers/create",
            &[TEXT, "Content-Length: 2"],
            Some("{}"),
            "the Content-Type `text/plain` is not accepted here; send `Content-Type: application/json`",
        ),
        ("POST", "/containers/x/kill", &[JSON], None, "the Content-Type `application/json` and its body was not shown"),
        ("POST", "/containers/x/kill", &[TEXT], None, "send `Content-Length: 0`, or no `Content-Type`"),
        (
            "POST",
            "/images/load",
            &[FORM],
            None,
            "the Content-Type `application/x-www-form-urlencoded`: a form overrides the query",
        ),
        ("POST", "/images/load", &[FORM], None, "send `Content-Type: application/x-tar`"),
        ("DELETE", "/containers/x", &[MULTIPART], None, "send no body"),
        ("POST", "/containers/x/kill", &[&*long], None, "xxx` and its body"),
    ] {
        let refusal = read(call(method, uri, headers, body)).expect_err("hides something").to_string();
        assert!(refusal.contains(expected), "{uri}: {refusal}");
        assert!(refusal.len() < 400, "{refusal}");
    }
}

#[test]
fn a_stream_is_no_form() {
    let import = "/images/create?fromSrc=-&repo=x";
    for (note, method, uri, headers, expected) in [
        ("docker import", "POST", import, &[TEXT][..], None),
        ("docker import without a type", "POST", import, &[], None),
        ("an import as a form", "POST", import, &[FORM, "Content-Length: 9"], Some(FormBody)),
        ("a pull with a stream beside it", "POST", "/images/create?fromImage=a&fromSrc=-", &[TEXT], Some(FormBody)),
        ("an import from elsewhere", "POST", "/images/create?fromSrc=http://a", &[TEXT], Some(FormBody)),
        ("docker build", "POST", "/build?t=a&t=b&version=1", &[TAR], None),
        ("docker build with BuildKit", "POST", "/build?remote=client-session&session=s&version=2", &[TAR, EMPTY], None),
        ("a build as a form", "POST", "/build", &[FORM, "Content-Length: 9"], Some(FormBody)),
        ("a build as a multipart form", "POST", "/build", &[MULTIPART], Some(FormBody)),
        ("docker load", "POST", "/images/load?quiet=0", &[TAR], None),
        ("docker cp", "PUT", "/containers/x/archive?path=/", &[TEXT], None),
        ("docker cp as a form", "PUT", "/containers/x/archive?path=/", &[FORM], Some(FormBody)),
        ("docker plugin create", "POST", "/plugins/create?name=x", &[TAR], None),
        ("a form beside a delete", "DELETE", "/containers/x", &[MULTIPART, "Content-Length: 9"], Some(FormBody)),
        ("a form beside a get", "GET", "/containers/x/json", &[FORM], Some(FormBody)),
        ("an empty form beside a delete", "DELETE", "/containers/x", &[FORM, EMPTY], None),
    ] {
        assert_eq!(rule(method, uri, headers, None), expected, "{note}");
    }
}

#[test]
fn a_container_is_started_without_a_body() {
    for (note, headers, body, expected) in [
        ("as the CLI sends it", &[EMPTY][..], None, None),
        ("nothing", &[], None, None),
        ("an empty object, as some clients send", &[JSON, "Content-Length: 2"], Some("{}"), None),
        ("null", &[JSON, "Content-Length: 4"], Some("null"), None),
        ("a HostConfig", &[JSON, "Content-Length: 19"], Some(r#"{"Privileged":true}"#), Some(StartBody)),
        ("what is not JSON", &[JSON, "Content-Length: 1"], Some("{"), Some(StartBody)),
        ("two values", &[JSON, "Content-Length: 4"], Some("{}{}"), Some(StartBody)),
        ("a list", &[JSON, "Content-Length: 3"], Some("[1]"), Some(StartBody)),
        ("a body that is not shown", &[JSON, "Content-Length: 19"], None, Some(StartBody)),
        ("a typeless body", &["Content-Length: 19"], None, Some(StartBody)),
    ] {
        assert_eq!(rule("POST", "/v1.24/containers/x/start", headers, body), expected, "{note}");
    }
}

#[test]
fn old_versions_are_refused_where_the_call_means_something_else_in_them() {
    for (method, uri, expected) in [
        ("POST", "/v1.23/containers/x/start", Some("for ContainerStart: below 1.24")),
        ("POST", "/v1.023.0/containers/x/start", Some("use 1.24 or newer")),
        ("POST", "/v./containers/x/start", Some("API version 0.0 is too old")),
        ("POST", "/v1.24/containers/x/start", None),
        ("POST", "/containers/x/start", None),
        ("POST", "/v1.21/exec/x/start", Some("for ExecStart: below 1.22")),
        ("POST", "/v1.22/exec/x/start", None),
        // As skopeo 1.9 copies an image from a daemon, and to one.
        ("GET", "/v1.22/_ping", None),
        ("GET", "/v1.22/images/get?names=alpine:latest", None),
        ("POST", "/v1.22/images/load?quiet=1", None),
        ("POST", "/v1.23/containers/x/stop", None),
        ("GET", "/v1.9/info", None),
        ("GET", "/v1.99/info", None),
    ] {
        let refusal = read(call(method, uri, &[EMPTY], None)).err().map(|refusal| refusal.to_string());
        let is_expected = match (&refusal, expected) {
            (Some(refusal), Some(expected)) => refusal.contains(expected) && refusal.contains("`old-api-version`"),
            (refusal, expected) => refusal.is_none() == expected.is_none(),
        };
        assert!(is_expected, "{uri}: {refusal:?}");
    }
    let at_least = |version: &str| Rules { min_api_version: version.parse().ok(), ..Rules::default() };
    let refusal = read_by(at_least("1.40"), call("GET", "/v1.39/info", &[], None)).expect_err("is too old");
    assert_eq!(
        refusal.to_string(),
        "API version 1.39 is older than 1.40, the `min_api_version` of this host (host rule `old-api-version`)"
    );
    assert!(read_by(at_least("1.40"), call("GET", "/v1.40/info", &[], None)).is_ok());
    // A low one opens nothing that is dangerous.
    let start = call("POST", "/v1.22/containers/x/start", &[EMPTY], None);
    assert_eq!(read_by(at_least("1.12"), start).err().map(|refusal| refusal.rule), Some(OldApiVersion));
}

#[test]
fn targets_that_the_daemon_does_not_carry_out_are_refused() {
    for (method, uri, expected) in [
        ("POST", "//v1.44//containers/create", Some(MalformedTarget)),
        ("POST", "/v1.44/x/../containers/create", Some(MalformedTarget)),
        ("GET", "/containers/a%00b/json", Some(MalformedTarget)),
        ("GET", "/info?a=1;b=2", Some(MalformedTarget)),
        ("GET", "/info?%zz", Some(MalformedTarget)),
        ("GET", "info", Some(MalformedTarget)),
        ("GET", "/nothing", Some(UnknownOperation)),
        ("POST", "/v1.44/containers/create/", Some(UnknownOperation)),
        ("POST", "/v1.44/Containers/create", Some(UnknownOperation)),
        ("HEAD", "/info", Some(UnknownOperation)),
        ("POST", "/containers/x/copy", Some(UnknownOperation)),
        ("OPTIONS", "/anything/at/all", None),
        ("GET", "/v1.44/info%3Fx", Some(UnknownOperation)),
    ] {
        assert_eq!(rule(method, uri, &[], None), expected, "{method} {uri}");
    }
}

#[test]
fn a_parameter_that_means_two_things_is_refused() {
    for (uri, expected) in [
        ("/containers/x/logs?stdout=1&stdout=0", Some(RepeatedParameter)),
        ("/containers/x/logs?stdout=1&stdout=1", None),
        ("/containers/x/logs?stdout=1&Stdout=0", None),
        ("/images/get?names=a&names=b", None),
        ("/images/x/get?names=a&names=b", None),
        ("/system/df?type=image&type=volume", None),
        ("/info?a=1&a=2", None),
        ("/containers/json?all=1&b=2&%61ll=3", Some(RepeatedParameter)),
        ("/containers/json?all&all=1", Some(RepeatedParameter)),
    ] {
        assert_eq!(rule("GET", uri, &[], None), expected, "{uri}");
    }
    for (uri, expected) in [
        ("/images/create?fromImage=ok&fromImage=evil", Some(RepeatedParameter)),
        ("/images/create?fromSrc=http://a&changes=ENV+a=b&changes=ENV+c=d", None),
        ("/containers/x/start?name=a&name=b", None),
        ("/containers/x/start?checkpoint=a&checkpoint=b", Some(RepeatedParameter)),
        ("/build/prune?all=1&all=0", Some(RepeatedParameter)),
    ] {
        assert_eq!(rule("POST", uri, &[EMPTY], None), expected, "{uri}");
    }
    // dockerode sends all options of a create in the query, too.
    for (uri, expected) in [
        ("/containers/create?Image=alpine&name=dk&Cmd=sh&Cmd=-c&Cmd=true&Env=A%3D1&Env=B%3D2", None),
        ("/containers/create?Image=a&Image=b&HostConfig=x&HostConfig=y&platform=linux%2Famd64", None),
        ("/containers/create?name=a&name=b", Some(RepeatedParameter)),
        ("/containers/create?platform=a&platform=b", Some(RepeatedParameter)),
        ("/containers/x/exec?Cmd=a&Cmd=b&Env=A&Env=B", None),
        ("/services/create?Name=a&Name=b", None),
        ("/services/x/update?version=1&version=2", Some(RepeatedParameter)),
    ] {
        let refusal = read(with_json("POST", uri, "{}")).err();
        assert_eq!(refusal.map(|refusal| refusal.rule), expected, "{uri}");
    }
    assert_eq!(rule("POST", "/build?t=a&t=b&extrahosts=a:1&extrahosts=b:2", &[TAR], None), None);
    assert_eq!(rule("POST", "/build?networkmode=none&networkmode=host", &[TAR], None), Some(RepeatedParameter));
}

#[test]
fn bodies_that_readers_read_differently_are_refused() {
    for (body, expected) in [
        (r#"{"Image":"x","hostconfig":{"Privileged":true}}"#, None),
        (r#"{"Image":"x","HostConfig":{},"HostConfig":{"Privileged":true}}"#, Some(AmbiguousBody)),
        (r#"{"Image":"x","HostConfig":{},"hostconfig":{"Privileged":true}}"#, Some(AmbiguousBody)),
        (r#"{"Image":"x","HostConfig":{},"Ho\u017ftConfig":{"Privileged":true}}"#, Some(AmbiguousBody)),
        (r#"{"Image":"x","Labels":{"a":"1","A":"2"}}"#, None),
        (r#"{"Image":"x","Labels":{"a":"1","a":"2"}}"#, Some(AmbiguousBody)),
        (r#"{"Image":"x"}{"Image":"y"}"#, Some(MalformedBody)),
        (r#"{"Image":"x"} trailing"#, Some(MalformedBody)),
        ("\u{feff}{\"Image\":\"x\"}", Some(MalformedBody)),
        (r#"{"Image":["x"]}"#, Some(MalformedBody)),
        (r#"{"Image":"x","HostConfig":{"SecurityOpt":"seccomp=unconfined"}}"#, Some(MalformedBody)),
        (r#"{"Image":"x","New":1e999999,"a\u0000":"\ud800"}"#, None),
        ("[]", Some(MalformedBody)),
        ("null", None),
        (" ", Some(MalformedBody)),
        (r#"{"Image":"x","Privileged":true}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","binds":["/:/host"],"HostConfig":{}}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","Runtime":null}"#, None),
        // As dockerode's `run` sends it.
        (r#"{"Image":"x","Volumes":{},"VolumesFrom":[],"HostConfig":{"AutoRemove":true}}"#, None),
        (r#"{"Image":"x","Memory":0,"CpuShares":-0,"Privileged":false,"Runtime":"","Tmpfs":{},"Binds":[]}"#, None),
        (r#"{"Image":"x","VolumesFrom":[],"Memory":1}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","VolumesFrom":[""]}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","NetworkMode":"host"}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","Tmpfs":{"/x":""}}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","maskedpaths":[]}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","ReadonlyPaths":[],"HostConfig":{}}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","Init":false}"#, Some(RootHostConfig)),
        (r#"{"Image":"x","HostConfig":{"Capabilities":["CAP_SYS_ADMIN"]}}"#, Some(LegacyCapabilities)),
        (r#"{"Image":"x","HostConfig":{"capabilities":[]}}"#, Some(LegacyCapabilities)),
        (r#"{"Image":"x","HostConfig":{"Capabilities":null}}"#, None),
    ] {
        let refusal = read(with_json("POST", "/v1.40/containers/create", body)).err();
        assert_eq!(refusal.map(|refusal| refusal.rule), expected, "{body}");
    }
    let nested = format!(r#"{{"New":{}{}}}"#, "[".repeat(9_990), "]".repeat(9_990));
    assert!(read(with_json("POST", "/containers/create", &nested)).is_ok());
    let mut call = with_json("POST", "/containers/create", r#"{"Image":"?"}"#);
    call.body = Some(b"{\"Image\":\"\xff\"}".to_vec());
    assert_eq!(read(call).err().map(|refusal| refusal.rule), Some(MalformedBody));
}

#[test]
fn a_driver_is_a_name_and_no_path() {
    const PATH: &str = "../../../srv/scratch/plugin";
    let mount = |name: &str| format!(r#"[{{"Type":"volume","VolumeOptions":{{"DriverConfig":{{"Name":"{name}"}}}}}}]"#);
    for name in [PATH, "./a", "a/..", "/srv/a"] {
        for (uri, body) in [
            ("/containers/create", format!(r#"{{"HostConfig":{{"LogConfig":{{"Type":"{name}"}}}}}}"#)),
            ("/containers/create", format!(r#"{{"hostconfig":{{"logconfig":{{"TYPE":"{name}"}}}}}}"#)),
            ("/containers/create", format!(r#"{{"HostConfig":{{"VolumeDriver":"{name}"}}}}"#)),
            ("/containers/create", format!(r#"{{"HostConfig":{{"Runtime":"{name}"}}}}"#)),
            ("/containers/create", format!(r#"{{"HostConfig":{{"Mounts":{}}}}}"#, mount(name))),
            ("/networks/create", format!(r#"{{"Name":"n","Driver":"{name}"}}"#)),
            ("/networks/create", format!(r#"{{"Name":"n","IPAM":{{"Driver":"{name}"}}}}"#)),
            ("/volumes/create", format!(r#"{{"Name":"v","Driver":"{name}"}}"#)),
            ("/volumes/create", format!(r#"{{"Name":"v","Driver":"{name}","ClusterVolumeSpec":{{}}}}"#)),
            ("/services/create", format!(r#"{{"TaskTemplate":{{"LogDriver":{{"Name":"{name}"}}}}}}"#)),
            ("/services/x/update", format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Mounts":{}}}}}}}"#, mount(name))),
            ("/secrets/create", format!(r#"{{"Name":"s","Driver":{{"Name":"{name}"}}}}"#)),
            ("/swarm/init", format!(r#"{{"Spec":{{"TaskDefaults":{{"LogDriver":{{"Name":"{name}"}}}}}}}}"#)),
            ("/swarm/update", format!(r#"{{"TaskDefaults":{{"LogDriver":{{"Name":"{name}"}}}}}}"#)),
        ] {
            let refusal = read(with_json("POST", uri, &body)).err();
            assert_eq!(refusal.map(|refusal| refusal.rule), Some(PluginName), "{uri} {body}");
            let ordinary = body.replace(name, "localhost:5000/vieux/sshfs:latest");
            assert!(read(with_json("POST", uri, &ordinary)).is_ok(), "{uri} {ordinary}");
        }
    }
    // What is no name of a driver may be a path.
    let options =
        r#"{"Name":"v","Driver":"local","DriverOpts":{"device":"../x","o":"bind"},"Labels":{"Driver":"../x"}}"#;
    assert!(read(with_json("POST", "/volumes/create", options)).is_ok());
}

#[test]
fn the_caller_does_not_choose_where_checkpoints_lie() {
    for (method, uri, expected) in [
        ("POST", "/containers/x/start?checkpoint=a", None),
        ("POST", "/containers/x/start?checkpoint=a&checkpoint-dir=", None),
        ("POST", "/containers/x/start?checkpoint=a&checkpoint-dir=/etc", Some(CheckpointDirectory)),
        ("POST", "/containers/x/start?checkpoint=../../../../srv/a", Some(CheckpointDirectory)),
        ("POST", "/containers/x/start?checkpoint=a%2Fb", Some(CheckpointDirectory)),
        ("POST", "/containers/x/start?checkpoint=..", Some(CheckpointDirectory)),
        ("POST", "/containers/x/start?checkpoint=a.b-1", None),
        ("GET", "/containers/x/checkpoints", None),
        ("GET", "/containers/x/checkpoints?dir=/etc", Some(CheckpointDirectory)),
        ("DELETE", "/containers/x/checkpoints/a?dir=/etc", Some(CheckpointDirectory)),
        ("GET", "/containers/x/json?dir=/etc", None),
    ] {
        assert_eq!(rule(method, uri, &[EMPTY], None), expected, "{method} {uri}");
    }
    for (body, expected) in [
        (r#"{"CheckpointID":"a","checkpointdir":"/etc"}"#, Some(CheckpointDirectory)),
        (r#"{"CheckpointID":"../a"}"#, Some(CheckpointDirectory)),
        (r#"{"CheckpointID":"a","CheckpointDir":"","Exit":true}"#, None),
    ] {
        let refusal = read(with_json("POST", "/containers/x/checkpoints", body)).err();
        assert_eq!(refusal.map(|refusal| refusal.rule), expected, "{body}");
    }
}

/// One call for each rule that breaks it and no other.
fn breaking(rule: HostRule) -> crate::wire::Call {
    match rule {
        MalformedTarget => call("GET", "/info?;", &[], None),
        UnknownOperation => call("GET", "/nothing", &[], None),
        OldApiVersion => call("POST", "/v1.12/containers/x/start", &[EMPTY], None),
        RepeatedParameter => call("GET", "/containers/json?all=1&all=0", &[], None),
        BodyWithheld => call("POST", "/containers/create", &[JSON], None),
        FormBody => call("POST", "/containers/x/kill", &[FORM], None),
        StartBody => with_json("POST", "/containers/x/start", r#"{"Privileged":true}"#),
        MalformedBody => with_json("POST", "/containers/create", "{"),
        AmbiguousBody => with_json("POST", "/containers/create", r#"{"Image":"","image":""}"#),
        RootHostConfig => with_json("POST", "/containers/create", r#"{"privileged":true,"binds":["/:/host"]}"#),
        LegacyCapabilities => with_json("POST", "/containers/create", r#"{"HostConfig":{"Capabilities":["ALL"]}}"#),
        CheckpointDirectory => call("GET", "/containers/x/checkpoints?dir=/", &[], None),
        PluginName => with_json("POST", "/networks/create", r#"{"Name":"x","Driver":"../../srv/x"}"#),
        Oversized => {
            let binds = vec![r#""a:/b""#; 4097].join(",");
            with_json("POST", "/containers/create", &format!(r#"{{"HostConfig":{{"Binds":[{binds}]}}}}"#))
        }
    }
}

#[test]
fn a_rule_is_turned_off_by_its_name_alone() {
    for rule in HostRule::ALL {
        assert_eq!(rule.name().parse::<HostRule>(), Ok(rule));
        assert_eq!(rule.explain().split(". ").last().map(|text| text.ends_with('.')), Some(true), "{rule}");
        let refusal = read(breaking(rule)).expect_err(rule.name());
        assert_eq!(refusal.rule, rule, "{refusal}");
        assert!(refusal.to_string().ends_with(&format!("(host rule `{rule}`)")), "{refusal}");

        let mut others = Rules::default();
        let mut without = Rules::default();
        without.disable(rule);
        HostRule::ALL.into_iter().filter(|other| *other != rule).for_each(|other| others.disable(other));
        assert_eq!(read_by(others, breaking(rule)).err().map(|refusal| refusal.rule), Some(rule));
        assert!(read_by(without, breaking(rule)).is_ok(), "{rule}");
    }
    assert!("Body-Withheld".parse::<HostRule>().is_err());
    assert_eq!("x".parse::<HostRule>().map_err(|error| error.to_string()), Err("there is no host rule `x`".to_owned()));
}

#[test]
fn what_a_call_is_without_a_rule() {
    let without = |rule| {
        let mut rules = Rules::default();
        rules.disable(rule);
        read_by(rules, breaking(rule)).expect("the rule is off")
    };
    for rule in [MalformedTarget, UnknownOperation] {
        assert_eq!((without(rule).operation(), without(rule).access()), ("(Unknown)", Access::Write));
    }
    for rule in [BodyWithheld, MalformedBody, AmbiguousBody] {
        assert!(without(rule).body().is_none(), "{rule}");
    }
    // At the root of a create, old daemons honour what the views then show.
    let root = without(RootHostConfig);
    assert!(root.privileged());
    assert_eq!(root.mounts().len(), 1);
}

#[test]
fn a_call_that_breaks_several_rules_is_explained_by_all_of_them() {
    let body = r#"{"Image":"alpine","privileged":true,"HostConfig":{"Capabilities":["ALL"]}}"#;
    let several = with_json("POST", "/v1.12/containers/create?name=a&name=b", body);
    let rules = Rules { min_api_version: "1.24".parse().ok(), ..Rules::default() };
    let reader = crate::Reader::new(rules, std::sync::Arc::new(crate::NoResolve));
    let (refusals, request) = reader.explain(&several);
    let rules: Vec<HostRule> = refusals.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(rules, [OldApiVersion, RepeatedParameter, RootHostConfig, LegacyCapabilities]);
    assert!(request.is_some_and(|request| request.image().is_some()));

    for rule in HostRule::ALL {
        let (refusals, request) = reader.explain(&breaking(rule));
        assert_eq!((refusals.len(), request.is_some()), (1, true), "{rule}");
    }
    let (refusals, request) = reader.explain(&call("PATCH", "/v1.12/nothing", &[], None));
    assert_eq!((refusals.len(), request.is_some()), (2, true));
}

#[test]
fn a_refusal_says_which_call_it_was() {
    let refusal = read(with_json("POST", "/v1.44/containers%2Fcreate?name=x", "{")).expect_err("is not JSON");
    assert_eq!(
        (refusal.operation, refusal.call.method.as_str(), refusal.path.as_str()),
        (Some("ContainerCreate"), "POST", "/containers/create"),
    );
    assert_eq!(
        refusal.to_string(),
        "the daemon would not accept the body: line 1, column 2: the text ends too early (host rule `malformed-body`)",
    );
}
