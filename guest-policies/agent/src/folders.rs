//! Folders of projects: `/srv/projects/*` is each folder in `/srv/projects`, `/home/ci/build` that folder.

/// What no project may be, or be in: the kernel's, Docker's, and what runs the host.
const NEVER_IN: [&str; 15] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/portcullis",
    "/var/run",
];

/// Whether a path is a project, or lies in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Project,
    Inside,
    Outside,
}

pub(crate) fn place(path: &str, projects: &[String]) -> Place {
    let places = projects.iter().map(|project| of_one(path, project));
    places.fold(Place::Outside, |best, place| match (best, place) {
        (Place::Project, _) | (_, Place::Project) => Place::Project,
        (Place::Inside, _) | (_, Place::Inside) => Place::Inside,
        (Place::Outside, Place::Outside) => Place::Outside,
    })
}

fn of_one(path: &str, project: &str) -> Place {
    let (folder, is_unit) = match project.strip_suffix("/*") {
        Some(folder) => (folder, true),
        None => (project, false),
    };
    match (below(path, folder), is_unit) {
        (None, _) | (Some(""), true) => Place::Outside,
        (Some(""), false) => Place::Project,
        (Some(rest), true) if !rest.contains('/') => Place::Project,
        (Some(_), _) => Place::Inside,
    }
}

/// What follows `folder` in a path that is it or lies in it.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// What is wrong with an item of the setting `projects`.
pub(crate) fn problem(project: &str) -> Option<String> {
    let folder = project.strip_suffix("/*").unwrap_or(project);
    let mut parts = folder.split('/');
    let is_path = parts.next() == Some("") && parts.all(|part| !matches!(part, "" | "." | "..") && !part.contains('*'));
    if !is_path || folder.is_empty() {
        return Some("give a path as `realpath` prints it, with `/*` at its end for each folder in it".to_owned());
    }
    let near = NEVER_IN.iter().find(|place| below(folder, place).is_some() || below(place, folder).is_some());
    near.map(|place| format!("the host's own `{place}` may not be in a project, or a project in it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_each_folder_in_a_folder() {
        let projects = ["/srv/projects/*".to_owned(), "/home/ci/build".to_owned()];
        for (path, expected) in [
            ("/srv/projects/a", Place::Project),
            ("/srv/projects/a/b", Place::Inside),
            ("/srv/projects", Place::Outside),
            ("/srv", Place::Outside),
            ("/", Place::Outside),
            ("/srv/projects2/a", Place::Outside),
            ("/home/ci/build", Place::Project),
            ("/home/ci/build/x", Place::Inside),
            ("/home/ci/build2", Place::Outside),
            ("/home/ci", Place::Outside),
        ] {
            assert_eq!(place(path, &projects), expected, "{path}");
        }
    }

    #[test]
    fn the_host_is_no_project() {
        for project in
            ["/srv/projects/*", "/srv", "/home/*", "/home/ci/build", "/root/work", "/var/lib/gitlab-runner/builds/*"]
        {
            assert_eq!(problem(project), None, "{project}");
        }
        for project in [
            "",
            "/",
            "/*",
            "srv",
            "/srv/",
            "/srv//a",
            "/srv/../etc",
            "/srv/*/a",
            "/srv/a*",
            "/run",
            "/run/x",
            "/var",
            "/var/*",
            "/var/run",
            "/var/lib",
            "/var/lib/docker/volumes/*",
            "/etc",
            "/etc/x",
            "/proc/1/root",
        ] {
            assert!(problem(project).is_some(), "{project}");
        }
    }
}
