//! One path, followed to where it leads.

use std::fs;
use std::path::{Component, Path, PathBuf};

use portcullis_docker::Resolved;

/// As many as the kernel follows.
const MAX_SYMLINKS: usize = 40;
/// `PATH_MAX`, with the NUL at its end.
const MAX_PATH: usize = 4096;

/// Follows every symlink and `..`; what does not exist yet is taken as it is written, below the deepest folder that
/// does. None where it cannot be told: a path that is not absolute or too long, a loop, a folder that may not be read, a link of
/// `/proc`, or a place that `may_ask` refuses. It is asked before each call of the kernel.
pub(super) fn resolve(path: &Path, may_ask: &mut dyn FnMut(&Path) -> bool) -> Option<Resolved> {
    if !path.is_absolute() || path.as_os_str().len() >= MAX_PATH {
        return None;
    }
    let mut resolved = PathBuf::from("/");
    let mut left: Vec<PathBuf> = parts(path);
    let (mut links, mut symlinks) = (Vec::new(), 0);
    // How many of the last parts of `resolved` do not exist.
    let mut missing = 0_usize;
    while let Some(part) = left.pop() {
        if part.as_os_str() == ".." {
            add(&mut links, &resolved)?;
            resolved.pop();
            missing = missing.saturating_sub(1);
            continue;
        }
        let next = resolved.join(&part);
        if !may_ask(&next) {
            return None;
        }
        match fs::symlink_metadata(&next) {
            // What leads on from `/proc/self` is another thing in the daemon than here.
            Ok(metadata) if metadata.is_symlink() && resolved.starts_with("/proc") => return None,
            Ok(metadata) if metadata.is_symlink() => {
                symlinks += 1;
                if symlinks > MAX_SYMLINKS {
                    return None;
                }
                let target = fs::read_link(&next).ok()?;
                add(&mut links, &next)?;
                if target.is_absolute() {
                    resolved = PathBuf::from("/");
                }
                left.extend(parts(&target));
            }
            Ok(_) => resolved = next,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                resolved = next;
                missing += 1;
            }
            Err(_) => return None,
        }
    }
    Some(Resolved { path: text(resolved)?, links, missing: missing > 0 })
}

/// Something that must not be replaced, once.
fn add(places: &mut Vec<String>, place: &Path) -> Option<()> {
    let place = place.to_str()?;
    if place != "/" && !places.iter().any(|known| known == place) {
        places.push(place.to_owned());
    }
    Some(())
}

fn text(path: PathBuf) -> Option<String> {
    path.into_os_string().into_string().ok()
}

/// A path's parts, the last one first.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().rev().filter_map(|component| match component {
        Component::Normal(part) => Some(PathBuf::from(part)),
        Component::ParentDir => Some(PathBuf::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn symlinks_and_dots_are_followed_and_missing_tails_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(dir.path()).expect("resolved");
        fs::create_dir_all(root.join("real/deep")).expect("made");
        symlink("real", root.join("relative")).expect("linked");
        symlink(root.join("real/deep"), root.join("absolute")).expect("linked");
        symlink("loop", root.join("loop")).expect("linked");
        symlink("../missing/there", root.join("real/dangling")).expect("linked");
        let at = |path: &str| text(root.join(path)).expect("is UTF-8");
        let cases: [(&str, &str, &[&str], bool); 9] = [
            ("real/deep", "real/deep", &[], false),
            ("relative/deep", "real/deep", &["relative"], false),
            ("absolute/..", "real", &["absolute", "real/deep"], false),
            ("real/../relative/./deep/", "real/deep", &["real", "relative"], false),
            ("absolute/not/yet", "real/deep/not/yet", &["absolute"], true),
            ("real/not/yet/..", "real/not", &["real/not/yet"], true),
            ("real/not/yet/../..", "real", &["real/not/yet", "real/not"], false),
            ("missing/../relative/deep", "real/deep", &["missing", "relative"], false),
            ("real/dangling/x", "missing/there/x", &["real/dangling", "real"], true),
        ];
        let resolve = |path: &Path| resolve(path, &mut |_| true);
        for (path, led, links, missing) in cases {
            let links = links.iter().map(|link| at(link)).collect();
            assert_eq!(resolve(&root.join(path)), Some(Resolved { path: at(led), links, missing }), "{path}");
        }
        assert_eq!(resolve(&root.join("loop/x")), None);
        assert_eq!(resolve(Path::new("relative")), None);
        assert_eq!(resolve(Path::new("/proc/self/cwd/x")), None);
        assert_eq!(resolve(Path::new("/proc/sys")), Some(Resolved::plain("/proc/sys")));
        assert_eq!(resolve(Path::new("/../..")), Some(Resolved::plain("/")));
        let up = "/..".repeat(MAX_PATH / 3);
        assert_eq!(resolve(Path::new(&up)), Some(Resolved::plain("/")));
        assert_eq!(resolve(Path::new(&format!("{up}/.."))), None, "the kernel takes no longer one");
    }

    #[test]
    fn a_place_that_must_not_be_asked_ends_the_walk() {
        let mut asked = Vec::new();
        let resolved = resolve(Path::new("/usr/../etc/hosts/x"), &mut |place| {
            asked.push(place.to_owned());
            place != Path::new("/etc/hosts")
        });
        assert_eq!(resolved, None);
        assert_eq!(asked, ["/usr", "/etc", "/etc/hosts"].map(PathBuf::from));
    }
}
