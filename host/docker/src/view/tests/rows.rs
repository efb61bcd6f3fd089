//! Views of which each row is a call and what it shows: nothing that is empty, false or null.

mod cluster;

use serde_json::{Value, json};

use crate::testing::{call, read, views, with_json};

/// Method, target, body (null for none), and what the view shows.
type Row = (&'static str, &'static str, Value, Value);

const CREATE: &str = "/v1.44/containers/create";
const SERVICE: &str = "/services/create";
const BUILD: &str = "/build";

fn check(view: &str, rows: Vec<Row>) {
    for (method, uri, body, expected) in rows {
        let body = (!body.is_null()).then(|| body.to_string());
        let call = match &body {
            Some(body) => with_json(method, uri, body),
            None => call(method, uri, &["Content-Length: 0"], None),
        };
        let request = read(call).unwrap_or_else(|refusal| panic!("{uri} {body:?}: {refusal}"));
        let shown = views(&request).remove(view).expect("is a view");
        assert_eq!(stripped(shown), stripped(expected), "{view} of {uri} {body:?}");
    }
}

/// Without what is empty, false or null.
fn stripped(value: Value) -> Value {
    match value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Array(items) => items.into_iter().map(stripped).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name, stripped(value)));
            let left: serde_json::Map<_, _> = members.filter(|(_, value)| !value.is_null()).collect();
            if left.is_empty() { Value::Null } else { Value::Object(left) }
        }
        Value::Null | Value::Bool(false) => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        kept @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => kept,
    }
}

fn host(members: Value) -> Value {
    json!({ "Image": "x", "HostConfig": members })
}

fn task(members: Value) -> Value {
    json!({ "TaskTemplate": members })
}

fn spec(members: Value) -> Value {
    task(json!({ "ContainerSpec": members }))
}

#[test]
fn containers_in_every_shape() {
    let restart = |policy: Value| host(json!({ "RestartPolicy": policy }));
    let of_service = |policy: Value| task(json!({ "ContainerSpec": {}, "RestartPolicy": policy }));
    let always = json!({ "name": "always" });
    check(
        "container",
        vec![
            (
                "POST",
                CREATE,
                json!({ "hostname": "h", "Domainname": "d", "HostConfig": {
                    "RUNTIME": "kata", "CgroupParent": "/x", "Isolation": "default", "GroupAdd": ["0", "docker"],
                    "ReadonlyRootfs": true, "Init": true, "Annotations": { "a": "b" }, "ExtraHosts": ["a:1.2.3.4"],
                    "Dns": ["1.1.1.1"], "Links": ["db:db"], "AutoRemove": true,
                    "LogConfig": { "Type": "syslog", "Config": { "syslog-address": "udp://x" } },
                } }),
                json!({
                    "runtime": "kata", "cgroup_parent": "/x", "isolation": "default", "groups": ["0", "docker"],
                    "read_only_root": true, "init": true, "annotations": [{ "name": "a", "value": "b" }],
                    "hosts": ["a:1.2.3.4"], "name_servers": ["1.1.1.1"], "links": ["db:db"], "auto_remove": true,
                    "hostname": "h", "domainname": "d",
                    "log": { "name": "syslog", "options": [{ "name": "syslog-address", "value": "udp://x" }] },
                }),
            ),
            ("POST", CREATE, host(json!({})), json!({})),
            ("POST", CREATE, host(json!({ "LogConfig": { "Type": "", "Config": {} } })), json!({})),
            (
                "POST",
                CREATE,
                host(json!({ "LogConfig": { "Config": { "mode": "x" } } })),
                json!({ "log": { "options": [{ "name": "mode", "value": "x" }] } }),
            ),
            ("POST", CREATE, restart(json!({ "Name": "always" })), json!({ "restart": always })),
            ("POST", CREATE, restart(json!({ "Name": "", "MaximumRetryCount": 0 })), json!({})),
            (
                "POST",
                CREATE,
                restart(json!({ "Name": "on-failure", "MaximumRetryCount": 3 })),
                json!({ "restart": { "name": "on-failure", "maximum_retries": 3 } }),
            ),
            ("POST", CREATE, restart(json!({ "Name": "Always" })), json!({ "restart": { "name": "Always" } })),
            (
                "POST",
                "/containers/x/update",
                json!({ "CgroupParent": "/x", "RestartPolicy": { "Name": "unless-stopped" } }),
                json!({ "cgroup_parent": "/x", "restart": { "name": "unless-stopped" } }),
            ),
            ("POST", "/containers/x/update", json!({ "RestartPolicy": { "Name": "" } }), json!({})),
            (
                "POST",
                SERVICE,
                task(json!({
                    "LogDriver": { "Name": "gelf", "Options": { "o": "p" } },
                    "ContainerSpec": {
                        "Isolation": "default", "Groups": ["0"], "ReadOnly": true, "Init": true, "Hostname": "{{.Node.Hostname}}",
                        "Hosts": ["1.2.3.4 a"], "DNSConfig": { "Nameservers": ["1.1.1.1"] },
                    },
                })),
                json!({
                    "isolation": "default", "groups": ["0"], "read_only_root": true, "init": true, "restart": always,
                    "hostname": "{{.Node.Hostname}}", "hosts": ["1.2.3.4 a"], "name_servers": ["1.1.1.1"],
                    "log": { "name": "gelf", "options": [{ "name": "o", "value": "p" }] },
                }),
            ),
            ("POST", SERVICE, of_service(json!({ "Condition": "any" })), json!({ "restart": always })),
            ("POST", SERVICE, of_service(json!({ "Condition": "" })), json!({ "restart": always })),
            ("POST", SERVICE, of_service(json!({ "Condition": "none" })), json!({ "restart": { "name": "no" } })),
            (
                "POST",
                "/services/x/update?version=1",
                of_service(json!({ "Condition": "on-failure", "MaxAttempts": 18446744073709551615_u64 })),
                json!({ "restart": { "name": "on-failure", "maximum_retries": 18446744073709551615_u64 } }),
            ),
            ("POST", SERVICE, task(json!({ "PluginSpec": {} })), json!(null)),
            (
                "POST",
                "/build?cgroupparent=/x&isolation=default&extrahosts=a:1.2.3.4&extrahosts=b:::1",
                json!(null),
                json!({ "cgroup_parent": "/x", "isolation": "default", "hosts": ["a:1.2.3.4", "b:::1"] }),
            ),
            ("POST", "/containers/x/exec", json!({ "Cmd": ["x"] }), json!(null)),
            ("GET", "/containers/json", json!(null), json!(null)),
        ],
    );
}

#[test]
fn labels_and_environment_in_every_shape() {
    let label = |of: &str, name: &str, value: &str| json!({ "of": of, "name": name, "value": value });
    let object = json!([label("object", "a", "b")]);
    let labels = json!({ "Labels": { "a": "b" } });
    let mut rows: Vec<Row> = [
        CREATE,
        "/volumes/create",
        SERVICE,
        "/services/x/update?version=1",
        "/secrets/create",
        "/secrets/x/update?version=1",
        "/configs/create",
        "/configs/x/update?version=1",
        "/swarm/update?version=1",
        "/nodes/x/update?version=1",
        "/commit?container=x",
    ]
    .into_iter()
    .map(|uri| ("POST", uri, labels.clone(), object.clone()))
    .collect();
    let mount = json!([{ "Type": "volume", "VolumeOptions": { "Labels": { "c": "{{.Task.ID}}" } } }]);
    let of_volume = label("volume", "c", "{{.Task.ID}}");
    rows.extend([
        ("POST", "/networks/create", json!({ "Name": "n", "Labels": { "a": "b" } }), object.clone()),
        ("POST", "/swarm/init", json!({ "Spec": labels }), object.clone()),
        ("POST", CREATE, host(json!({ "Mounts": mount })), json!([of_volume])),
        ("POST", SERVICE, spec(json!({ "Labels": { "t": "" } })), json!([label("task", "t", "")])),
        ("POST", SERVICE, spec(json!({ "Mounts": mount })), json!([of_volume])),
        ("POST", "/build?labels=%7B%22a%22:%22b%22%7D", json!(null), object.clone()),
        ("POST", "/build?labels=null", json!(null), json!([])),
        // Go takes the last of two; nobody is told which.
        (
            "POST",
            "/build?labels=%7B%22a%22:%22b%22,%22a%22:%22c%22%7D",
            json!(null),
            json!([label("object", r#"{"a":"b","a":"c"}"#, "")]),
        ),
        ("POST", "/build?labels=x", json!(null), json!([label("object", "x", "")])),
        ("POST", "/containers/x/exec", json!({ "Cmd": [] }), json!([])),
    ]);
    check("labels", rows);

    let env = json!(["A=b=c", "D", "", "{{.Node.Hostname}}=x"]);
    let names = json!(["A", "D", "", "{{.Node.Hostname}}"]);
    check(
        "environment",
        vec![
            ("POST", CREATE, json!({ "Env": env }), names.clone()),
            ("POST", "/containers/x/exec", json!({ "Env": env }), names.clone()),
            ("POST", "/commit?container=x", json!({ "Env": env }), names.clone()),
            ("POST", SERVICE, spec(json!({ "Env": env })), names),
            ("POST", "/networks/create", json!({ "Name": "n" }), json!([])),
        ],
    );
}

#[test]
fn resources_in_every_shape() {
    let all = json!({
        "Memory": 1, "MemoryReservation": 2, "MemorySwap": -1, "MemorySwappiness": 0, "KernelMemory": 3, "KernelMemoryTCP": 4,
        "NanoCpus": 5, "CpuShares": 6, "CpuPeriod": 7, "CpuQuota": -8, "CpuRealtimePeriod": 9, "CpuRealtimeRuntime": 10,
        "CpusetCpus": "0-2", "CpusetMems": "0", "PidsLimit": 11, "OomKillDisable": true,
        "BlkioWeight": 12, "BlkioWeightDevice": [{ "Path": "/dev/a", "Weight": 13 }],
        "BlkioDeviceReadBps": [{ "Path": "/dev/a", "Rate": 18446744073709551615_u64 }],
        "BlkioDeviceWriteBps": [{ "Path": "/dev/a", "Rate": 15 }], "BlkioDeviceReadIOps": [{ "Path": "/dev/a", "Rate": 16 }],
        "BlkioDeviceWriteIOps": [{ "Path": "/dev/a", "Rate": 17 }],
        "Ulimits": [{ "Name": "nofile", "Soft": 1, "Hard": -1 }, null],
    });
    let io = |kind: &str, device: &str, value: u64| json!({ "kind": kind, "device": device, "value": value });
    let shown = json!({
        "memory": 1, "memory_reservation": 2, "memory_swap": -1, "memory_swappiness": 0, "kernel_memory": 3,
        "kernel_memory_tcp": 4, "nano_cpus": 5, "cpu_shares": 6, "cpu_period": 7, "cpu_quota": -8,
        "cpu_realtime_period": 9, "cpu_realtime_runtime": 10, "cpus": "0-2", "memory_nodes": "0", "pids": 11,
        "oom_kill_disable": true,
        "block_io": [
            io("weight", "", 12), io("weight", "/dev/a", 13), io("read-bytes", "/dev/a", u64::MAX),
            io("write-bytes", "/dev/a", 15), io("read-operations", "/dev/a", 16), io("write-operations", "/dev/a", 17),
        ],
        "ulimits": [{ "name": "nofile", "soft": 1, "hard": -1 }, { "name": "", "soft": 0, "hard": 0 }],
    });
    let of_service = |resources: Value| task(json!({ "ContainerSpec": {}, "Resources": resources }));
    let unlimited = |name: &str| json!({ "ulimits": [{ "name": name, "soft": -1, "hard": -1 }] });
    check(
        "resources",
        vec![
            ("POST", CREATE, host(all.clone()), shown.clone()),
            ("POST", "/containers/x/update", all, shown),
            (
                "POST",
                CREATE,
                host(json!({ "ShmSize": 1, "OomScoreAdj": -5, "StorageOpt": { "size": "1G" } })),
                json!({
                    "shared_memory": 1, "oom_score_adjustment": -5, "storage": [{ "name": "size", "value": "1G" }],
                }),
            ),
            ("POST", CREATE, host(json!({ "Memory": 0, "NanoCpus": 0, "PidsLimit": null })), json!({})),
            ("POST", CREATE, host(json!({ "PidsLimit": 0 })), json!({ "pids": -1 })),
            ("POST", "/containers/x/update", json!({ "PidsLimit": -7 }), json!({ "pids": -1 })),
            (
                "POST",
                SERVICE,
                task(json!({
                    "ContainerSpec": { "OomScoreAdj": 7, "Ulimits": [{ "Name": "nproc", "Soft": 1, "Hard": 2 }] },
                    "Resources": {
                        "Limits": { "NanoCPUs": 1, "MemoryBytes": 2, "Pids": 3 },
                        "Reservations": {
                            "NanoCPUs": 4, "MemoryBytes": 5,
                            "GenericResources": [
                                { "NamedResourceSpec": { "Kind": "gpu", "Value": "a" } },
                                { "DiscreteResourceSpec": { "Kind": "ssd", "Value": 2 } },
                            ],
                        },
                        "SwapBytes": 6, "MemorySwappiness": 7,
                    },
                })),
                json!({
                    "memory": 2, "memory_reservation": 5, "memory_swap": 8, "memory_swappiness": 7, "nano_cpus": 1,
                    "nano_cpus_reservation": 4, "pids": 3, "oom_score_adjustment": 7,
                    "ulimits": [{ "name": "nproc", "soft": 1, "hard": 2 }],
                    "generic": [{ "name": "gpu", "value": "a" }, { "name": "ssd", "value": "2" }],
                }),
            ),
            ("POST", SERVICE, of_service(json!({ "Limits": { "MemoryBytes": -1, "Pids": 0 } })), json!({})),
            ("POST", SERVICE, of_service(json!({ "SwapBytes": -1 })), json!({ "memory_swap": -1 })),
            (
                "POST",
                "/build?memory=1&memswap=-1&shmsize=2&cpushares=3&cpuperiod=4&cpuquota=5&cpusetcpus=0&cpusetmems=1&ulimits=%5B%7B%22name%22:%22nofile%22,%22Soft%22:1,%22Hard%22:2%7D%5D",
                json!(null),
                json!({
                    "memory": 1, "memory_swap": -1, "shared_memory": 2, "cpu_shares": 3, "cpu_period": 4, "cpu_quota": 5,
                    "cpus": "0", "memory_nodes": "1", "ulimits": [{ "name": "nofile", "soft": 1, "hard": 2 }],
                }),
            ),
            ("POST", "/build?memory=1k&cpushares=", json!(null), json!({})),
            ("POST", "/build?ulimits=%7B%7D", json!(null), unlimited("{}")),
            ("POST", "/build?ulimits=null", json!(null), json!({})),
            ("GET", "/info", json!(null), json!({})),
        ],
    );
}

#[test]
fn seccomp_profiles_in_every_shape() {
    let option = |text: &str| host(json!({ "SecurityOpt": [text] }));
    let kind = |kind: &str| json!({ "kind": kind });
    let unread = |text: &str| json!({ "kind": "unreadable", "digest": super::super::seccomp::digest(text) });
    let custom = |text: &str, action: &str| json!({ "kind": "custom", "default_action": action, "digest": super::super::seccomp::digest(text) });
    let mut rows = vec![
        ("POST", CREATE, host(json!({})), kind("default")),
        ("POST", CREATE, option("seccomp="), kind("default")),
        ("POST", CREATE, option("seccomp=builtin"), kind("builtin")),
        ("POST", CREATE, option("seccomp:unconfined"), kind("unconfined")),
        ("POST", CREATE, option("seccomp"), kind("unreadable")),
        ("POST", CREATE, option("seccomp=/etc/x.json"), unread("/etc/x.json")),
        ("POST", CREATE, option("seccomp=default"), unread("default")),
        ("POST", CREATE, host(json!({ "SecurityOpt": ["seccomp=builtin", "seccomp=unconfined"] })), kind("unconfined")),
        ("POST", CREATE, host(json!({ "SecurityOpt": ["seccomp=unconfined", "seccomp=builtin"] })), kind("builtin")),
        ("POST", CREATE, host(json!({ "Privileged": true, "SecurityOpt": ["seccomp=builtin"] })), kind("unconfined")),
        (
            "POST",
            CREATE,
            host(json!({ "Privileged": true, "SecurityOpt": [r#"seccomp={"defaultAction":"SCMP_ACT_KILL"}"#] })),
            json!({
                "kind": "unconfined", "default_action": "SCMP_ACT_KILL",
                "digest": super::super::seccomp::digest(r#"{"defaultAction":"SCMP_ACT_KILL"}"#),
            }),
        ),
        ("POST", "/containers/x/update", json!({}), json!(null)),
        ("POST", "/containers/x/exec", json!({ "Privileged": true }), json!(null)),
        ("POST", SERVICE, spec(json!({})), kind("default")),
        ("POST", SERVICE, task(json!({ "PluginSpec": {} })), json!(null)),
        ("POST", SERVICE, spec(json!({ "Privileges": { "Seccomp": { "Mode": "unconfined" } } })), kind("unconfined")),
        ("POST", SERVICE, spec(json!({ "Privileges": { "Seccomp": { "Mode": "Default" } } })), unread("Default")),
        (
            "POST",
            SERVICE,
            spec(json!({ "Privileges": { "Seccomp": {
                "Mode": "custom", "Profile": "eyJkZWZhdWx0QWN0aW9uIjoiU0NNUF9BQ1RfS0lMTCJ9",
            } } })),
            custom(r#"{"defaultAction":"SCMP_ACT_KILL"}"#, "SCMP_ACT_KILL"),
        ),
    ];
    for text in ["{}", "null", r#"{"syscalls":[]}"#, r#"{"defaultAction":"","listenerPath":null}"#] {
        let shown = json!({ "kind": "unconfined", "digest": super::super::seccomp::digest(text) });
        rows.push(("POST", CREATE, option(&format!("seccomp={text}")), shown));
    }
    for (text, action) in [
        (r#"{"defaultAction":"SCMP_ACT_ERRNO"}"#, "SCMP_ACT_ERRNO"),
        (r#" {"DEFAULTACTION" : "SCMP_ACT_ALLOW"}"#, "SCMP_ACT_ALLOW"),
        (r#"{"default\u0041ction":"SCMP_ACT_\u0045RRNO"}"#, "SCMP_ACT_ERRNO"),
        (r#"{"x":{"defaultAction":"SCMP_ACT_ERRNO"},"defaultAction":"SCMP_ACT_LOG"}"#, "SCMP_ACT_LOG"),
    ] {
        rows.push(("POST", CREATE, option(&format!("seccomp={text}")), custom(text, action)));
    }
    for text in [
        r#"{"defaultAction":"SCMP_ACT_ERRNO","defaultAction":"SCMP_ACT_ALLOW"}"#,
        r#"{"defaultAction":"SCMP_ACT_ERRNO","DefaultAction":"SCMP_ACT_ALLOW"}"#,
        r#"{"defaultAction":"SCMP_ACT_ERRNO","default\u0041ction":"SCMP_ACT_ALLOW"}"#,
        r#"{"defaultAction":"SCMP_ACT_ERRNO"}{"defaultAction":"SCMP_ACT_ALLOW"}"#,
        r#"{"defaultAction":["SCMP_ACT_ERRNO"]}"#,
        r#"{"x":1,"a":"defaultAction":"SCMP_ACT_ERRNO"}"#,
        "[]",
    ] {
        rows.push(("POST", CREATE, option(&format!("seccomp={text}")), unread(text)));
    }
    let text = r#"{"defaultAction":"SCMP_ACT_ERRNO","liſtenerPath":"/run/x","syscalls":[{"names":["a"],"action":"SCMP_ACT_NOTIFY"},{"action":"SCMP_ACT_ALLOW"},{"Action":"SCMP_ACT_ALLOW"}]}"#;
    let mut shown = custom(text, "SCMP_ACT_ERRNO");
    shown["listener"] = json!(true);
    shown["actions"] = json!(["SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY"]);
    rows.push(("POST", CREATE, option(&format!("seccomp={text}")), shown));
    check("seccomp", rows);
}
