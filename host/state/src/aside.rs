//! Where a damaged store goes: beside its place, under a name that says so. Nothing is overwritten or deleted.
//!
//! While `state.redb.damaged-TIME` is there and no `state.redb`, there is no store: an empty one in its place would
//! forget quotas and locks without anybody's word. The operator gives that word by a backup as `state.redb`, or by
//! giving the damaged file another name, which is what [`accept_loss`] does.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const FILE: &str = "state.redb";
const DAMAGED: &str = "state.redb.damaged-";
const LOST: &str = "state.redb.lost-";

/// Moves the damaged store out of its place. What the operator must know is the answer.
pub(crate) fn set_aside(dir: &Path, file: &fs::File, damage: &str) -> String {
    match moved(dir, file) {
        Ok(Some(name)) => notice(dir, &name, Some(damage)),
        Ok(None) => format!("`{}` was damaged ({damage}) and is no longer in its place", dir.join(FILE).display()),
        Err(error) => {
            let path = dir.join(FILE);
            format!("`{}` is damaged ({damage}) and could not be set aside: {error}", path.display())
        }
    }
}

/// What the operator must know of a store that was set aside before, and that nothing has taken the place of.
pub(crate) fn standing(dir: &Path) -> io::Result<Option<String>> {
    if dir.join(FILE).try_exists()? {
        return Ok(None);
    }
    Ok(damaged(dir)?.last().map(|name| notice(dir, name, None)))
}

/// Gives all damaged files names that stand in no store's way: those are the answer.
pub(crate) fn accept_loss(dir: &Path) -> io::Result<Vec<String>> {
    let rename = |name: &String| {
        let time = name.strip_prefix(DAMAGED).unwrap_or(name);
        rename_to_new(dir, name, &format!("{LOST}{time}"))
    };
    damaged(dir)?.iter().map(rename).collect()
}

/// None where another file has its place by now.
fn moved(dir: &Path, file: &fs::File) -> io::Result<Option<String>> {
    let ours = file.metadata()?;
    let there = match fs::symlink_metadata(dir.join(FILE)) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) {
        return Ok(None);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    rename_to_new(dir, FILE, &format!("{DAMAGED}{now}")).map(Some)
}

/// Gives a file a name that no other has: `to`, or one that begins with it.
fn rename_to_new(dir: &Path, from: &str, to: &str) -> io::Result<String> {
    let mut name = to.to_owned();
    let mut taken = 0_u32;
    // An empty file holds the name, so that what is renamed replaces nothing else.
    while let Err(error) = fs::File::create_new(dir.join(&name)) {
        if error.kind() != ErrorKind::AlreadyExists {
            return Err(error);
        }
        taken += 1;
        name = format!("{to}.{taken}");
    }
    if let Err(error) = fs::rename(dir.join(from), dir.join(&name)) {
        // It holds nothing but the name.
        let _ = fs::remove_file(dir.join(&name));
        return Err(error);
    }
    // Which name it has matters only after a crash, and then both names say enough.
    let _ = fs::File::open(dir).and_then(|dir| dir.sync_all());
    Ok(name)
}

/// The names of the files that were set aside, the oldest first.
fn damaged(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        names.extend(name.to_str().filter(|name| name.starts_with(DAMAGED)).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

fn notice(dir: &Path, name: &str, damage: Option<&str>) -> String {
    let damage = damage.map(|damage| format!(" ({damage})")).unwrap_or_default();
    format!(
        "`{}` was damaged{damage} and set aside as `{name}`: put a backup in its place and start again, or accept an \
         empty store with `portcullis state reset`",
        dir.join(FILE).display()
    )
}
