//! The file systems that volumes of the local driver may mount.

use portcullis_policy::view::Mount;
use portcullis_policy::{Document, Kind, Value};

use crate::rules::entries;

/// Memory, whatever device it is said to have.
const TMPFS: &str = "tmpfs";

/// An entry of `file_systems`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileSystem {
    name: String,
    /// None: any.
    devices: Option<Vec<String>>,
    /// None: any.
    options: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSystems(Vec<FileSystem>);

// === impl FileSystems ===

impl FileSystems {
    /// Without the list, memory alone.
    pub(crate) fn of(settings: &Document) -> Result<Self, String> {
        let listed = entries(settings, "file_systems", FileSystem::of)?;
        let memory = || vec![FileSystem { name: TMPFS.to_owned(), devices: None, options: None }];
        Ok(Self(listed.unwrap_or_else(memory)))
    }

    pub(crate) fn objection(&self, mount: &Mount) -> Option<String> {
        let name = mount.file_system.as_deref().unwrap_or_default();
        let mut of_type = self.0.iter().filter(|entry| entry.name == name).peekable();
        if of_type.peek().is_none() {
            return Some(format!("a file system of the type `{name}` may not be mounted"));
        }
        let allowed = of_type.any(|entry| entry.has_device(&mount.source) && entry.has_options(&mount.options));
        // Options can hold passwords.
        (!allowed).then(|| {
            format!(
                "a file system of the type `{name}` may not be mounted from the device `{}` with these options",
                mount.source
            )
        })
    }
}

// === impl FileSystem ===

impl FileSystem {
    fn of(entry: &Value) -> Result<Self, String> {
        let name = entry.at(["type"]).text().ok_or("must be an object with a text `type`")?;
        let mut file_system = Self { devices: None, options: None, name };
        for (key, value) in entry.members() {
            let list = || texts(&value).ok_or_else(|| format!("must have a list of texts as `{key}`"));
            match &*key {
                "type" => {}
                "devices" => file_system.devices = Some(list()?).filter(|devices| *devices != ["*"]),
                "options" => file_system.options = Some(list()?),
                _ => return Err(format!("has `{key}`; known are `type`, `devices`, `options`")),
            }
        }
        if file_system.name != TMPFS && !entry.at(["devices"]).exists() {
            return Err(format!(
                "must say which `devices` of the type `{}` may be mounted; `[\"*\"]` is all of them",
                file_system.name
            ));
        }
        Ok(file_system)
    }

    fn has_device(&self, device: &str) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.iter().any(|known| known == device))
    }

    fn has_options(&self, options: &[String]) -> bool {
        self.options.as_ref().is_none_or(|known| options.iter().all(|option| known.contains(option)))
    }
}

fn texts(list: &Value) -> Option<Vec<String>> {
    if list.kind() == Some(Kind::Array) { list.items().map(|item| item.text()).collect() } else { None }
}
