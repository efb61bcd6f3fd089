//! The paths of a host, as a case imagines them: all of them exist, and some are symlinks.

use std::collections::{BTreeMap, VecDeque};

use portcullis_docker::Resolved;

/// As the kernel: a path that needs more symlinks than this leads nowhere.
const MAX_LINKS: u32 = 40;

/// Where paths lead, by the path of the symlink; empty where nothing is there, none where it cannot be found out.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths(BTreeMap<String, Option<String>>);

impl Paths {
    pub(super) fn new(links: BTreeMap<String, Option<String>>) -> Self {
        Self(links)
    }

    pub(super) fn follow(&self, path: &str) -> Option<Resolved> {
        let mut rest: VecDeque<String> = path.strip_prefix('/')?.split('/').map(str::to_owned).collect();
        let (mut resolved, mut links, mut followed) = (String::new(), Vec::new(), 0);
        while let Some(name) = rest.pop_front() {
            match &*name {
                "" | "." => continue,
                ".." => {
                    if !resolved.is_empty() && !links.contains(&resolved) {
                        links.push(resolved.clone());
                    }
                    let parent = resolved.rfind('/').unwrap_or(0);
                    resolved.truncate(parent);
                    continue;
                }
                name => resolved = format!("{resolved}/{name}"),
            }
            let Some(target) = self.0.get(&resolved) else { continue };
            let target = target.as_ref().filter(|_| followed < MAX_LINKS)?;
            if target.is_empty() {
                continue;
            }
            followed += 1;
            links.push(resolved.clone());
            let parent = if target.starts_with('/') { 0 } else { resolved.rfind('/').unwrap_or(0) };
            resolved.truncate(parent);
            for name in target.split('/').rev() {
                rest.push_front(name.to_owned());
            }
        }
        let path = if resolved.is_empty() { "/".to_owned() } else { resolved };
        let missing = self.0.iter().any(|(missing, target)| {
            target.as_deref() == Some("") && path.strip_prefix(&**missing).is_some_and(is_tail)
        });
        Some(Resolved { path, links, missing })
    }
}

/// Whether this is what follows a path in a path below it.
fn is_tail(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_followed_as_the_kernel_does() {
        let link = |(from, to): (&str, Option<&str>)| (from.to_owned(), to.map(str::to_owned));
        let links = [
            ("/srv/link", Some("/etc")),
            ("/srv/beside", Some("data/x")),
            ("/srv/chain", Some("link/ssh")),
            ("/srv/up", Some("..")),
            ("/loop", Some("/loop")),
            ("/hidden", None),
            ("/srv/new", Some("")),
        ];
        let paths = Paths::new(links.map(link).into());
        let followed = |path: &str| paths.follow(path);
        let led = |path: &str, links: &[&str], missing: bool| {
            Some(Resolved { path: path.to_owned(), links: links.iter().map(ToString::to_string).collect(), missing })
        };
        assert_eq!(followed("/srv/chain"), led("/etc/ssh", &["/srv/chain", "/srv/link"], false));
        assert_eq!(followed("/srv/a/../b/."), led("/srv/b", &["/srv/a"], false));
        assert_eq!(followed("/srv/new/x"), led("/srv/new/x", &[], true));
        assert_eq!(followed("/srv/newer"), led("/srv/newer", &[], false));
        let cases = [
            ("/", Some("/")),
            ("/srv/data/", Some("/srv/data")),
            ("/srv/./data//x/../y", Some("/srv/data/y")),
            ("/srv/link", Some("/etc")),
            ("/srv/link/passwd", Some("/etc/passwd")),
            ("/srv/link/../root", Some("/root")),
            ("/srv/beside", Some("/srv/data/x")),
            ("/srv/chain", Some("/etc/ssh")),
            ("/srv/up", Some("/")),
            ("/../..", Some("/")),
            ("/loop/x", None),
            ("/hidden/x", None),
            ("relative", None),
        ];
        for (path, expected) in cases {
            assert_eq!(followed(path).map(|led| led.path).as_deref(), expected, "{path}");
        }
    }
}
