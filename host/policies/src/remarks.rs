//! What an operator would want to know of a folder in which everything that is read is active: files that are not
//! read though they look as if they should be, and what somebody else than the operator may change.

use std::collections::BTreeSet;

use portcullis_config::fs::{Fingerprint, INCOMING, Root};
use portcullis_config::{DATA, FILE, POLICIES, TENANTS};
use rustix::fs::FileType;

use crate::issue::{Effect, IGNORED, LoadIssue, PERMISSIONS};

/// What a document's file may end in.
pub const DOCUMENTS: [&str; 3] = ["json", "yaml", "yml"];

/// Of each kind and folder; how many more there are is told.
const MOST: usize = 16;
/// What else people call the folders.
const MISNAMED: [(&str, &str); 2] = [("policy", POLICIES), ("tenant", TENANTS)];

/// Whose folder it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Host,
    Tenant,
}

/// Why a name, of a folder or not, is not read; the third are all names beside it.
type Reason = fn(&str, bool, &BTreeSet<String>) -> Option<String>;

/// What was found last, and the folders as they were then: a name that comes or goes changes its folder.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    folders: Option<[Option<Fingerprint>; 4]>,
    ignored: Vec<LoadIssue>,
    permissions: Vec<LoadIssue>,
}

/// Who may own and write what lies in a folder.
struct Allowed {
    owners: BTreeSet<u32>,
    /// Bits of a mode.
    forbidden: u32,
}

// === impl Remarks ===

impl Remarks {
    /// Looks at the folder; `files` are those that were read.
    pub(crate) fn look<'f>(
        &mut self,
        root: &Root,
        whose: Whose,
        files: impl Iterator<Item = (String, &'f Fingerprint)>,
    ) {
        let folders = [".", POLICIES, DATA, TENANTS].map(|folder| root.fingerprint(folder));
        if self.folders != Some(folders) {
            self.ignored = bounded(IGNORED, ignored(root, whose));
            self.folders = Some(folders);
        }
        self.permissions = bounded(PERMISSIONS, permissions(root, whose, files));
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &LoadIssue> {
        self.ignored.iter().chain(&self.permissions)
    }
}

fn bounded(what: &'static str, mut found: Vec<(String, String)>) -> Vec<LoadIssue> {
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        found.push((String::new(), format!("and {more} more of this kind")));
    }
    found.into_iter().map(|(name, problem)| LoadIssue::new(what, &name, problem, Effect::Remark)).collect()
}

/// Path and reason of what is not read.
fn ignored(root: &Root, whose: Whose) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut look = |folder: &str, reason: Reason| {
        let entries = root.entries(folder).unwrap_or_default();
        let names: BTreeSet<_> = entries.iter().map(|(name, _)| name.clone()).collect();
        for (name, kind) in &entries {
            if let Some(reason) = reason(name, *kind == FileType::Directory, &names) {
                let path = if folder == "." { name.clone() } else { format!("{folder}/{name}") };
                let problem = format!("{} is not read: {reason}", root.path(&path).display());
                found.push((path, problem));
            }
        }
    };
    look(".", misplaced);
    look(POLICIES, no_policy);
    look(DATA, no_document);
    if whose == Whose::Host {
        look(TENANTS, no_tenant);
    }
    found.sort_unstable();
    found
}

fn misplaced(name: &str, is_folder: bool, _: &BTreeSet<String>) -> Option<String> {
    if !is_folder {
        let is_policy = extension(name).is_some_and(|extension| extension.eq_ignore_ascii_case("wasm"));
        return is_policy.then(|| format!("policies lie in `{POLICIES}`"));
    }
    let folders = [POLICIES, DATA, TENANTS].map(|folder| (folder, folder));
    let mut meant = folders.into_iter().chain(MISNAMED);
    let (_, meant) = meant.find(|(other, meant)| name.eq_ignore_ascii_case(other) && name != *meant)?;
    Some(format!("the folder is called `{meant}`"))
}

fn no_policy(name: &str, is_folder: bool, names: &BTreeSet<String>) -> Option<String> {
    if let Some(stem) = name.strip_suffix(".toml").filter(|stem| !is_folder && !stem.starts_with('.')) {
        let policy = format!("{stem}.wasm");
        return (!names.contains(&policy)).then(|| format!("there is no `{policy}` beside it"));
    }
    unread(name, is_folder, &["wasm", "toml"])
}

fn no_document(name: &str, is_folder: bool, _: &BTreeSet<String>) -> Option<String> {
    unread(name, is_folder, &DOCUMENTS)
}

fn no_tenant(name: &str, is_folder: bool, _: &BTreeSet<String>) -> Option<String> {
    let is_file = !is_folder && extension(name).is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
    is_file.then(|| "a tenant is a folder with a `tenant.toml` in it".to_owned())
}

/// What has nearly the name of what is read.
fn unread(name: &str, is_folder: bool, read: &[&str]) -> Option<String> {
    if is_folder {
        // Kubernetes and version control keep folders of their own, hidden.
        return (!name.starts_with('.')).then(|| "it is a folder; only files of the folder above are read".to_owned());
    }
    let extension = extension(name)?;
    let meant = read.iter().find(|known| known.eq_ignore_ascii_case(extension))?;
    if name.starts_with('.') {
        // What is being written is hidden until it is whole.
        return (!name.starts_with(INCOMING)).then(|| "its name begins with `.`".to_owned());
    }
    (*meant != extension).then(|| format!("its name ends in `.{extension}`, and only `.{meant}` is read"))
}

fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

/// Path and reason of what others may change.
fn permissions<'f>(
    root: &Root,
    whose: Whose,
    files: impl Iterator<Item = (String, &'f Fingerprint)>,
) -> Vec<(String, String)> {
    let Some(own) = root.fingerprint(".") else { return Vec::new() };
    let allowed = Allowed::of(whose, &own);
    let others: &[&str] = match whose {
        Whose::Host => &[POLICIES, DATA, TENANTS, FILE],
        Whose::Tenant => &[POLICIES, DATA],
    };
    let others = others.iter().filter_map(|name| Some(((*name).to_owned(), root.fingerprint(name)?)));
    let files = files.map(|(name, file)| (name, *file));
    let all = std::iter::once((".".to_owned(), own)).chain(others).chain(files);
    all.filter_map(|(name, file)| {
        let path = root.path(if name == "." { "" } else { &name }).display().to_string();
        let problem = allowed.problem(&file)?;
        Some((name, format!("{}: {problem}", path.trim_end_matches('/'))))
    })
    .collect()
}

// === impl Allowed ===

impl Allowed {
    fn of(whose: Whose, folder: &Fingerprint) -> Self {
        let host = rustix::process::geteuid().as_raw();
        match whose {
            Whose::Host => Self { owners: BTreeSet::from([0, host]), forbidden: 0o022 },
            // A tenant may share its folder with its group.
            Whose::Tenant => Self { owners: BTreeSet::from([0, host, folder.owner()]), forbidden: 0o002 },
        }
    }

    fn problem(&self, file: &Fingerprint) -> Option<String> {
        if !self.owners.contains(&file.owner()) {
            let owner = file.owner();
            return Some(format!("belongs to user {owner}, who can change what is allowed here; `chown` it"));
        }
        let who = match file.mode() & self.forbidden {
            0 => return None,
            bits if bits & 0o002 != 0 => "every user",
            _ => "its group",
        };
        Some(format!("{who} can write it, and change what is allowed here; `chmod go-w` it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nearly_looks_like_what_is_read_is_told_apart_from_what_does_not() {
        let names = BTreeSet::from(["a.wasm".to_owned(), "a.toml".to_owned()]);
        let policy = |name: &str, is_folder| no_policy(name, is_folder, &names).is_some();
        for message in ["b.toml", "a.WASM", "a.Wasm", "a.TOML", ".a.wasm", ".wasm"] {
            assert!(policy(message, false), "{message}");
        }
        for fine in
            ["a.wasm", "a.toml", "README.md", "a.wasm.bak", "a.wasm~", ".a.wasm.swp", ".incoming-a.wasm", ".gitignore"]
        {
            assert!(!policy(fine, false), "{fine}");
        }
        assert!(policy("old", true) && !policy("..data", true) && !policy(".git", true));
        let document = |name: &str| no_document(name, false, &names).is_some();
        assert!(document("a.JSON") && document(".a.yaml") && document("a.Yml"));
        assert!(!document("a.json") && !document("a.yml") && !document("a.txt") && !document("notes"));
        let beside = |name: &str, is_folder| misplaced(name, is_folder, &names).is_some();
        assert!(
            beside("a.wasm", false) && beside("Policies", true) && beside("policy", true) && beside("tenant", true)
        );
        assert!(
            !beside("policies", true)
                && !beside("data", true)
                && !beside("portcullis.toml", false)
                && !beside("x", true)
        );
        assert!(no_tenant("ci.toml", false, &names).is_some() && no_tenant("ci", true, &names).is_none());
    }

    #[test]
    fn only_so_many_are_told() {
        let many: Vec<_> = (0..100).map(|number| (number.to_string(), "x".to_owned())).collect();
        let message = bounded(IGNORED, many);
        assert_eq!(message.len(), MOST + 1);
        assert!(message.last().is_some_and(|last| last.problem.contains("84 more")));
    }
}
