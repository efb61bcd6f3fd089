//! A host that starts with a tenant of whom it cannot be told who belongs to it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use portcullis_tests::caller::Caller;
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result};

use crate::{Decision, problem_of, with_tenants};

const TOLD: &str = "it cannot be told which tenant this call belongs to";
const LOST: &str = "tenant cannot be loaded; calls that no other tenant matches are denied until it is mended";
const LOST_TOML: &str = "match = [{ user = \"lost\" }]\n";
const GOOD: [(&str, &str); 2] =
    [("default", "default = \"allow\""), ("good", "default = \"allow\"\nmatch = [{ user = \"good\" }]")];

/// Breaks a good `tenant.toml`, and mends it.
struct Damage {
    note: &'static str,
    /// What is told after the file's path.
    problem: &'static str,
    harm: fn(&Path) -> std::io::Result<()>,
    mend: fn(&Path) -> std::io::Result<()>,
}

fn write_good(file: &Path) -> std::io::Result<()> {
    fs::write(file, LOST_TOML)
}

const DAMAGES: [Damage; 5] = [
    Damage {
        note: "not TOML",
        problem: ":1: not TOML: ",
        harm: |file| fs::write(file, "match = [{ user = \"lost\""),
        mend: write_good,
    },
    Damage {
        note: "not right",
        problem: ":2: unknown key `limit`\n  help: did you mean `limits`?",
        harm: |file| fs::write(file, format!("{LOST_TOML}limit = 1\n")),
        mend: write_good,
    },
    Damage {
        note: "not there",
        problem: ": is not there\n  help: it says who belongs to the tenant (to remove the tenant, remove its folder)",
        harm: |file| fs::remove_file(file),
        mend: write_good,
    },
    Damage {
        note: "not the operator's",
        problem: ": belongs to user 1001\n  help: `chown root` it: only the operator may say who belongs to a tenant and what it may use",
        harm: |file| chown(file, Some(1001), Some(1001)),
        mend: |file| chown(file, Some(0), Some(0)),
    },
    Damage {
        note: "anybody's to write",
        problem: ": users other than its owner can write it\n  help: `chmod go-w` it",
        harm: |file| fs::set_permissions(file, Permissions::from_mode(0o620)),
        mend: |file| fs::set_permissions(file, Permissions::from_mode(0o640)),
    },
];

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

fn start(damage: &Damage) -> Result<Portcullis> {
    let config = with_tenants(Config::new()?, &GOOD)?.tenant("lost", LOST_TOML)?.tenant_says("lost", "lost")?;
    (damage.harm)(&config.path().join("tenants/lost/tenant.toml")).map_err(io)?;
    config.start()
}

#[test]
fn whose_tenant_cannot_be_told_is_denied_until_it_is_mended_and_all_others_are_served() -> Result<()> {
    for damage in &DAMAGES {
        let note = damage.note;
        let host = start(damage)?;
        let file = host.config().path().join("tenants/lost/tenant.toml");
        let problem = problem_of(&host, Log::START, "lost", LOST)?;
        let expected = format!("{}{}", file.display(), damage.problem);
        assert!(problem.starts_with(&expected), "{note}: {problem}\nexpected {expected}");

        let (anybody, good) = (Caller::anybody(), Caller::named("good"));
        Decision::of(&host, &anybody)?.assert_unplaced(TOLD, note);
        Decision::of(&host, &Caller::named("lost"))?.assert_unplaced(TOLD, note);
        Decision::of(&host, &good)?.assert_of("good", note);
        host.hang_up()?;
        Decision::of(&host, &anybody)?.assert_unplaced(TOLD, &format!("{note}, after a reload"));

        let mark = host.mark();
        (damage.mend)(&file).map_err(io)?;
        let loaded = |record: &portcullis_tests::portcullis::Record| record.message() == "tenant loaded";
        host.wait_for(mark, "the tenant's mending", loaded)?;
        host.hang_up()?;
        Decision::of(&host, &anybody)?.assert_of("default", &format!("{note}, mended"));
        Decision::of(&host, &Caller::named("lost"))?.assert_of("lost", &format!("{note}, mended"));
        Decision::of(&host, &good)?.assert_of("good", note);
    }
    Ok(())
}

/// Who breaks a file later takes nobody's callers.
#[test]
fn what_breaks_while_the_host_runs_keeps_its_last_good_one() -> Result<()> {
    for damage in &DAMAGES {
        let note = damage.note;
        let host =
            with_tenants(Config::new()?, &GOOD)?.tenant("lost", LOST_TOML)?.tenant_says("lost", "lost")?.start()?;
        let mark = host.mark();
        let file = host.config().path().join("tenants/lost/tenant.toml");
        (damage.harm)(&file).map_err(io)?;
        let problem = problem_of(&host, mark, "lost", "tenant cannot be loaded; the last good one stays")?;
        assert!(problem.starts_with(&format!("{}{}", file.display(), damage.problem)), "{note}: {problem}");
        Decision::of(&host, &Caller::named("lost"))?.assert_of("lost", note);
        Decision::of(&host, &Caller::anybody())?.assert_of("default", note);
    }
    Ok(())
}

/// One that comes broken to a host that runs claims nobody either.
#[test]
fn a_broken_tenant_that_comes_later_is_not_active() -> Result<()> {
    let host = with_tenants(Config::new()?, &GOOD)?.start()?;
    let mark = host.mark();
    host.config().put_tenant("late", "match = 5")?;
    let problem = problem_of(&host, mark, "late", "tenant cannot be loaded; it is not active")?;
    let file = host.config().path().join("tenants/late/tenant.toml");
    assert_eq!(problem, format!("{}:1: `match` is an integer\n  help: write each one as `[[match]]`", file.display()));
    Decision::of(&host, &Caller::anybody())?.assert_of("default", "nothing changed");
    Ok(())
}

#[test]
fn two_tenants_that_overlap_at_the_start_are_neither_active() -> Result<()> {
    let overlapping = [("one", "match = [{ user = \"ci-*\" }]"), ("two", "match = [{ user = [\"x\", \"*-7\"] }]")];
    let host = with_tenants(with_tenants(Config::new()?, &GOOD)?, &overlapping)?.start()?;
    let file = |tenant: &str| host.config().path().join("tenants").join(tenant).join("tenant.toml");
    for (tenant, other) in [("one", "two"), ("two", "one")] {
        let expected = format!(
            "{}: claims the same callers as {}: user `ci-*` and user `*-7`\n  \
             help: every caller belongs to one tenant: make one of the two `[[match]]` narrower",
            file(tenant).display(),
            file(other).display()
        );
        assert_eq!(problem_of(&host, Log::START, tenant, LOST)?, expected);
    }
    for user in ["ci-1", "ci-7", "x", "z"] {
        Decision::of(&host, &Caller::named(user))?.assert_unplaced(TOLD, user);
    }
    Decision::of(&host, &Caller::named("good"))?.assert_of("good", "the others");
    host.config().put("tenants/two/tenant.toml", b"match = [{ user = [\"x\"] }]")?;
    host.hang_up()?;
    for (user, tenant) in [("ci-7", "one"), ("x", "two"), ("z", "default")] {
        Decision::of(&host, &Caller::named(user))?.assert_of(tenant, "mended");
    }
    Ok(())
}

/// The host's `default = "allow"` is no answer to what `tenants/default/tenant.toml` would have said.
#[test]
fn a_broken_file_of_the_default_tenant_allows_nothing_at_the_start() -> Result<()> {
    let denies = "default = \"deny\"\n";
    for (note, broken) in [
        ("not TOML", "default = \"deny"),
        ("a key that is not known", "defualt = \"deny\"\n"),
        ("limits that are none", "default = \"deny\"\n[limits]\nin_flight = 0\n"),
        ("a mode that is none", "default = \"deny\"\nmode = \"enforced\"\n"),
        ("a match, which it cannot have", "default = \"deny\"\nmatch = [{ user = \"g*\" }]\n"),
    ] {
        let config = Config::new()?.toml("default = \"allow\"").tenant("default", broken)?;
        let host = with_tenants(config, &[("good", "match = [{ user = \"good\" }]")])?.start()?;
        Decision::of(&host, &Caller::anybody())?.assert_unplaced(TOLD, note);
        host.hang_up()?;
        Decision::of(&host, &Caller::anybody())?.assert_unplaced(TOLD, &format!("{note}, after a reload"));

        host.config().put("tenants/default/tenant.toml", denies.as_bytes())?;
        host.hang_up()?;
        let decision = Decision::of(&host, &Caller::anybody())?;
        assert!(!decision.reply.allow, "{note}, mended: {:?}", decision.record);
        assert_eq!(decision.record.text("tenant"), "default", "{note}, mended");
        Decision::of(&host, &Caller::named("good"))?.assert_of("good", note);

        // While the host runs, the last good one stays, and denies.
        let mark = host.mark();
        host.config().put("tenants/default/tenant.toml", broken.as_bytes())?;
        problem_of(&host, mark, "default", "tenant cannot be loaded; the last good one stays")?;
        assert!(!Decision::of(&host, &Caller::anybody())?.reply.allow, "{note}, broken again");
    }
    Ok(())
}
