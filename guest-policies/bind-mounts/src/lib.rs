//! Which folders of the host may be mounted, and which of them only to be read.

mod beside;
mod file_systems;
mod rules;

use portcullis_policy::settings::Setting;
use portcullis_policy::view::{Mount, MountKind};
use portcullis_policy::{Document, Request, Verdict, policy, settings};

use crate::file_systems::FileSystems;
use crate::rules::{Rule, Rules};

policy!(decide, prepare);

const SETTINGS: [Setting<'_>; 7] = [
    Setting::list("allow"),
    Setting::list("file_systems"),
    Setting::boolean("plugins"),
    Setting::boolean("swarm_join"),
    Setting::texts("symlinks"),
    Setting::texts("volume_drivers"),
    Setting::boolean("volumes_from"),
];

/// A setting that there is not, or of a wrong type: what was meant is not known.
pub fn prepare(settings: &Document) -> Result<(), String> {
    settings.check(&SETTINGS)?;
    Rules::of(settings)?;
    FileSystems::of(settings)?;
    Ok(())
}

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    let mounts = request.mounts();
    match beside::objection(request).or_else(|| objection_to_mounts(&mounts)) {
        Some(reason) => Verdict::deny(reason),
        None => Verdict::allow(),
    }
}

fn objection_to_mounts(mounts: &[Mount]) -> Option<String> {
    if mounts.is_empty() {
        return None;
    }
    let settings = settings();
    let (rules, file_systems) = match (Rules::of(&settings), FileSystems::of(&settings)) {
        (Ok(rules), Ok(file_systems)) => (rules, file_systems),
        (Err(problem), _) | (_, Err(problem)) => return Some(problem),
    };
    mounts.iter().find_map(|mount| objection_to(mount, &rules, &file_systems, &settings))
}

fn objection_to(mount: &Mount, rules: &Rules, file_systems: &FileSystems, settings: &Document) -> Option<String> {
    let source = &mount.source;
    match mount.kind {
        MountKind::Bind => objection_to_bind(mount, rules, settings),
        MountKind::FileSystem => file_systems.objection(mount),
        MountKind::Tmpfs | MountKind::Image => None,
        MountKind::Volume => {
            let driver = mount.driver.as_deref().filter(|driver| !driver.is_empty()).unwrap_or("local");
            let drivers = settings.texts("/volume_drivers").unwrap_or_else(|| vec!["local".to_owned()]);
            let known = drivers.iter().any(|allowed| allowed == driver);
            (!known).then(|| format!("volumes of the driver `{driver}` may not be mounted"))
        }
        MountKind::Container => {
            let allowed = settings.boolean("/volumes_from").unwrap_or(false);
            (!allowed).then(|| format!("the mounts of the container `{source}` may not be taken over"))
        }
        MountKind::Other => Some(format!("what `{source}` mounts cannot be told: {}", reason_of_other(mount))),
        MountKind::Cluster | MountKind::Npipe => Some(format!("`{source}` is of a kind that may not be mounted")),
    }
}

fn reason_of_other(mount: &Mount) -> &'static str {
    let mut texts = [&mount.source, &mount.target].into_iter().chain(&mount.options);
    if texts.any(|text| text.contains("{{")) {
        "Swarm expands the template in it later"
    } else {
        "its type, mode or options are not known"
    }
}

fn objection_to_bind(mount: &Mount, rules: &Rules, settings: &Document) -> Option<String> {
    let source = &mount.source;
    let Some(path) = &mount.resolved else {
        return Some(format!("where `{source}` leads on the host cannot be found out"));
    };
    let cleaned = cleaned(source);
    let name = if path == source { format!("`{source}`") } else { format!("`{source}`, which is `{path}`,") };
    let Some(rule) = rules.rule_for(path) else {
        return Some(outside(source, path, &cleaned, rules));
    };
    let swapped = std::iter::once(path).chain(&mount.links).find_map(|place| Some((place, rules.swapped_by(place)?)));
    if let Some((place, by)) = swapped {
        return Some(swappable(&name, place, by));
    }
    if let Some(link) = unknown_link(mount, rules, settings) {
        let by = if [&cleaned, source].iter().any(|written| rules::is_within(written, link)) {
            format!("`{link}`")
        } else {
            "a symlink".to_owned()
        };
        return Some(format!(
            "{name} may not be mounted by way of {by}, which the settings do not list: give the path that `realpath` prints"
        ));
    }
    if mount.missing && !rule.create {
        return Some(format!("{name} may not be mounted: it does not exist, and Docker may not make it"));
    }
    objection_to_access(mount, path, &name, rule, rules)
}

/// A reason does not tell where symlinks lead outside of what the settings list, nor whether there are any: it is told to
/// everybody who asks.
fn outside(source: &str, path: &str, cleaned: &str, rules: &Rules) -> String {
    if source != path && cleaned == path {
        format!("`{source}`, which is `{path}`, may not be mounted")
    } else if rules.rule_for(cleaned).is_some() {
        format!("`{source}` may not be mounted: a symlink leads out of what the settings list")
    } else {
        format!("`{source}` may not be mounted")
    }
}

/// As Go's `path.Clean` leaves it: without `.` and `..`, before any symlink is followed.
fn cleaned(source: &str) -> String {
    let mut parts = Vec::new();
    for part in source.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A place on the way, outside of what the settings list: it could lie in a volume, where containers write.
fn unknown_link<'m>(mount: &'m Mount, rules: &Rules, settings: &Document) -> Option<&'m String> {
    let mut outside = mount.links.iter().filter(|link| rules.rule_for(link).is_none()).peekable();
    outside.peek()?;
    let known = settings.texts("/symlinks").unwrap_or_else(|| vec!["/var/run".to_owned()]);
    outside.find(|link| !known.contains(link))
}

/// Who may write a folder may put anything in the place of what is in it, after this decision and before the mount.
fn swappable(name: &str, place: &str, by: &Rule) -> String {
    format!(
        "{name} may not be mounted: containers may write `{}`, and could put a link to any folder of the host in the place of \
         `{place}`; mount only what the settings list",
        by.source()
    )
}

fn objection_to_access(mount: &Mount, path: &str, name: &str, rule: &Rule, rules: &Rules) -> Option<String> {
    let kept = if rule.writable { rules.kept_within(path) } else { Some(rule) };
    if let Some(kept) = kept {
        let because = if kept.source() == path || !rule.writable {
            String::new()
        } else if kept.is_above(path) {
            format!(", for it lies in `{}`, which may only be read", kept.source())
        } else {
            format!(", for `{}` in it may only be read", kept.source())
        };
        if !mount.read_only {
            let how = if mount.makes_volume { ": the volume itself, by `ro` in its option `o`" } else { "" };
            return Some(format!("{name} may only be mounted read-only{because}{how}"));
        }
        if rule.submounts && !mount.read_only_recursive {
            return Some(format!(
                "{name} may only be mounted read-only{because}, and so must be what is mounted below it: use version 1.44 or \
                 later of the API, no other propagation than `rprivate`, and `bind` for `rbind`"
            ));
        }
    }
    let shared = matches!(mount.propagation.as_deref(), Some("shared" | "rshared"));
    (shared && !rule.shared).then(|| format!("{name} may not be mounted so that the host sees new mounts in it"))
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::{decide, prepare};

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }
}
