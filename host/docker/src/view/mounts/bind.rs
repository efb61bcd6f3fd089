//! `SOURCE:TARGET[:MODE]` and `CONTAINER[:MODE]`, as moby's `daemon/volume/mounts/linux_parser.go` reads them
//! (`ParseMountRaw`, `ParseVolumesFrom`, `linuxValidMountMode`).

use portcullis_model::view::{Mount, MountKind};

use super::{MountContext, is_private, listed, some};

/// What a mode says, if the daemon takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mode<'a> {
    read_only: bool,
    propagation: Option<&'a str>,
    no_copy: bool,
}

/// One that the daemon would refuse is of another kind.
pub(super) fn mount(bind: &str, driver: &str, place: MountContext) -> Mount {
    parse(bind, driver, place).unwrap_or_else(|| Mount::new(MountKind::Other, bind, ""))
}

fn parse(bind: &str, driver: &str, place: MountContext) -> Option<Mount> {
    let mut parts = bind.split(':');
    let (first, second, third) = (parts.next()?, parts.next(), parts.next());
    if parts.next().is_some() {
        return None;
    }
    let text = third.unwrap_or_default();
    let mode = Mode::parse(text)?;
    let (source, target) = match second {
        None => ("", first),
        // A target that is a mode: `data:ro`.
        Some(target) if third.is_none() && Mode::parse(target).is_some() => return None,
        Some(target) => (first, target),
    };
    let is_bind = source.starts_with('/');
    let kind = if is_bind { MountKind::Bind } else { MountKind::Volume };
    Some(Mount {
        read_only: mode.read_only,
        read_only_recursive: is_bind && mode.read_only && place.is_recursive && is_private(mode.propagation),
        propagation: mode.propagation.map(str::to_owned),
        driver: if is_bind { None } else { some(driver) },
        options: listed(text),
        makes_volume: !is_bind,
        copies_image: !is_bind && !mode.no_copy,
        makes_source: is_bind,
        ..Mount::new(kind, source, target)
    })
}

/// All mounts of a container, with their modes or read-only.
pub(super) fn volumes_from(from: &str) -> Mount {
    let (name, text) = from.split_once(':').unwrap_or((from, ""));
    let mode = Mode::parse(text).filter(|mode| mode.propagation.is_none() && !mode.no_copy).unwrap_or_default();
    Mount { read_only: mode.read_only, options: listed(text), ..Mount::new(MountKind::Container, name, "") }
}

// === impl Mode ===

impl<'a> Mode<'a> {
    /// None where it has a word that the daemon does not know, or two of one sort: it refuses both.
    fn parse(text: &'a str) -> Option<Self> {
        let mut mode = Self::default();
        let mut seen = [false; 5];
        for word in text.split(',').filter(|_| !text.is_empty()) {
            let sort = match word {
                "ro" | "rw" => 0,
                "z" | "Z" => 1,
                "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => 2,
                "nocopy" => 3,
                "consistent" | "cached" | "delegated" => 4,
                _ => return None,
            };
            if std::mem::replace(seen.get_mut(sort)?, true) {
                return None;
            }
            mode.read_only |= word == "ro";
            mode.no_copy |= word == "nocopy";
            mode.propagation = mode.propagation.or((sort == 2).then_some(word));
        }
        Some(mode)
    }
}
