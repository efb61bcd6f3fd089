//! Whether a call names more than a client does, or longer paths than Linux takes.
//!
//! Each item of these lists becomes one of a view, and some texts are copied into each. Whoever sends a few megabytes of
//! them would keep the host busy for seconds. The kernel's `PATH_MAX` is in `include/uapi/linux/limits.h`; mount(2) takes
//! one page of options (`copy_mount_options` in `fs/namespace.c`).

use portcullis_document::{Kind, Value};

use crate::json::Counted;
use crate::view::{Facts, items, member, members, text};

/// Of all volumes together, folders times options: each folder of an overlay is shown with all of them.
const FOLDERS: usize = 16 << 10;
/// Bytes of a path, or of a volume's options.
const PATH: usize = 4096;
/// `SOURCE:TARGET:MODES`
const BIND: usize = 2 * PATH + 256;
/// `65535/sctp`, an address.
const PORT: usize = 256;
/// A body up to this size has no more than all that.
const SMALL: usize = PATH;

/// What is too much of a body of so many bytes.
pub(crate) fn excess(facts: Facts<'_>, size: usize) -> Option<String> {
    if size <= SMALL {
        return None;
    }
    // Texts that are too long are not looked through for folders.
    counts(facts).or_else(|| lengths(facts)).or_else(|| folders_in_options(facts))
}

/// What a call is told that names more than it may. Most are told so before all of it is read.
pub(crate) fn too_many(counted: Counted) -> String {
    format!("the call names too many {}; at most {} are taken", counted.name(), counted.most())
}

fn counts(facts: Facts<'_>) -> Option<String> {
    let host = facts.host_config();
    let of_host = |names: &[&str]| names.iter().map(|name| len(member(host, name))).sum::<usize>();
    let service = facts.service_container();
    let networks = member(member(facts.container(), "NetworkingConfig"), "EndpointsConfig");
    let task = member(facts.service(), "TaskTemplate");
    let of_service = |name| len(member(service, name));
    let counts = [
        (Counted::Mounts, mounts(facts).into_iter().map(len).sum()),
        (Counted::Devices, of_host(&["Devices", "DeviceRequests", "DeviceCgroupRules"])),
        (Counted::SecurityOptions, of_host(&["SecurityOpt", "MaskedPaths", "ReadonlyPaths"])),
        (
            Counted::Capabilities,
            of_host(&["CapAdd", "CapDrop", "Capabilities"])
                + of_service("CapabilityAdd")
                + of_service("CapabilityDrop"),
        ),
        (Counted::Networks, len(networks) + len(member(task, "Networks")) + len(member(facts.service(), "Networks"))),
        (Counted::Ports, ports(facts)),
        (Counted::Names, if facts.operation.starts_with("Plugin") { len(facts.body) } else { 0 }),
    ];
    counts.into_iter().find(|(counted, count)| *count > counted.most()).map(|(counted, _)| too_many(counted))
}

/// Only as many mounts as may be have options that are looked through, and of those no more than is needed to tell.
fn folders_in_options(facts: Facts<'_>) -> Option<String> {
    let count = options(facts).map(folders).try_fold(0_usize, |sum, count| {
        let sum = sum.saturating_add(count);
        (sum <= FOLDERS).then_some(sum)
    });
    count
        .is_none()
        .then(|| format!("the call names too many folders and options of volumes; at most {FOLDERS} are taken"))
}

fn lengths(facts: Facts<'_>) -> Option<String> {
    let too_long = |what: &str, value: Option<Value<'_>>, most: usize| {
        let length = longest(value?, most);
        (length > most).then(|| format!("{what} has a text of {length} bytes; at most {most} are taken"))
    };
    let (host, body) = (facts.host_config(), facts.body);
    let [binds, others @ ..] = mounts(facts);
    too_long("`HostConfig.Binds`", binds, BIND)
        .or_else(|| others.into_iter().find_map(|mounts| too_long("a mount", mounts, PATH)))
        .or_else(|| too_long("`HostConfig.VolumeDriver`", member(host, "VolumeDriver"), PATH))
        .or_else(|| too_long("`HostConfig.Devices`", member(host, "Devices"), PATH))
        .or_else(|| too_long("`HostConfig.PortBindings`", member(host, "PortBindings"), PORT))
        .or_else(|| too_long("`ExposedPorts`", member(facts.container(), "ExposedPorts"), PORT))
        .or_else(|| {
            let of_volume = if facts.operation == "VolumeCreate" { ["Name", "Driver", "DriverOpts"] } else { [""; 3] };
            of_volume.into_iter().find_map(|name| too_long("the volume", member(body, name), PATH))
        })
}

/// All lists of mounts, binds first.
fn mounts<'a>(facts: Facts<'a>) -> [Option<Value<'a>>; 6] {
    let host = facts.host_config();
    let of_host = |name| member(host, name);
    let volumes = member(facts.container(), "Volumes");
    let of_service = member(facts.service_container(), "Mounts");
    [of_host("Binds"), of_host("Mounts"), of_host("VolumesFrom"), of_host("Tmpfs"), volumes, of_service]
}

/// The options of all volumes' drivers.
fn options<'a>(facts: Facts<'a>) -> impl Iterator<Item = &'a str> {
    let lists = [member(facts.host_config(), "Mounts"), member(facts.service_container(), "Mounts")];
    let of_mounts = lists.into_iter().flat_map(items).map(|mount| {
        let driver = member(member(Some(mount), "VolumeOptions"), "DriverConfig");
        member(driver, "Options")
    });
    let of_volume = if facts.operation == "VolumeCreate" { member(facts.body, "DriverOpts") } else { None };
    of_mounts.chain([of_volume]).flat_map(members).map(|(_, value)| text(Some(value)))
}

/// As many folders as an option can name, times its own parts: an overlay has one after each colon.
fn folders(option: &str) -> usize {
    let count = |wanted: u8| 1 + option.bytes().filter(|byte| *byte == wanted).count();
    count(b':') * count(b',')
}

fn ports(facts: Facts<'_>) -> usize {
    let bindings = members(member(facts.host_config(), "PortBindings")).map(|(_, bindings)| len(Some(bindings)).max(1));
    let of_service = member(member(facts.service(), "EndpointSpec"), "Ports");
    bindings.sum::<usize>() + len(member(facts.container(), "ExposedPorts")) + len(of_service)
}

fn len(value: Option<Value<'_>>) -> usize {
    value.and_then(Value::len).unwrap_or_default()
}

/// The length of the first text that is longer than this, or of the longest one. Labels are in no view.
fn longest(value: Value<'_>, most: usize) -> usize {
    let (mut left, mut longest) = (vec![value], 0);
    while let Some(value) = left.pop() {
        match value.kind() {
            Kind::Text => longest = longest.max(text(Some(value)).len()),
            Kind::List => left.extend(value.items()),
            Kind::Object => {
                for (key, value) in value.members().filter(|(key, _)| *key != "Labels") {
                    longest = longest.max(key.len());
                    left.push(value);
                }
            }
            Kind::Null | Kind::Boolean | Kind::Number => {}
        }
        if longest > most {
            break;
        }
    }
    longest
}

#[cfg(test)]
mod tests;
