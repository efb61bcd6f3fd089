//! The paths of a host, as a case imagines them: all of them exist, and some are symlinks.

use std::collections::{BTreeMap, VecDeque};

/// As the kernel: a path that needs more symlinks than this leads nowhere.
const MAX_LINKS: u32 = 40;

/// Where paths lead, by the path of the symlink; none where it cannot be found out.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths(BTreeMap<String, Option<String>>);

impl Paths {
    pub(super) fn new(links: BTreeMap<String, Option<String>>) -> Self {
        Self(links)
    }

    /// An absolute path without symlinks, `.` and `..`.
    pub(super) fn follow(&self, path: &str) -> Option<String> {
        let mut rest: VecDeque<String> = path.strip_prefix('/')?.split('/').map(str::to_owned).collect();
        let mut resolved = String::new();
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            match &*name {
                "" | "." => continue,
                ".." => {
                    let parent = resolved.rfind('/').unwrap_or(0);
                    resolved.truncate(parent);
                    continue;
                }
                name => resolved = format!("{resolved}/{name}"),
            }
            let Some(target) = self.0.get(&resolved) else { continue };
            links += 1;
            let target = target.as_ref().filter(|_| links <= MAX_LINKS)?;
            let parent = if target.starts_with('/') { 0 } else { resolved.rfind('/').unwrap_or(0) };
            resolved.truncate(parent);
            for name in target.split('/').rev() {
                rest.push_front(name.to_owned());
            }
        }
        Some(if resolved.is_empty() { "/".to_owned() } else { resolved })
    }
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
        ];
        let paths = Paths::new(links.map(link).into());
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
            assert_eq!(paths.follow(path).as_deref(), expected, "{path}");
        }
    }
}
