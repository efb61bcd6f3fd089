//! Each list at its bound, and one over it; and no large call that is ordinary.

use portcullis_model::Request as _;

use super::{BIND, PATH, PORT};
use crate::rules::HostRule;
use crate::testing::{read, with_json};

const ITEMS: usize = 4096;
const PORTS: usize = 16 << 10;
const NAMES: usize = 16 << 10;

const CREATE: &str = "/v1.44/containers/create";
const SERVICE: &str = "/v1.44/services/create";
const NETWORK: &str = "/v1.44/networks/create";
const UPDATE: &str = "/v1.44/services/x/update?version=1";
const VOLUME: &str = "/v1.44/volumes/create";

/// What a call is refused for, if it is.
fn refused(uri: &str, body: &str) -> Option<String> {
    match read(with_json("POST", uri, body)) {
        Ok(request) => {
            // What is taken can be looked at.
            request.mounts();
            request.ports();
            None
        }
        Err(refusal) if refusal.rule == HostRule::Oversized => Some(refusal.reason),
        Err(refusal) => panic!("{uri}: {refusal}"),
    }
}

fn list(count: usize, item: &str) -> String {
    format!("[{}]", vec![item; count].join(","))
}

fn object(count: usize, item: &str) -> String {
    let members: Vec<_> = (0..count).map(|n| format!("\"/{n}\":{item}")).collect();
    format!("{{{}}}", members.join(","))
}

fn host(name: &str, value: &str) -> String {
    format!(r#"{{"HostConfig":{{"{name}":{value}}}}}"#)
}

fn container(name: &str, value: &str) -> String {
    format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"{name}":{value}}}}}}}"#)
}

/// Shapes of a body by how many items it has, and what the refusal calls them.
type Row = (&'static str, fn(usize) -> String, &'static str, usize);

const LISTS: [Row; 44] = [
    (CREATE, |n| host("Binds", &list(n, r#""/a:/b""#)), "mounts", ITEMS),
    (CREATE, |n| host("Mounts", &list(n, "{}")), "mounts", ITEMS),
    (CREATE, |n| host("VolumesFrom", &list(n, r#""x""#)), "mounts", ITEMS),
    (CREATE, |n| host("Tmpfs", &object(n, r#""""#)), "mounts", ITEMS),
    (CREATE, |n| format!(r#"{{"Volumes":{}}}"#, object(n, "{}")), "mounts", ITEMS),
    (SERVICE, |n| container("Mounts", &list(n, "{}")), "mounts", ITEMS),
    (UPDATE, |n| container("Mounts", &list(n, "{}")), "mounts", ITEMS),
    (CREATE, |n| host("Devices", &list(n, "{}")), "devices", ITEMS),
    (CREATE, |n| host("DeviceRequests", &list(n, "{}")), "devices", ITEMS),
    (CREATE, |n| host("DeviceCgroupRules", &list(n, r#""x""#)), "devices", ITEMS),
    (CREATE, |n| host("SecurityOpt", &list(n, r#""a=b""#)), "security options", ITEMS),
    (CREATE, |n| host("MaskedPaths", &list(n, r#""/a""#)), "security options", ITEMS),
    (CREATE, |n| host("ReadonlyPaths", &list(n, r#""/a""#)), "security options", ITEMS),
    (CREATE, |n| host("CapAdd", &list(n, r#""x""#)), "capabilities", ITEMS),
    (CREATE, |n| host("CapDrop", &list(n, r#""x""#)), "capabilities", ITEMS),
    (SERVICE, |n| container("CapabilityAdd", &list(n, r#""x""#)), "capabilities", ITEMS),
    (SERVICE, |n| container("CapabilityDrop", &list(n, r#""x""#)), "capabilities", ITEMS),
    (CREATE, |n| format!(r#"{{"NetworkingConfig":{{"EndpointsConfig":{}}}}}"#, object(n, "{}")), "networks", ITEMS),
    (SERVICE, |n| format!(r#"{{"TaskTemplate":{{"Networks":{}}}}}"#, list(n, "{}")), "networks", ITEMS),
    (CREATE, |n| host("PortBindings", &object(n, "[]")), "ports", PORTS),
    (CREATE, |n| host("PortBindings", &format!(r#"{{"80/tcp":{}}}"#, list(n, "{}"))), "ports", PORTS),
    (CREATE, |n| format!(r#"{{"ExposedPorts":{}}}"#, object(n, "{}")), "ports", PORTS),
    (SERVICE, |n| format!(r#"{{"EndpointSpec":{{"Ports":{}}}}}"#, list(n, "{}")), "ports", PORTS),
    (SERVICE, |n| format!(r#"{{"Networks":{}}}"#, list(n, "{}")), "networks", ITEMS),
    (CREATE, |n| format!(r#"{{"Labels":{}}}"#, object(n, r#""""#)), "labels and annotations", NAMES),
    (CREATE, |n| host("Annotations", &object(n, r#""""#)), "labels and annotations", NAMES),
    (SERVICE, |n| container("Labels", &object(n, r#""""#)), "labels and annotations", NAMES),
    (VOLUME, |n| format!(r#"{{"Labels":{}}}"#, object(n, r#""""#)), "labels and annotations", NAMES),
    (CREATE, |n| format!(r#"{{"Env":{}}}"#, list(n, r#""""#)), "environment variables", NAMES),
    (SERVICE, |n| container("Env", &list(n, r#""""#)), "environment variables", NAMES),
    (CREATE, |n| host("StorageOpt", &object(n, r#""""#)), "options of drivers", ITEMS),
    (CREATE, |n| host("LogConfig", &format!(r#"{{"Config":{}}}"#, object(n, r#""""#))), "options of drivers", ITEMS),
    (NETWORK, |n| format!(r#"{{"Name":"n","Options":{}}}"#, object(n, r#""""#)), "options of drivers", ITEMS),
    (CREATE, |n| host("Ulimits", &list(n, "{}")), "limits of resources", ITEMS),
    (CREATE, |n| host("BlkioDeviceReadBps", &list(n, "{}")), "limits of resources", ITEMS),
    (SERVICE, |n| container("Ulimits", &list(n, "{}")), "limits of resources", ITEMS),
    (CREATE, |n| host("GroupAdd", &list(n, r#""""#)), "names and addresses", NAMES),
    (CREATE, |n| host("ExtraHosts", &list(n, r#""""#)), "names and addresses", NAMES),
    (
        CREATE,
        |n| host("DeviceRequests", &format!(r#"[{{"DeviceIDs":{}}}]"#, list(n, r#""""#))),
        "names and addresses",
        NAMES,
    ),
    (
        CREATE,
        |n| host("DeviceRequests", &format!(r#"[{{"Capabilities":[{}]}}]"#, list(n - 1, r#""""#))),
        "names and addresses",
        NAMES,
    ),
    (NETWORK, |n| format!(r#"{{"Name":"n","IPAM":{{"Config":{}}}}}"#, list(n, "{}")), "names and addresses", NAMES),
    (SERVICE, |n| container("Secrets", &list(n, "{}")), "secrets and configs", ITEMS),
    (SERVICE, |n| container("Configs", &list(n, "{}")), "secrets and configs", ITEMS),
    (
        SERVICE,
        |n| format!(r#"{{"TaskTemplate":{{"Placement":{{"Constraints":{}}}}}}}"#, list(n, r#""""#)),
        "names and addresses",
        NAMES,
    ),
];

#[test]
fn lists_are_taken_up_to_their_bound() {
    for (uri, body, what, most) in LISTS {
        assert_eq!(refused(uri, &body(most)), None, "{uri} {what}: {}", &body(1));
        let told = format!("the call names too many {what}; at most {most} are taken");
        assert_eq!(refused(uri, &body(most + 1)), Some(told), "{uri} {what}: {}", &body(1));
    }
    // Lists of one view count together.
    let half = ITEMS / 2 + 1;
    let body = format!(r#"{{"HostConfig":{{"Binds":{},"Mounts":{}}}}}"#, list(half, r#""a:/b""#), list(half, "{}"));
    assert_eq!(refused(CREATE, &body), Some(format!("the call names too many mounts; at most {ITEMS} are taken")));
}

/// How far a body of one list is read: what comes after its items is no JSON.
#[test]
fn no_more_is_read_of_a_list_than_is_taken() {
    for (uri, body, what, most) in LISTS {
        let body = body(2 * most + 2);
        let cut = body.trim_end_matches(['}', ']']);
        let told = format!("the call names too many {what}; at most {most} are taken");
        assert_eq!(refused(uri, &format!("{cut},#")), Some(told), "{uri} {what}: {}", &body[..64]);
    }
}

#[test]
fn folders_in_options_are_taken_up_to_their_bound() {
    // Each option is short, and they are many.
    let lower = "a:".repeat(PATH / 2 - 8);
    let mount =
        format!(r#"{{"Type":"volume","VolumeOptions":{{"DriverConfig":{{"Options":{{"o":"lowerdir={lower}"}}}}}}}}"#);
    let few = list(8, &mount);
    let many = list(9, &mount);
    for (uri, few, many) in [
        (CREATE, host("Mounts", &few), host("Mounts", &many)),
        (SERVICE, container("Mounts", &few), container("Mounts", &many)),
    ] {
        assert_eq!(refused(uri, &few), None);
        let told = refused(uri, &many).unwrap_or_default();
        assert!(told.contains("folders and options of volumes; at most 16384"), "{told}");
    }
}

#[test]
fn each_folder_counts_with_every_option() {
    let option = format!("lowerdir={}{}", "a:".repeat(1000), ",x".repeat(1000));
    let body = format!(r#"{{"DriverOpts":{{"type":"overlay","o":"{option}"}}}}{}"#, " ".repeat(PATH));
    let told = refused(VOLUME, &body).unwrap_or_default();
    assert!(told.contains("too many folders and options of volumes"), "{told}");
}

#[test]
fn texts_are_taken_up_to_their_bound() {
    let path = |length: usize| format!("/{}", "a".repeat(length - 1));
    type Of = fn(&str) -> String;
    let rows: [(&str, Of, usize); 13] = [
        (CREATE, |text| host("Binds", &format!("[\"{text}\"]")), BIND),
        (CREATE, |text| host("VolumesFrom", &format!("[\"{text}\"]")), PATH),
        (CREATE, |text| host("Tmpfs", &format!("{{\"{text}\":\"\"}}")), PATH),
        (CREATE, |text| host("Mounts", &format!("[{{\"Source\":\"{text}\"}}]")), PATH),
        (CREATE, |text| host("Mounts", &format!("[{{\"Target\":\"{text}\"}}]")), PATH),
        (CREATE, |text| host("VolumeDriver", &format!("\"{}\"", text.replace('/', "a"))), PATH),
        (CREATE, |text| host("Devices", &format!("[{{\"PathOnHost\":\"{text}\"}}]")), PATH),
        (CREATE, |text| host("PortBindings", &format!("{{\"{text}\":[]}}")), PORT),
        (
            CREATE,
            |text| format!("{{\"ExposedPorts\":{{\"{text}\":{{}}}},\"Labels\":{{\"x\":\"{}\"}}}}", "x".repeat(PATH)),
            PORT,
        ),
        (CREATE, |text| format!("{{\"Volumes\":{{\"{text}\":{{}}}}}}"), PATH),
        (SERVICE, |text| container("Mounts", &format!("[{{\"Source\":\"{text}\"}}]")), PATH),
        (VOLUME, |text| format!("{{\"DriverOpts\":{{\"device\":\"{text}\"}}}}"), PATH),
        (VOLUME, |text| format!("{{\"Name\":\"{text}\"}}"), PATH),
    ];
    for (uri, body, most) in rows {
        // A body below the bounds of paths is not looked at.
        let pad = |body: String| format!("{}{}", body, " ".repeat(PATH));
        assert_eq!(refused(uri, &pad(body(&path(most)))), None, "{uri} {}", body("x"));
        let told = refused(uri, &pad(body(&path(most + 1)))).unwrap_or_default();
        assert!(told.contains(&format!("of {} bytes; at most {most}", most + 1)), "{uri} {}: {told}", body("x"));
    }
}

#[test]
fn ordinary_lists_and_texts_may_be_large() {
    let long = "x".repeat(1 << 20);
    for body in [
        format!(r#"{{"Env":{},"Cmd":{}}}"#, list(10_000, r#""A=1""#), list(50_000, r#""a""#)),
        format!(r#"{{"Labels":{{"a":"{long}"}}}}"#),
        host("SecurityOpt", &format!(r#"["seccomp={long}"]"#)),
        host("Mounts", &format!(r#"[{{"Type":"volume","VolumeOptions":{{"Labels":{{"a":"{long}"}}}}}}]"#)),
        host("ExtraHosts", &list(10_000, r#""a:1.2.3.4""#)),
        format!(r#"{{"Labels":{}}}"#, object(10_000, r#""x""#)),
    ] {
        assert_eq!(refused(CREATE, &body), None, "{}", &body[..40]);
    }
}
