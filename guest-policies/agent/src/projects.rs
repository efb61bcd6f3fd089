//! Which folders of the host containers get, and what they may make in them.
//!
//! Who writes a project on the host and runs containers with it must not become another user of the host by it: root in a
//! container could make a program there that belongs to root and runs as its owner (setuid), or a device. So a container
//! that may write a project runs as a user of the settings' and gains no privileges, or the operator has mounted the projects'
//! file system with `nosuid,nodev`.

use std::borrow::Cow;

use pod_security::controls::{mounts, users};
use pod_security::{Call, Control, Kind, Objection};
use portcullis_policy::Document;
use portcullis_policy::view::{Mount, MountKind};

use crate::folders::{self, Place};

pub(crate) const PROJECTS: Control =
    Control { name: "projects", of: &[Kind::Create, Kind::Service, Kind::VolumeCreate], objection: outside };
pub(crate) const SETUID: Control =
    Control { name: "setuid", of: &[Kind::Create, Kind::Service, Kind::CopyIn], objection: may_make_setuid };
pub(crate) const EXEC: Control = Control { name: "exec-root", of: &[Kind::Exec], objection: exec_as_another };

/// Checks the settings.
pub(crate) fn check(settings: &Document) -> Result<(), String> {
    for project in settings.texts("/projects").unwrap_or_default() {
        if let Some(problem) = folders::problem(&project) {
            return Err(format!("`projects` has `{project}`: {problem}"));
        }
    }
    let is_user = |text: &str| {
        let number = |part: &str| part.parse::<u32>().is_ok_and(|id| id > 0) && !part.starts_with('+');
        text.split_once(':').is_some_and(|(user, group)| number(user) && number(group))
    };
    match settings.texts("/users").unwrap_or_default().iter().find(|text| !is_user(text)) {
        Some(wrong) => Err(format!("`users` has `{wrong}`; write a user and a group, both by number: `1000:1000`")),
        None => Ok(()),
    }
}

fn outside(call: &Call<'_>) -> Objection {
    let of_mount = |mount: &Mount| {
        if mount.kind == MountKind::Bind { of_bind(call, mount) } else { mounts::unknown_file_system(mount) }
    };
    call.mounts().iter().find_map(of_mount)
}

fn of_bind(call: &Call<'_>, mount: &Mount) -> Objection {
    let source = &mount.source;
    if call.kind == Kind::VolumeCreate || mount.makes_volume {
        return Some(
            format!(
                "a volume may not be the folder `{source}` of the host; mount the folder itself, `-v {source}:/path`"
            )
            .into(),
        );
    }
    let Some(path) = &mount.resolved else {
        return Some(
            format!("where `{source}` leads on the host cannot be found out; mount the project's folder").into(),
        );
    };
    let projects = call.list("projects").unwrap_or_default();
    let takes_inside = call.says("inside");
    match folders::place(path, &projects) {
        Place::Project => {}
        Place::Inside if takes_inside => {}
        Place::Inside => {
            return Some(
                format!("`{source}` may not be mounted alone, because it could be replaced by a link; mount the whole project").into(),
            );
        }
        Place::Outside => return Some(not_a_project(source, &projects)),
    }
    if path.ends_with(".sock") {
        return Some(
            format!("the socket `{source}` may not be mounted; use the Docker of the host from outside").into(),
        );
    }
    let is_known = |link: &String| {
        call.lists_or("symlinks", &["/var/run"], link)
            || takes_inside && folders::place(link, &projects) != Place::Outside
    };
    if let Some(link) = mount.links.iter().find(|link| !is_known(link)) {
        return Some(
            format!("`{source}` leads through the link `{link}`; give the path that `realpath` prints").into(),
        );
    }
    if mount.missing {
        return Some(format!("`{source}` does not exist, and Docker would make it as root; make it first").into());
    }
    let is_shared = matches!(mount.propagation.as_deref(), Some("shared" | "rshared"));
    is_shared.then(|| format!("`{source}` may not be mounted `shared`; leave out the propagation").into())
}

fn not_a_project(source: &str, projects: &[String]) -> Cow<'static, str> {
    if projects.is_empty() {
        return format!(
            "`{source}` may not be mounted, because the settings list no projects; use a volume, `-v NAME:/path`"
        )
        .into();
    }
    format!("`{source}` is no project; mount one of {}, or use a volume, `-v NAME:/path`", projects.join(", ")).into()
}

fn may_make_setuid(call: &Call<'_>) -> Objection {
    let written = call.mounts().iter().find(|mount| mount.kind == MountKind::Bind && !mount.read_only)?;
    if call.says("nosuid_nodev") {
        return None;
    }
    if call.kind == Kind::CopyIn {
        return Some(
            "files may not be copied into a container with a project, because the daemon writes them as root; write them into the \
             project"
                .into(),
        );
    }
    let users = call.list("users").unwrap_or_default();
    let runs_as = call.request.run_as();
    let is_listed = runs_as.is_some_and(|user| users.contains(&user));
    let has_no_groups = call.container().is_some_and(|container| container.groups.is_empty());
    if is_listed && has_no_groups && users::gains_no_privileges(call) {
        return None;
    }
    let source = &written.source;
    Some(match users.first() {
        Some(user) => format!(
            "a container that may write `{source}` must be run with `--user {user} --security-opt no-new-privileges` and without \
             `--group-add`; or mount it read-only, `-v {source}:/path:ro`"
        )
        .into(),
        None => format!("`{source}` may only be mounted read-only, `-v {source}:/path:ro`").into(),
    })
}

/// Who may write a project may be nobody but a user of the settings', after the start, too.
fn exec_as_another(call: &Call<'_>) -> Objection {
    let user = call.request.run_as()?;
    let users = call.list("users").filter(|users| !users.is_empty())?;
    if users.contains(&user) || call.says("nosuid_nodev") {
        return None;
    }
    Some(format!("an exec may not choose another user; leave out `--user`, or give {}", users.join(", ")).into())
}
