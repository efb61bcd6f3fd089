//! Which folders of the host may be mounted, and which of them only to be read.

mod rules;

use portcullis_policy::view::{Mount, MountKind};
use portcullis_policy::{Document, Request, Verdict, policy, settings};

use crate::rules::Rules;

policy!(decide);

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    let mounts = request.mounts();
    if mounts.is_empty() {
        return Verdict::allow();
    }
    let settings = settings();
    let rules = Rules::of(&settings);
    match mounts.iter().find_map(|mount| objection_to(mount, &rules, &settings)) {
        Some(reason) => Verdict::deny(reason),
        None => Verdict::allow(),
    }
}

fn objection_to(mount: &Mount, rules: &Rules, settings: &Document) -> Option<String> {
    let source = &mount.source;
    match mount.kind {
        MountKind::Bind => objection_to_bind(mount, rules),
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
        MountKind::Cluster | MountKind::Npipe | MountKind::Other => {
            Some(format!("`{source}` is of a kind that may not be mounted"))
        }
    }
}

fn objection_to_bind(mount: &Mount, rules: &Rules) -> Option<String> {
    let source = &mount.source;
    let Some(path) = &mount.resolved else {
        return Some(format!("where `{source}` leads on the host cannot be found out"));
    };
    let name = if path == source { format!("`{source}`") } else { format!("`{source}`, which is `{path}`,") };
    let Some(rule) = rules.rule_for(path) else {
        return Some(format!("{name} may not be mounted"));
    };
    if !mount.read_only && !rules.may_write(path) {
        return Some(format!("{name} may only be mounted read-only"));
    }
    let shared = matches!(mount.propagation.as_deref(), Some("shared" | "rshared"));
    (shared && !rule.shared).then(|| format!("{name} may not be mounted so that the host sees new mounts in it"))
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::decide;

    #[test]
    fn cases() {
        testing::run_cases(decide);
    }
}
