//! What came into being, as the daemon itself keeps it: read from its data folder, past every plugin and every answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Doing, Error, Result};

/// A daemon's data folder.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    allowed: Allowed,
}

/// What may be mounted, by the settings of `bind-mounts`.
#[derive(Debug)]
struct Allowed {
    to_read: PathBuf,
    to_write: PathBuf,
}

/// What there is, by ID or name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub containers: BTreeSet<String>,
    pub volumes: BTreeSet<String>,
}

// === impl Disk ===

impl Disk {
    /// The data folder of the daemon on this socket. Of the folder `host`, `www` may be mounted to be read and
    /// `scratch` to be written.
    pub fn of(socket: &Path, host: &Path) -> Self {
        let allowed = Allowed { to_read: host.join("www"), to_write: host.join("scratch") };
        Self { root: socket.with_file_name("data"), allowed }
    }

    pub fn made(&self) -> Result<Made> {
        let folders = |name: &str| -> Result<BTreeSet<String>> {
            let path = self.root.join(name);
            let entries = fs::read_dir(&path).doing_to("listing", &path)?.flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            Ok(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        };
        Ok(Made { containers: folders("containers")?, volumes: folders("volumes")? })
    }

    /// A container's `HostConfig`.
    pub fn host_config(&self, container: &str) -> Result<Value> {
        self.json(&format!("containers/{container}/hostconfig.json"))
    }

    /// The folders of the host that a container has, by whatever spelling.
    pub fn mounts(&self, container: &str) -> Result<Vec<(String, bool)>> {
        let config = self.json(&format!("containers/{container}/config.v2.json"))?;
        let points = config.get("MountPoints").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::values);
        let binds = points.filter(|point| point.get("Type").and_then(Value::as_str) == Some("bind"));
        let source = |point: &Value| point.get("Source").and_then(Value::as_str).unwrap_or_default().to_owned();
        let writable = |point: &Value| point.get("RW").and_then(Value::as_bool) != Some(false);
        Ok(binds.map(|point| (source(point), writable(point))).collect())
    }

    /// What a volume mounts, if it is not one of the daemon's own, and with which options.
    pub fn device(&self, volume: &str) -> Result<Option<(String, String)>> {
        if !self.root.join("volumes").join(volume).join("opts.json").exists() {
            return Ok(None);
        }
        let options = self.json(&format!("volumes/{volume}/opts.json"))?;
        let option = |name| options.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, device, flags) = (option("MountType"), option("MountDevice"), option("MountOpts"));
        // Memory has no device, whatever it is said to have.
        let mounts = !device.is_empty() && (kind != "tmpfs" || flags.contains("bind"));
        Ok(mounts.then_some((device, flags)))
    }

    /// Why the policies would not have any of this.
    pub fn forbidden(&self, made: &Made) -> Result<Vec<String>> {
        let mut reasons = Vec::new();
        for container in &made.containers {
            let config = self.host_config(container)?;
            reasons.extend(powers(&config).map(|reason| format!("container {container}: {reason}")));
            for (source, writable) in self.mounts(container)? {
                let bad = !self.allowed.covers(&source, writable);
                reasons.extend(bad.then(|| format!("container {container} mounts {source}")));
            }
        }
        for volume in &made.volumes {
            let Some((device, options)) = self.device(volume)? else { continue };
            let is_bind = options.split(',').any(|option| matches!(option, "bind" | "rbind"));
            let read_only = options.split(',').rfind(|option| matches!(*option, "ro" | "rw")) == Some("ro");
            let bad = !is_bind || !self.allowed.covers(&device, !read_only);
            reasons.extend(bad.then(|| format!("volume {volume} is {device}")));
        }
        Ok(reasons)
    }

    fn json(&self, path: &str) -> Result<Value> {
        let path = self.root.join(path);
        let text = fs::read(&path).doing_to("reading", &path)?;
        serde_json::from_slice(&text).map_err(|error| Error::Unexpected(format!("`{}`: {error}", path.display())))
    }
}

// === impl Made ===

impl Made {
    /// What is here and was not there.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            containers: self.containers.difference(&before.containers).cloned().collect(),
            volumes: self.volumes.difference(&before.volumes).cloned().collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.volumes.is_empty()
    }

    /// The only container.
    pub fn container(&self) -> Result<&str> {
        only(&self.containers)
    }

    /// The only volume.
    pub fn volume(&self) -> Result<&str> {
        only(&self.volumes)
    }
}

fn only(names: &BTreeSet<String>) -> Result<&str> {
    let mut all = names.iter();
    match (all.next(), all.next()) {
        (Some(name), None) => Ok(name),
        _ => Err(Error::Unexpected(format!("{} came into being, and not one", names.len()))),
    }
}

// === impl Allowed ===

impl Allowed {
    /// What lies in the folder that may be written can be replaced, and so can a link that leads elsewhere from there. What is
    /// not there would be made.
    fn covers(&self, path: &str, writable: bool) -> bool {
        let is_replaceable = path.strip_prefix(&*self.to_write.to_string_lossy()).is_some_and(|rest| !rest.is_empty());
        let Ok(there) = Path::new(path).canonicalize() else { return false };
        !is_replaceable && (there == self.to_write || !writable && there.starts_with(&self.to_read))
    }
}

/// What the policies forbid of a `HostConfig`, but for mounts.
fn powers(config: &Value) -> impl Iterator<Item = String> {
    let is_set = |name: &str| match config.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::Bool(true) | Value::Number(_)) => true,
    };
    let set = ["Privileged", "CapAdd", "Devices", "DeviceCgroupRules", "DeviceRequests", "Sysctls", "CgroupParent"];
    let set = set.into_iter().filter(move |name| is_set(name)).map(str::to_owned);
    let runtime = config.get("Runtime").and_then(Value::as_str).unwrap_or_default();
    let other_runtime = (!matches!(runtime, "" | "runc")).then(|| format!("Runtime {runtime}"));

    // `CgroupnsMode` is left out: the daemon itself sets it to `host` where control groups are of version 1.
    let modes = ["PidMode", "IpcMode", "UTSMode", "UsernsMode", "NetworkMode"];
    let mode = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
    let shared = modes.into_iter().filter(move |name| mode(name) == "host" || mode(name).starts_with("container:"));
    let shared = shared.map(move |name| format!("{name} {}", mode(name)));

    let paths = ["MaskedPaths", "ReadonlyPaths"];
    let count = |name: &str| config.get(name).and_then(Value::as_array).map(Vec::len);
    let laid_open = paths.into_iter().filter(move |name| count(name).is_some_and(|count| count < 5));
    let laid_open = laid_open.map(|name| format!("{name} are emptied"));

    let options = config.get("SecurityOpt").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let unconfined = options.filter(|option| {
        let profile = option.strip_prefix("seccomp").unwrap_or("= SCMP_ACT_ERRNO");
        !profile.contains("SCMP_ACT_ERRNO") || profile.contains("SCMP_ACT_ALLOW")
    });
    set.chain(other_runtime).chain(shared).chain(laid_open).chain(unconfined.map(str::to_owned))
}
