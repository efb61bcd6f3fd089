use std::fs;

use super::*;

/// A folder of tenants that is gone with the test.
struct Tenants {
    dir: tempfile::TempDir,
    tenant_registry: TenantRegistry,
}

impl Tenants {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let vocabulary = Vocabulary { listeners: vec!["docker".into()], ..Vocabulary::default() };
        Self { tenant_registry: TenantRegistry::new(dir.path().to_owned(), vocabulary), dir }
    }

    fn write(&self, tenant: &str, text: &str) {
        let folder = self.dir.path().join(tenant);
        fs::create_dir_all(&folder).expect("made");
        // By rename, so that it is another file whatever the clock says.
        fs::write(folder.join("new"), text).expect("written");
        fs::rename(folder.join("new"), folder.join(TENANT_FILE)).expect("renamed");
    }

    fn user(&self, tenant: &str, pattern: &str) {
        self.write(tenant, &format!("[[match]]\nuser = {pattern:?}\n"));
    }

    fn remove(&self, path: &str) {
        let path = self.dir.path().join(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
    }

    fn list(&mut self) -> Listed {
        self.tenant_registry.list(named(self.dir.path()))
    }

    /// What a look at everything changes, by name.
    fn look(&mut self) -> Vec<String> {
        self.list();
        for name in self.tenant_registry.names().cloned().collect::<Vec<_>>() {
            let look = self.tenant_registry.looking(&name).expect("is there").look();
            self.tenant_registry.take(&name, look);
        }
        self.tenant_registry.settle().iter().map(ToString::to_string).collect()
    }

    /// Whose user this is, by what is active.
    fn owner(&self, user: &str) -> Option<String> {
        let fits = |file: &Arc<TenantFile>| {
            let patterns = file.matches.iter().flat_map(|found| found.wanted()).flat_map(|(_, patterns)| patterns);
            patterns.into_iter().any(|pattern| pattern.matches(user))
        };
        let names = self.tenant_registry.names().filter(|name| self.tenant_registry.active(name).is_some_and(fits));
        names.map(ToString::to_string).next()
    }

    fn problems(&self) -> Vec<String> {
        let issues = self.tenant_registry.issues_over(LoadIssues::new());
        issues.values().flatten().map(|issue| issue.problem.replace(&*self.dir.path().to_string_lossy(), "")).collect()
    }
}

#[test]
fn tenants_come_change_and_go_with_their_folders() {
    let mut tenants = Tenants::new();
    assert_eq!(tenants.look(), [] as [&str; 0]);
    tenants.user("a", "alice");
    tenants.user("b", "bob");
    assert_eq!(tenants.look(), ["a", "b"]);
    assert_eq!(tenants.look(), [] as [&str; 0]);
    tenants.user("a", "anna");
    assert_eq!(tenants.look(), ["a"]);
    assert_eq!((tenants.owner("anna"), tenants.owner("alice")), (Some("a".into()), None));
    tenants.remove("a");
    assert_eq!(tenants.list().removed.len(), 1);
    assert_eq!(tenants.owner("anna"), None);
    assert!(tenants.problems().is_empty());
}

#[test]
fn what_is_broken_leaves_the_last_good_one_active() {
    let mut tenants = Tenants::new();
    tenants.user("a", "alice");
    tenants.look();
    tenants.tenant_registry.started();
    tenants.write("a", "[[match]]\nusr = 1\n");
    assert_eq!(tenants.look(), [] as [&str; 0]);
    assert_eq!(tenants.owner("alice").as_deref(), Some("a"));
    assert!(
        tenants.problems()[0].contains("/a/tenant.toml:2: unknown key `[[match]] usr`"),
        "{:?}",
        tenants.problems()
    );
    tenants.remove("a/tenant.toml");
    tenants.look();
    assert_eq!(tenants.owner("alice").as_deref(), Some("a"));
    assert!(tenants.problems()[0].starts_with("/a/tenant.toml: is not there"), "{:?}", tenants.problems());
    assert_eq!(tenants.tenant_registry.closed(), None);
    tenants.user("a", "alice");
    tenants.look();
    assert!(tenants.problems().is_empty());
}

#[test]
fn at_the_start_nobody_knows_whose_callers_a_broken_tenant_has() {
    let mut tenants = Tenants::new();
    tenants.write("a", "default = 3\n");
    tenants.user("b", "bob");
    assert_eq!(tenants.look(), ["b"]);
    tenants.tenant_registry.started();
    assert!(tenants.tenant_registry.closed().is_some_and(|problem| problem.contains("/a/tenant.toml:1")));
    tenants.user("a", "alice");
    assert_eq!(tenants.look(), ["a"]);
    assert_eq!(tenants.tenant_registry.closed(), None);
    // One that comes later, broken, had no callers that could be lost.
    tenants.write("c", "default = 3\n");
    tenants.look();
    assert_eq!(tenants.tenant_registry.closed(), None);
}

#[test]
fn a_broken_default_at_the_start_is_not_what_it_is_without_a_file() {
    type Make = fn(&Tenants);
    let broken: [(&str, Make); 5] = [
        ("not TOML", |tenants| tenants.write("default", "default = ")),
        ("a key that is not known", |tenants| tenants.write("default", "defualt = \"deny\"\n")),
        ("a link that leads nowhere", |tenants| {
            std::os::unix::fs::symlink("nowhere", tenants.dir.path().join("default")).expect("linked");
        }),
        ("no folder", |tenants| fs::write(tenants.dir.path().join("default"), "").expect("written")),
        ("a match, which it cannot have", |tenants| tenants.user("default", "*")),
    ];
    for (note, make) in broken {
        let mut tenants = Tenants::new();
        make(&tenants);
        tenants.look();
        tenants.tenant_registry.started();
        assert!(tenants.tenant_registry.active(&TenantName::default()).is_none(), "{note}");
        assert!(tenants.tenant_registry.closed().is_some(), "{note}: {:?}", tenants.problems());
        // While the host runs, the last good one stays.
        tenants.list();
        if fs::symlink_metadata(tenants.dir.path().join("default")).is_ok_and(|metadata| !metadata.is_dir()) {
            fs::remove_file(tenants.dir.path().join("default")).expect("removed");
        }
        tenants.write("default", "default = \"deny\"\n");
        tenants.look();
        assert_eq!(tenants.tenant_registry.closed(), None, "{note}");
        tenants.write("default", "broken");
        tenants.look();
        assert!(tenants.tenant_registry.active(&TenantName::default()).is_some(), "{note}");
    }
}

#[test]
fn a_folder_that_cannot_be_looked_into_at_the_start_may_be_a_tenants() {
    let mut tenants = Tenants::new();
    std::os::unix::fs::symlink("nowhere", tenants.dir.path().join("ci")).expect("linked");
    fs::write(tenants.dir.path().join("README"), "not a folder").expect("written");
    tenants.look();
    tenants.tenant_registry.started();
    assert!(
        tenants.tenant_registry.closed().is_some_and(|problem| problem.contains("/ci: the folder cannot be opened"))
    );
}

#[test]
fn of_two_that_claim_the_same_callers_the_changed_one_is_not_taken() {
    let mut tenants = Tenants::new();
    tenants.user("a", "a-*");
    tenants.user("b", "b-*");
    tenants.look();
    tenants.tenant_registry.started();
    tenants.user("b", "*-1");
    assert_eq!(tenants.look(), [] as [&str; 0]);
    assert_eq!((tenants.owner("a-1").as_deref(), tenants.owner("b-2").as_deref()), (Some("a"), Some("b")));
    let problems = tenants.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("/b/tenant.toml: claims the same callers as /a/tenant.toml: user"), "{problems:?}");
    // The other one gives way, and it is taken though it did not change.
    tenants.user("a", "anna");
    assert_eq!(tenants.look(), ["a", "b"]);
    assert_eq!(tenants.owner("a-1").as_deref(), Some("b"));
    assert!(tenants.problems().is_empty(), "{:?}", tenants.problems());
}

#[test]
fn what_one_gives_up_goes_to_another_only_when_it_is_given_up() {
    let mut tenants = Tenants::new();
    tenants.user("a", "x");
    tenants.user("b", "y");
    tenants.user("c", "z");
    tenants.look();
    tenants.tenant_registry.started();
    // b wants x, which a keeps; c wants y, which b would give up.
    tenants.user("b", "x");
    tenants.user("c", "y");
    assert_eq!(tenants.look(), [] as [&str; 0]);
    let owners = ["x", "y", "z"].map(|user| tenants.owner(user));
    assert_eq!(owners, [Some("a".into()), Some("b".into()), Some("c".into())]);
    // All at once is a swap like any other.
    tenants.user("a", "z");
    assert_eq!(tenants.look(), ["a", "b", "c"]);
    let owners = ["x", "y", "z"].map(|user| tenants.owner(user));
    assert_eq!(owners, [Some("b".into()), Some("c".into()), Some("a".into())]);
}

#[test]
fn two_that_overlap_at_the_start_are_both_left_out() {
    let mut tenants = Tenants::new();
    tenants.user("a", "a-*");
    tenants.user("b", "*-1");
    tenants.user("c", "carol");
    assert_eq!(tenants.look(), ["c"]);
    tenants.tenant_registry.started();
    assert!(tenants.tenant_registry.closed().is_some());
    tenants.remove("b");
    assert_eq!(tenants.look(), ["a"]);
    assert_eq!(tenants.tenant_registry.closed(), None);
}

#[test]
fn a_folder_whose_name_is_no_tenants_is_told_and_left_out() {
    let mut tenants = Tenants::new();
    tenants.user("Team A", "alice");
    tenants.user(".hidden", "bob");
    fs::write(tenants.dir.path().join("README"), "not a folder").expect("written");
    assert_eq!(tenants.look(), [] as [&str; 0]);
    assert_eq!(tenants.problems().len(), 1, "{:?}", tenants.problems());
    assert!(tenants.problems()[0].starts_with("/Team A: `Team A` is not a tenant's name"), "{:?}", tenants.problems());
    // Found so at the start, it may be anybody's, until it has a name or is gone.
    assert!(tenants.tenant_registry.closed().is_some());
    tenants.tenant_registry.started();
    tenants.remove("Team A");
    tenants.user("Team B", "bob");
    fs::create_dir(tenants.dir.path().join("lost+found")).expect("made");
    tenants.look();
    assert_eq!(tenants.problems().len(), 2, "{:?}", tenants.problems());
    assert_eq!(tenants.tenant_registry.closed(), None);
}
