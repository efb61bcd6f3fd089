use std::collections::BTreeSet;
use std::sync::Arc;

use portcullis_docker::json::Shape;
use portcullis_docker::operation::{Body, OPERATIONS};
use portcullis_docker::wire::Call;
use portcullis_docker::{NoResolve, Reader, Rules};
use serde_json::{Value, json};

use super::*;
use crate::entry::Entry;
use crate::event::DecisionEvent;
use crate::record::{DecisionRecord, RequestRecord};

/// A record is not longer, in bytes, unless policies said more than that.
const LINE: usize = 64 << 10;

/// What must not be in any record.
const SECRET: &str = "hunter2";

fn redactor(redact: &[&str], keep: &[&str]) -> Redactor {
    let rules = |texts: &[&str]| texts.iter().map(|text| Rule::new(text).expect("a rule")).collect();
    Redactor { redact: rules(redact), keep: rules(keep) }
}

fn call(method: &str, uri: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Call {
    let mut all: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let body = body.map(|body| body.to_string().into_bytes());
    if let Some(body) = &body {
        all.push(("Content-Type".to_owned(), "application/json".to_owned()));
        all.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    Call { method: method.to_owned(), uri: uri.to_owned(), headers: all, body, ..Call::default() }
}

fn line(redactor: &Redactor, call: Call) -> Arc<str> {
    let size = call.body.as_ref().map_or(0, Vec::len);
    let about = match Reader::new(Rules::default(), Arc::new(NoResolve)).read(call) {
        Ok(request) => About::Request(Arc::new(request)),
        Err(refusal) => About::Refused(Box::new(refusal)),
    };
    of(redactor, about, size)
}

fn of(redactor: &Redactor, about: About, size: usize) -> Arc<str> {
    Entry::new(DecisionEvent { size, ..DecisionEvent::of(about) }, redactor).line
}

fn record(redactor: &Redactor, call: Call) -> (String, RequestRecord) {
    let text = line(redactor, call).to_string();
    let record: DecisionRecord = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    // What is read is all that was written.
    let again: Value = serde_json::to_value(&record).expect("a record has JSON");
    assert_eq!(again, serde_json::from_str::<Value>(&text).expect("JSON"), "{text}");
    let request = record.request.unwrap_or_else(|| panic!("no call: {text}"));
    (text, request)
}

fn body(redactor: &Redactor, uri: &str, body: &Value) -> (Value, Vec<String>) {
    let (_, request) = record(redactor, call("POST", uri, &[], Some(body)));
    (request.body.unwrap_or_default(), request.redacted)
}

#[test]
fn what_can_carry_a_secret_is_taken_out_and_listed() {
    let create = json!({
        "Image": "https://joe:hunter2@registry/x", "Env": ["A=hunter2", "B"], "Cmd": ["x", "--password", "hunter2"],
        "Labels": { "a": "b", "my-secret": "hunter2" },
        "HostConfig": {
            "Binds": ["/a:/b"], "Memory": 5,
            "LogConfig": { "Type": "splunk", "Config": { "splunk-url": "hunter2" } },
            "Mounts": [{ "Type": "volume", "VolumeOptions": { "DriverConfig": {
                "Name": "local", "Options": { "type": "cifs", "o": "addr=nas,password=hunter2" } } } }],
        },
        "NotKnown": { "deep": ["hunter2"] }, "NotKnownEither": [], "Volumes": null,
    });
    let (written, redacted) = body(&Redactor::default(), "/v1.44/containers/create?name=x", &create);
    let expected = json!({
        "Image": "https://[redacted]@registry/x", "Env": ["A=[redacted]", "B"], "Cmd": ["x", "--password", "[redacted]"],
        "Labels": { "a": "b", "my-secret": "[redacted]" },
        "HostConfig": {
            "Binds": ["/a:/b"], "Memory": 5,
            "LogConfig": { "Type": "splunk", "Config": { "splunk-url": "[redacted]" } },
            "Mounts": [{ "Type": "volume", "VolumeOptions": { "DriverConfig": {
                "Name": "local", "Options": { "type": "cifs", "o": "addr=nas,password=[redacted]" } } } }],
        },
        "NotKnown": "[redacted]", "NotKnownEither": [], "Volumes": null,
    });
    assert_eq!(written, expected);
    for pointer in [
        "/body/Cmd/2",
        "/body/Env/0",
        "/body/HostConfig/LogConfig/Config/splunk-url",
        "/body/HostConfig/Mounts/0/VolumeOptions/DriverConfig/Options/o",
        "/body/Image",
        "/body/Labels/my-secret",
        "/body/NotKnown",
    ] {
        assert!(redacted.iter().any(|other| other == pointer), "{pointer}: {redacted:?}");
    }
    assert_eq!(redacted.len(), 7, "{redacted:?}");
}

#[test]
fn an_exec_keeps_its_program() {
    let exec = json!({ "Cmd": ["sh", "-c", "hunter2"], "Env": ["A=hunter2"], "User": "0" });
    let (written, _) = body(&Redactor::default(), "/containers/x/exec", &exec);
    assert_eq!(written, json!({ "Cmd": ["sh", "[redacted]", "[redacted]"], "Env": ["A=[redacted]"], "User": "0" }));
}

#[test]
fn the_operators_rules_go_before_the_built_in_ones() {
    let create = json!({
        "Hostname": "a", "Env": ["A=1", "B=2"], "Labels": { "internal.x": "1", "internal.token": "2" },
        "Cmd": ["a=1", "b"],
    });
    let uri = "/containers/create";
    for (redact, keep, expected) in [
        (
            &["ContainerCreate:/Labels/internal.*", "*:/Hostname", "ContainerCreate:/Cmd/*="][..],
            &["ContainerCreate:/Env/1"][..],
            json!({
                "Hostname": "[redacted]", "Env": ["A=[redacted]", "B=2"],
                "Labels": { "internal.x": "[redacted]", "internal.token": "[redacted]" }, "Cmd": ["a=[redacted]", "b"],
            }),
        ),
        (&[], &["ContainerCreate:/*"], create.clone()),
        (
            &["ContainerCreate:/Labels"],
            &["ContainerCreate:/*"],
            json!({ "Hostname": "a", "Env": ["A=1", "B=2"], "Labels": "[redacted]", "Cmd": ["a=1", "b"] }),
        ),
        (
            &["ContainerCreate:/Env/*="],
            &["ContainerCreate:/Env"],
            json!({
                "Hostname": "a", "Env": ["A=[redacted]", "B=[redacted]"],
                "Labels": { "internal.x": "1", "internal.token": "[redacted]" }, "Cmd": ["a=1", "b"],
            }),
        ),
    ] {
        let (written, _) = body(&redactor(redact, keep), uri, &create);
        assert_eq!(written, expected, "{redact:?} {keep:?}");
    }
}

#[test]
fn targets_and_headers() {
    #[rustfmt::skip]
    let targets = [
        ("POST", "/build?t=x&buildargs=%7B%22A%22%3A%22hunter2%22%7D&labels={\"a\":\"b\",\"token\":\"hunter2\"}",
         "/build?t=x&buildargs=%7B%22A%22:%22[redacted]%22%7D&labels=%7B%22a%22:%22b%22,%22token%22:%22[redacted]%22%7D"),
        ("POST", "/build?remote=https://u:hunter2@git/x?token=hunter2", "/build?remote=https://[redacted]@git/x%3F[redacted]"),
        ("POST", "/build?buildargs=hunter2", "/build?buildargs=[redacted]"),
        ("POST", "/commit?changes=ENV+A=hunter2&changes=USER+joe", "/commit?changes=ENV%20[redacted]&changes=USER+joe"),
        ("GET", "/containers/json?filters={\"label\":[\"token=hunter2\",\"a=b\"]}",
         "/containers/json?filters=%7B%22label%22:[%22token%3D[redacted]%22,%22a%3Db%22]%7D"),
        ("GET", "/containers/json?filters={\"label\":{\"token=hunter2\":true}}",
         "/containers/json?filters=%7B%22label%22:%7B%22token%3D[redacted]%22:true%7D%7D"),
        ("GET", "/containers/json?all=1&nobody=hunter2&flag", "/containers/json?all=1&nobody=[redacted]&flag"),
        ("GET", "/nothing?all=hunter2", "/nothing?all=[redacted]"),
        ("GET", "/images/json?all=%zzhunter2", "/images/json?all=[redacted]"),
        ("GET", "http://u:hunter2@x/info?a=hunter2", "http://[redacted]@x/info?[redacted]"),
        ("GET", "/info;a?x=hunter2;y", "/info;a?x=[redacted]"),
    ];
    for (method, uri, expected) in targets {
        let (text, request) = record(&Redactor::default(), call(method, uri, &[], None));
        assert_eq!(request.uri, expected, "{uri}");
        assert_eq!(request.redacted, ["/uri"], "{uri}");
        assert!(!text.contains(SECRET), "{text}");
    }
    let headers = [
        ("X-Registry-Auth", "hunter2"),
        ("authorization", "hunter2"),
        ("Cookie", "hunter2"),
        ("X-Vault-Token", "hunter2"),
        ("Referer", "https://a:hunter2@b/"),
        ("Authz-User", "alice"),
    ];
    let (text, request) = record(&Redactor::default(), call("GET", "/info", &headers, None));
    assert!(!text.contains(SECRET), "{text}");
    let values: Vec<&str> = request.headers.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["[redacted]", "[redacted]", "[redacted]", "[redacted]", "https://[redacted]@b/", "alice"]);
    let rules = redactor(&["*:header/authz-*", "SystemInfo:query/all"], &["*:header/cookie", "*:query/nobody"]);
    let (_, request) = record(&rules, call("GET", "/info?all=1&nobody=x", &headers, None));
    assert_eq!(request.uri, "/info?all=[redacted]&nobody=x");
    assert_eq!(
        request.redacted,
        ["/uri", "/headers/0/1", "/headers/1/1", "/headers/3/1", "/headers/4/1", "/headers/5/1"]
    );
}

/// A body of a shape in which every text is `KEY=hunter2`, under keys that have the name of a secret.
fn filled(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!("KEY=hunter2"),
        Shape::Base64 => json!("aHVudGVyMg=="),
        Shape::Texts => json!(["x", "KEY=hunter2"]),
        // The first word of a command is a program.
        Shape::List(Shape::Text) => json!(["x", "KEY=hunter2"]),
        Shape::List(shape) => json!([filled(*shape), filled(*shape)]),
        Shape::Pair(shape) => json!([filled(*shape), filled(*shape)]),
        Shape::Map(shape) => json!({ "my-secret": filled(*shape) }),
        Shape::Structure(structure) => Value::Object(
            structure
                .fields
                .iter()
                .filter(|field| !field.stray && field.name != "Capabilities" && field.name != "CheckpointDir")
                .map(|field| (field.name.to_owned(), filled(field.shape)))
                .collect(),
        ),
        Shape::Boolean => json!(true),
        Shape::Integer(_) => json!(1),
        Shape::Float32 => json!(0.5),
        Shape::Any | Shape::Unknown => json!("hunter2"),
    }
}

/// Members that hold no secret, of whatever structure.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "AdvertiseAddr", "Aliases", "Availability", "Binds", "CACert", "CapAdd", "CapDrop", "CapabilityAdd",
    "CapabilityDrop", "Cgroup", "CgroupParent", "CgroupPermissions", "CgroupnsMode", "CheckpointID",
    "Condition", "Config", "ConfigID", "ConfigName", "Consistency", "Constraints", "Container", "ContainerID",
    "ContainerIDFile", "CpusetCpus", "CpusetMems", "DNSNames", "DataPathAddr", "DefaultAddrPool", "Description",
    "DetachKeys", "DeviceCgroupRules", "DeviceIDs", "Dir", "Dns", "DnsOptions", "DnsSearch", "Domainname", "Driver",
    "EndpointID", "ExtraHosts", "FailureAction", "File", "FsType", "GID", "Gateway", "GlobalIPv6Address", "Group",
    "GroupAdd", "Groups", "Hostname", "Hosts", "IPAddress", "IPRange", "IPv4Address",
    "IPv6Address", "IPv6Gateway", "Image", "IpcMode", "Isolation", "Key", "Kind", "Level", "LinkLocalIPs", "Links",
    "ListenAddr", "MacAddress", "MaskedPaths", "Mode", "MountFlags", "Name", "Nameservers", "Network", "NetworkID",
    "NetworkMode", "OS", "Options", "Architecture", "Order", "Path", "PathInContainer", "PathOnHost", "PidMode",
    "Profile", "Propagation", "Protocol", "PublishMode", "ReadonlyPaths", "Registry", "RemoteAddrs", "Role", "Runtime",
    "Scope", "Search", "SecretID", "SecretName", "SecurityOpt", "Sharing", "Shell", "SigningCACert", "Source",
    "SpreadDescriptor", "StopSignal", "Subnet", "Subpath", "Target", "Type", "UID", "URL", "UTSMode", "User",
    "UsernsMode", "Value", "VolumeDriver", "VolumesFrom", "WorkingDir", "description", "name", "remote", "value",
];

/// What is taken out of every operation: everything but what is listed above. A member that is new to the daemon's bodies
/// fails here until somebody has said whether it can carry a secret.
#[test]
fn no_body_of_any_operation_tells_what_is_not_known_to_be_harmless() {
    let (mut missing, mut unused) = (Vec::new(), PLAIN.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    for operation in OPERATIONS.iter() {
        let Body::Json(shape) = operation.body else { continue };
        let filled = filled(shape);
        let root = portcullis_docker::json::read(filled.to_string(), shape).unwrap_or_else(|e| panic!("{e}: {filled}"));
        let (mut out, mut redacted) = (String::new(), Redacted::default());
        let redactor = Redactor::default();
        body::Body::new(&redactor, &mut out, &mut redacted).write(operation.id, root.root(), shape);
        let written: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        let mut message = Vec::new();
        texts(&written, String::new(), &mut message);
        for pointer in message {
            let name = pointer.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
            unused.remove(name);
            if !PLAIN.contains(&name) {
                missing.push(format!("{}: {pointer}", operation.id));
            }
        }
        let redacted: Vec<String> = serde_json::from_str(&format!("[{}]", redacted.json())).expect("texts");
        for pointer in &redacted {
            let place = pointer.strip_prefix("/body").and_then(|pointer| written.pointer(pointer));
            assert!(place.is_some(), "{}: {pointer}", operation.id);
        }
    }
    assert!(missing.is_empty() && unused.is_empty(), "{missing:#?} {unused:#?}");
}

/// Where a text still tells what must not be told.
fn texts(value: &Value, pointer: String, message: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains(SECRET) || text.contains("aHVu") => message.push(pointer),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| texts(item, format!("{pointer}/{at}"), message));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| texts(member, format!("{pointer}/{name}"), message));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn of_what_the_operator_names_it_is_not_even_told_that_it_is_empty() {
    let create = json!({ "Hostname": "", "Domainname": "", "Cmd": [], "HostConfig": { "Privileged": false } });
    let rules = redactor(&["ContainerCreate:/Hostname", "*:/Cmd", "*:/HostConfig/Privileged"], &[]);
    let (written, redacted) = body(&rules, "/containers/create", &create);
    let hidden = json!("[redacted]");
    let expected = json!({
        "Hostname": hidden, "Domainname": "", "Cmd": hidden, "HostConfig": { "Privileged": hidden },
    });
    assert_eq!(written, expected);
    assert_eq!(redacted.len(), 3, "{redacted:?}");
}

#[test]
fn a_record_is_bounded() {
    let environment: Vec<String> = (0..5_000).map(|number| format!("VARIABLE_{number}=x")).collect();
    let create = call("POST", "/containers/create", &[], Some(&json!({ "Image": "x", "Env": environment })));
    let (text, request) = record(&Redactor::default(), create);
    assert!(text.len() < LINE && request.body.is_none());
    assert_eq!(request.left_out, ["/body"]);

    let headers = [("X", &*"x".repeat(LINE))];
    let text = line(&Redactor::default(), call("GET", "/info", &headers, None));
    let record: DecisionRecord = serde_json::from_str(&text).expect("a record");
    assert!(text.len() < LINE && record.request.is_none(), "{}", text.len());

    let path = format!("/containers/{}/json?x=hunter2", "y".repeat(1 << 20));
    let text = line(&Redactor::default(), call("GET", &path, &[], None));
    assert!(text.len() < LINE && !text.contains(SECRET), "{}", text.len());
}

#[test]
fn a_call_that_was_not_read_tells_no_more() {
    let body = json!({ "Env": ["A=hunter2"] });
    let unread =
        Call { body: None, ..call("POST", "/containers/create?name=x", &[("Cookie", "hunter2")], Some(&body)) };
    let text = of(&Redactor::default(), About::of(unread), 0);
    let record: DecisionRecord = serde_json::from_str(&text).expect("a record");
    assert_eq!(record.path.as_deref(), Some("/containers/create?[redacted]"));
    let request = record.request.expect("a call");
    assert_eq!((request.uri.as_str(), request.left_out), ("/containers/create?name=x", vec!["/body".to_owned()]));
    assert!(!text.contains(SECRET), "{text}");
}
