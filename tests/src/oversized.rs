//! Calls of four megabytes, as many items as go in: what one caller can do to keep a host busy.

use crate::caller::Caller;

/// As much as a new dockerd shows its plugins.
const MOST: usize = (4 << 20) - 512;

/// A call of each kind: what it is called, and the body of the plugin call.
pub fn calls() -> Vec<(&'static str, Vec<u8>)> {
    let host = |name: &str, list: String| format!("{{\"HostConfig\":{{\"{name}\":{list}}}}}");
    let many = |item: &str| {
        let count = MOST / (item.len() + 1);
        format!("[{}]", vec![item; count].join(","))
    };
    let keys = |value: &str| {
        let count = MOST / (value.len() + 11);
        let members: Vec<_> = (0..count).map(|number| format!("\"{number:07}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let up = format!("[\"{}:/x\"]", "/..".repeat(MOST / 3));
    let lower = format!("lowerdir={}", "a:".repeat(MOST / 2 - 64));
    let overlay = format!("{{\"DriverOpts\":{{\"type\":\"overlay\",\"device\":\"x\",\"o\":\"{lower}\"}}}}");
    let short = format!("lowerdir={}", "a:".repeat(1000));
    let options = format!("{{\"type\":\"overlay\",\"device\":\"x\",\"o\":\"{short}\"}}");
    let volume = format!(
        "{{\"Type\":\"volume\",\"Target\":\"/x\",\"VolumeOptions\":{{\"DriverConfig\":{{\"Options\":{options}}}}}}}"
    );
    let create = "/v1.44/containers/create";
    let service = "/v1.44/services/create";
    let rows = [
        ("binds", create, host("Binds", many("\"/a:/b\""))),
        ("a path of `/..`", create, host("Binds", up)),
        ("mounts", create, host("Mounts", many("{}"))),
        (
            "mounts of a service",
            service,
            format!("{{\"TaskTemplate\":{{\"ContainerSpec\":{{\"Mounts\":{}}}}}}}", many("{}")),
        ),
        ("lower folders of a volume", "/v1.44/volumes/create", overlay),
        ("lower folders of many mounts", create, host("Mounts", many(&volume))),
        ("tmpfs", create, host("Tmpfs", keys("\"\""))),
        ("devices", create, host("Devices", many("{}"))),
        ("security options", create, host("SecurityOpt", many("\"\""))),
        ("masked paths", create, host("MaskedPaths", many("\"\""))),
        ("capabilities", create, host("CapAdd", many("\"\""))),
        ("ports", create, host("PortBindings", keys("[]"))),
        ("bindings of one port", create, host("PortBindings", format!("{{\"80/tcp\":{}}}", many("{}")))),
        ("networks", create, format!("{{\"NetworkingConfig\":{{\"EndpointsConfig\":{}}}}}", keys("{}"))),
        ("variables", create, format!("{{\"Env\":{}}}", many("\"\""))),
        ("labels", create, format!("{{\"Labels\":{}}}", keys("\"\""))),
        ("hosts", create, host("ExtraHosts", many("\"\""))),
        ("options of a log driver", create, host("LogConfig", format!("{{\"Config\":{}}}", keys("\"\"")))),
        ("ulimits", create, host("Ulimits", many("{}"))),
        (
            "capabilities of a device",
            create,
            host("DeviceRequests", format!("[{{\"Capabilities\":[{}]}}]", many("\"\""))),
        ),
    ];
    rows.map(|(kind, uri, body)| (kind, call(uri, &body))).into()
}

/// Calls as large, of which nothing is in a view: they are decided.
pub fn harmless() -> Vec<u8> {
    let words = vec!["\"A=1\""; MOST / 6].join(",");
    call("/v1.44/containers/create", &format!("{{\"Cmd\":[{words}]}}"))
}

/// A call as large, whose values take the most memory: no daemon knows the member.
pub fn spacious() -> Vec<u8> {
    let zeros = vec!["0"; MOST / 2 - 64].join(",");
    call("/v1.44/containers/create", &format!("{{\"X\":[{zeros}]}}"))
}

/// A call as most are.
pub fn small() -> Vec<u8> {
    call("/v1.44/containers/create", "{\"Image\":\"busybox\"}")
}

fn call(uri: &str, body: &str) -> Vec<u8> {
    let caller = Caller::anybody().header("Content-Type", "application/json");
    caller.header("Content-Length", &body.len().to_string()).call("POST", uri, body.as_bytes())
}
