//! What a tenant may put into its folder: each is refused by name, nothing of outside is read, and the others go on.

use std::os::unix::net::UnixListener;
use std::path::Path;

use portcullis_tests::Result;
use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::{Portcullis, Record};

use crate::flood::{Flood, swap_of_other};
use crate::{
    as_root, as_tenant, ask, assert_other_goes_on, folder, host, io, problem_of, put_tenant, says, tenant_toml,
    wait_for_answer,
};

const POLICY: &str = "policy cannot be loaded; calls are denied until it is mended";
const DATA: &str = "data cannot be loaded; calls are denied until it is mended";
const FOLDER: &str = "folder cannot be read; calls are denied until it is mended";
const OUTSIDE: &str = "leads out of the tenant's folder; put the file itself there";

/// Who does it.
#[derive(Clone, Copy)]
enum By {
    /// The tenant's own user.
    Tenant,
    /// Root: the kernel lets no tenant do it, at least not on this machine.
    Root,
}

struct Attack {
    note: &'static str,
    by: By,
    /// A line of shell, run in the tenant's folder. `policies/name.wasm` is there, and is a good one that allows.
    line: &'static str,
    /// What is told, of the path below the tenant's folder.
    told: (&'static str, &'static str),
}

const fn attack(note: &'static str, by: By, line: &'static str, told: (&'static str, &'static str)) -> Attack {
    Attack { note, by, line, told }
}

/// The limits that some of them go beyond.
const LIMITS: &str = "[limits]\npolicies = 2\npolicy_bytes = \"64KiB\"\ndata_bytes = 1000\n";

#[rustfmt::skip]
const ATTACKS: &[Attack] = &[
    attack("a policy of another tenant", By::Tenant, "ln -sf ../../other/policies/name.wasm policies/name.wasm",
        (POLICY, "policies/name.wasm: leads out of the tenant's folder; put the file itself there")),
    attack("a policy by an absolute path", By::Tenant, "ln -sf \"$PWD/policies/real\" policies/name.wasm",
        (POLICY, "policies/name.wasm: leads out of the tenant's folder; put the file itself there")),
    attack("a policy by a chain of links", By::Tenant, "ln -s ../.. policies/up; ln -sf up/other/policies/name.wasm policies/name.wasm",
        (POLICY, "policies/name.wasm: leads out of the tenant's folder; put the file itself there")),
    attack("settings from outside", By::Tenant, "ln -s /etc/passwd policies/name.toml",
        (POLICY, "policies/name.toml: leads out of the tenant's folder; put the file itself there")),
    attack("settings of another tenant", By::Tenant, "ln -s ../../other/tenant.toml policies/name.toml",
        (POLICY, "policies/name.toml: leads out of the tenant's folder; put the file itself there")),
    attack("a document of another tenant", By::Tenant, "ln -s ../../other/data/version.json data/version.json",
        (DATA, "data/version.json: leads out of the tenant's folder; put the file itself there")),
    attack("a document of the machine", By::Tenant, "ln -s /proc/self/environ data/version.json",
        (DATA, "data/version.json: leads out of the tenant's folder; put the file itself there")),
    attack("another tenant's policies", By::Tenant, "rm -r policies; ln -s ../other/policies policies",
        (FOLDER, "policies: the folder cannot be read: it leads out of the tenant's folder")),
    attack("another tenant's data", By::Tenant, "rm -r data; ln -s ../other/data data",
        (FOLDER, "data: the folder cannot be read: it leads out of the tenant's folder")),
    attack("a folder of the machine", By::Tenant, "rm -r data; ln -s /etc data",
        (FOLDER, "data: the folder cannot be read: it leads out of the tenant's folder")),
    attack("a file for a folder", By::Tenant, "rm -r policies; echo > policies",
        (FOLDER, "policies: the folder cannot be read: Not a directory (os error 20)")),
    attack("a link that leads nowhere", By::Tenant, "ln -sf gone policies/name.wasm",
        (POLICY, "policies/name.wasm: cannot be read: No such file or directory (os error 2)")),
    attack("a link to itself", By::Tenant, "ln -sf name.wasm policies/name.wasm",
        (POLICY, "policies/name.wasm: cannot be read: Too many levels of symbolic links (os error 40)")),
    attack("settings that lead nowhere", By::Tenant, "ln -s gone policies/name.toml",
        (POLICY, "policies/name.toml: cannot be read: No such file or directory (os error 2)")),
    attack("a fifo for a policy", By::Tenant, "rm policies/name.wasm; mkfifo policies/name.wasm",
        (POLICY, "policies/name.wasm: is a fifo; expected a regular file")),
    attack("a fifo for settings", By::Tenant, "mkfifo policies/name.toml",
        (POLICY, "policies/name.toml: is a fifo; expected a regular file")),
    attack("a fifo for a document", By::Tenant, "mkfifo data/version.json",
        (DATA, "data/version.json: is a fifo; expected a regular file")),
    attack("a folder for a policy", By::Tenant, "rm policies/name.wasm; mkdir policies/name.wasm",
        (POLICY, "policies/name.wasm: is a folder; expected a regular file")),
    attack("a device for a policy", By::Root, "rm policies/name.wasm; mknod policies/name.wasm c 1 3",
        (POLICY, "policies/name.wasm: is a device; expected a regular file")),
    attack("a device without end for a document", By::Root, "mknod data/version.json c 1 5",
        (DATA, "data/version.json: is a device; expected a regular file")),
    attack("a device that is not there", By::Root, "mknod data/version.json c 511 7",
        (DATA, "data/version.json: is a device; expected a regular file")),
    attack("another's file by a hard link", By::Root, "ln -f ../../tenants/other/policies/name.wasm policies/name.wasm",
        (POLICY, "policies/name.wasm: is a hard link to a file of another user; put a copy there")),
    attack("another's document by a hard link", By::Root, "ln ../../tenants/other/data/version.json data/version.json",
        (DATA, "data/version.json: is a hard link to a file of another user; put a copy there")),
    attack("a huge policy", By::Tenant, "truncate -s 1T policies/name.wasm",
        (POLICY, "policies/name.wasm: is 1099511627776 bytes large; at most 65536 are read")),
    attack("a policy one byte too large", By::Tenant, "truncate -s 65537 policies/name.wasm",
        (POLICY, "policies/name.wasm: is 65537 bytes large; at most 65536 are read")),
    attack("huge settings", By::Tenant, "truncate -s 16777217 policies/name.toml",
        (POLICY, "policies/name.toml: is 16777217 bytes large; at most 16777216 are read")),
    attack("a large document", By::Tenant, "truncate -s 1001 data/version.json",
        (DATA, "data/version.json: is 1001 bytes large; at most 1000 are read")),
    attack("large documents", By::Tenant, "printf '%600s' 1 > data/one.json; printf '%500s' 2 > data/two.json",
        (DATA, "data/two.json: is 500 bytes large, and all documents of a tenant together at most 1000")),
    attack("more policies than it may have", By::Tenant, "cp policies/name.wasm policies/1.wasm; cp policies/name.wasm policies/2.wasm",
        (POLICY, "policies: holds more than 2 policies, which is what the tenant may have")),
    attack("more entries than are looked at", By::Tenant, "cd policies; seq 1 4100 | xargs touch",
        (FOLDER, "policies: the folder cannot be read: it holds more than 4096 entries")),
    attack("more documents than are looked at", By::Tenant, "cd data; seq -f %g.json 1 4100 | xargs touch",
        (FOLDER, "data: the folder cannot be read: it holds more than 4096 entries")),
    attack("a name that is none", By::Tenant, "mv policies/name.wasm policies/-rf.wasm",
        (POLICY, "policies/-rf.wasm: `-rf` is not a policy name: at most 64 letters, digits, `-`, `_` and `.`, the first a letter or digit")),
    attack("a name that is no text", By::Tenant, "mv policies/name.wasm \"policies/$(printf 'a\\377').wasm\"",
        (POLICY, "policies/a\u{fffd}.wasm: `a\u{fffd}` is not a policy name: at most 64 letters, digits, `-`, `_` and `.`, the first a letter or digit")),
    attack("settings that are no text", By::Tenant, "printf 'a = \"\\377\"' > policies/name.toml",
        (POLICY, "policies/name.toml: is not UTF-8 text")),
    attack("a document that is no JSON", By::Tenant, "echo '{' > data/version.json",
        (DATA, "data/version.json:2: ")),
    attack("a policy that may not be read by its owner", By::Tenant, "chmod 0 policies/name.wasm; printf x > policies/name.wasm || rm -f policies/name.wasm; mkdir policies/name.wasm",
        (POLICY, "policies/name.wasm: is a folder; expected a regular file")),
];

/// What a tenant does in its folder, in a host that runs.
#[test]
fn nothing_in_a_tenants_folder_reaches_outside() -> Result<()> {
    let host = host()?;
    let mut wrong = Vec::new();
    for (number, attack) in ATTACKS.iter().enumerate() {
        let tenant = format!("t{number}");
        if let Err(what) = attempt(&host, &tenant, attack)? {
            wrong.push(format!("{}: {what}", attack.note));
        }
        assert_other_goes_on(&host, attack.note)?;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What differs from what was expected, if anything does.
fn attempt(host: &Portcullis, tenant: &str, attack: &Attack) -> Result<Result<(), String>> {
    let mark = host.mark();
    put_tenant(host, tenant, &tenant_toml(tenant, LIMITS), |folder| {
        fill(folder)?;
        match attack.by {
            By::Tenant => as_tenant(folder, attack.line),
            By::Root => as_root(folder, attack.line),
        }
    })?;
    let (message, expected) = attack.told;
    let problem = match problem_of(host, mark, tenant, message) {
        Ok(problem) => problem,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let expected = folder(host, tenant).join(expected).display().to_string();
    let is_helped = problem.starts_with(&format!("{expected}\n  help: "));
    if !problem.starts_with(&expected) || (problem != expected && !is_helped && !expected.ends_with(": ")) {
        return Ok(Err(format!("{problem}\n  expected {expected}")));
    }
    // What is told comes before it is active.
    let active = |record: &Record| record.is_of(tenant) && record.message() == "generation published";
    host.wait_for(mark, "the tenant's first generation", active)?;
    let reply = ask(host, tenant)?;
    Ok(if reply.allow { Err("allowed".to_owned()) } else { Ok(()) })
}

/// A policy that allows: what denies then is the host.
fn fill(folder: &Path) -> Result<()> {
    std::fs::write(folder.join("policies/name.wasm"), portcullis_tests::guests::wasm("allow")?).map_err(io)?;
    as_root(folder, "chown 1001:1001 policies/name.wasm")
}

#[test]
fn a_socket_is_no_policy() -> Result<()> {
    let host = host()?;
    let mark = host.mark();
    let mut socket = None;
    put_tenant(&host, "evil", &tenant_toml("evil", ""), |folder| {
        socket = Some(UnixListener::bind(folder.join("policies/name.wasm")).map_err(io)?);
        as_root(folder, "chown 1001:1001 policies/name.wasm")
    })?;
    let expected =
        format!("{}: is a socket; expected a regular file", folder(&host, "evil").join("policies/name.wasm").display());
    assert_eq!(problem_of(&host, mark, "evil", POLICY)?, expected);
    // Nobody has called.
    let socket = socket.into_iter().next().into_iter().inspect(|socket| drop(socket.set_nonblocking(true)));
    assert!(socket.map(|socket| socket.accept()).all(|accepted| accepted.is_err()));
    assert_other_goes_on(&host, "a socket")
}

/// The file of who belongs to a tenant is the operator's, and is taken from nobody else.
#[test]
fn a_tenant_cannot_say_who_belongs_to_it() -> Result<()> {
    let host = host()?;
    const REFUSED: &str = "tenant cannot be loaded; the last good one stays";
    #[rustfmt::skip]
    let attacks = [
        ("its own file", "rm -f tenant.toml; printf \"match = [{ user = '*' }]\" > tenant.toml",
            ": belongs to user 1001\n  help: `chown root` it: only the operator may say who belongs to a tenant and what it may use"),
        ("a link to its own file", "printf \"match = [{ user = '*' }]\" > mine; ln -sf mine tenant.toml",
            ": belongs to user 1001\n  help: `chown root` it: only the operator may say who belongs to a tenant and what it may use"),
        ("a link to another's file", "ln -sf ../other/tenant.toml tenant.toml", OUTSIDE),
        ("no file", "rm -f tenant.toml", ": is not there\n  help: it says who belongs to the tenant (to remove the tenant, remove its folder)"),
        ("a folder", "rm -f tenant.toml; mkdir tenant.toml", ""),
        ("a fifo", "rm -f tenant.toml; mkfifo tenant.toml", ""),
    ];
    for (number, (note, line, expected)) in attacks.into_iter().enumerate() {
        let tenant = format!("t{number}");
        put_tenant(&host, &tenant, &tenant_toml(&tenant, ""), |folder| {
            std::fs::write(folder.join("policies/name.wasm"), says("good")?).map_err(io)
        })?;
        wait_for_answer(&host, &tenant, |reply| reply.msg == "name: good")?;
        let mark = host.mark();
        as_tenant(&folder(&host, &tenant), line)?;
        let path = folder(&host, &tenant).join("tenant.toml").display().to_string();
        // Between its two steps there is no file, which may be seen and told before.
        host.wait_for(mark, note, |record| {
            let problem = record.text("problem");
            let is_refusal = record.is_of(&tenant) && record.message() == REFUSED;
            is_refusal && problem.starts_with(&path) && problem.ends_with(expected)
        })?;
        assert_eq!(ask(&host, &tenant)?.msg, "name: good", "{note}");
        assert_other_goes_on(&host, note)?;
        assert!(!Caller::named("nobody").list(&host.socket())?.allow, "{note}");
    }
    Ok(())
}

/// Written by little and little without end: given up after ten seconds, and told.
#[test]
fn a_file_that_never_stops_changing_is_given_up_and_keeps_nobody_waiting() -> Result<()> {
    let line = "exec 3>> policies/name.wasm; while :; do printf x >&3; sleep 0.01; done";
    let expected =
        "has not stopped changing for 10 s\n  help: write it under another name, and rename it when it is whole";
    // A writer that is kept waiting by a busy machine seems to have stopped, and is told so before.
    write_without_end(line, |problem| problem.ends_with(&format!("policies/name.wasm: {expected}")))
}

/// Faster than anybody listens to: given up at some time, for whatever reason.
#[test]
fn a_file_that_grows_as_fast_as_it_can_is_given_up_and_keeps_nobody_waiting() -> Result<()> {
    let line = "exec 3>> policies/name.wasm; while :; do printf x >&3; done";
    write_without_end(line, |problem| problem.contains("policies/name.wasm: "))
}

/// A tenant that writes into its good policy is told so, while everybody else's changes become active and its own last good one
/// stays.
fn write_without_end(line: &str, is_expected: impl Fn(&str) -> bool) -> Result<()> {
    const KEPT: &str = "policy cannot be loaded; the last good one stays";
    let host = host()?;
    let mark = host.mark();
    put_tenant(&host, "evil", &tenant_toml("evil", ""), fill)?;
    wait_for_answer(&host, "evil", |reply| reply.allow)?;
    let writer = Flood::start(&folder(&host, "evil"), line)?;
    let took = (0..5).map(|round| swap_of_other(&host, round)).collect::<Result<Vec<_>>>()?;
    host.wait_for(mark, "what is expected", |record| {
        record.is_of("evil") && record.message() == KEPT && is_expected(record.text("problem"))
    })?;
    assert!(ask(&host, "evil")?.allow, "the last good one stays");
    let later = swap_of_other(&host, 5)?;
    drop(writer);
    println!("another tenant's swap while one writes without end: {took:?}, and after it is given up {later:?}");
    Ok(())
}
