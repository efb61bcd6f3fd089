use std::path::Path;
use std::sync::mpsc;
use std::thread;

use portcullis_model::Limits;

use super::*;
use crate::tests::{ALLOW, sandbox, tenant, wasm};
use crate::{Compiler, Grants, SandboxConfig};

const TRAP: &str = include_str!("../../../../../tests/guests/trap.wat");

fn order<'a>(bytes: &'a [u8], owner: &str, when: When) -> CompileRequest<'a> {
    CompileRequest { bytes, owner: tenant(owner), when, metered: false }
}

fn compile(sandbox: &Sandbox, bytes: &[u8], owner: &str, when: When) -> Arc<Compiled> {
    sandbox.compile(&order(bytes, owner, when)).expect("compiles")
}

fn compilations(sandbox: &Sandbox) -> usize {
    sandbox.stats().compilations
}

#[test]
fn at_the_start_a_thousand_owners_compile_one_file_once() {
    let (sandbox, bytes) = (sandbox(1), wasm(ALLOW));
    let compiled: Vec<_> = thread::scope(|scope| {
        let load = |part: u32| {
            let (sandbox, bytes) = (&sandbox, &bytes);
            let names = move || (part * 250..(part + 1) * 250).map(|tenant| format!("tenant-{tenant}"));
            scope.spawn(move || names().map(|name| compile(sandbox, bytes, &name, When::Start)).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..4).map(load).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    let stats = sandbox.stats();
    assert_eq!((stats.compilations, stats.codes, stats.holders), (1, 1, 1000));
    drop(compiled);
    let stats = sandbox.stats();
    assert_eq!((stats.codes, stats.holders), (0, 0));
}

/// Compiles as the sandbox does, but says that it began, and waits until it may.
fn held(
    sandbox: &Sandbox,
    order: &CompileRequest<'_>,
    began: &mpsc::Sender<()>,
    go: &mpsc::Receiver<()>,
) -> Arc<Compiled> {
    let key = key(order.bytes);
    let compiled = sandbox.0.registry.get(sandbox, key, order, || {
        began.send(()).expect("somebody listens");
        go.recv().expect("somebody says so");
        sandbox.compile_code(key, order)
    });
    compiled.expect("compiles")
}

fn key(bytes: &[u8]) -> Key {
    Key { digest: crate::digest(bytes), metered: false }
}

#[test]
fn at_the_start_who_comes_second_waits_and_at_a_swap_nobody_does() {
    let (sandbox, bytes) = (sandbox(1), wasm(ALLOW));
    let ((began, has_begun), (go, gone)) = (mpsc::channel(), mpsc::channel());
    thread::scope(|scope| {
        let (sandbox, bytes) = (&sandbox, &bytes);
        let first = scope.spawn(move || held(sandbox, &order(bytes, "first", When::Start), &began, &gone));
        has_begun.recv().expect("it compiles");
        let second = scope.spawn(move || compile(sandbox, bytes, "second", When::Start));
        let waiting = || sandbox.0.registry.lock().get(&key(bytes)).map(|entry| entry.starting.strong_count());
        while waiting() != Some(2) {
            thread::yield_now();
        }
        // On this thread, with the first still under way.
        let swapped = compile(sandbox, bytes, "swaps", When::Swap);
        assert_eq!(compilations(sandbox), 1);
        go.send(()).expect("it waits");
        let (first, second) = (first.join().expect("no panic"), second.join().expect("no panic"));
        assert!(Arc::ptr_eq(&first.code, &second.code) && Arc::ptr_eq(&first.code, &swapped.code));
        assert_eq!(compilations(sandbox), 2, "the second compiled nothing");
    });
}

#[test]
fn at_a_swap_an_owner_pays_for_what_it_does_not_have_whoever_else_has_it() {
    let (sandbox, bytes) = (sandbox(1), wasm(ALLOW));
    let first = compile(&sandbox, &bytes, "first", When::Start);
    let second = compile(&sandbox, &bytes, "second", When::Swap);
    assert_eq!(compilations(&sandbox), 2, "somebody else has it: compiled all the same");
    assert!(Arc::ptr_eq(&first.code, &second.code), "and yet held once");

    let again = compile(&sandbox, &bytes, "second", When::Swap);
    assert_eq!(compilations(&sandbox), 2, "who has it pays nothing");
    assert!(Arc::ptr_eq(&second, &again));

    drop((second, again));
    let third = compile(&sandbox, &bytes, "second", When::Swap);
    assert_eq!(compilations(&sandbox), 3, "who gave it up pays again, though it lives on for the first");
    assert!(Arc::ptr_eq(&first.code, &third.code));
    let stats = sandbox.stats();
    assert_eq!((stats.codes, stats.holders), (1, 2));
}

#[test]
fn a_policy_keeps_its_code_and_what_is_dead_is_swept() {
    let (sandbox, bytes) = (sandbox(1), wasm(ALLOW));
    let policy = compile(&sandbox, &bytes, "ci", When::Start).link(Grants::ALL).expect("a policy");
    let _trap = compile(&sandbox, &wasm(TRAP), "ci", When::Start);
    assert_eq!(sandbox.stats().codes, 2);
    compile(&sandbox, &bytes, "ci", When::Swap);
    assert_eq!(compilations(&sandbox), 2, "the policy's owner has it");
    drop(policy);
    assert_eq!(sandbox.stats().codes, 1);
    let metered = CompileRequest { metered: true, ..order(&bytes, "ci", When::Swap) };
    let metered = sandbox.compile(&metered).expect("compiles");
    assert_eq!((metered.is_metered(), compilations(&sandbox)), (true, 3));
    assert_eq!(sandbox.0.registry.lock().len(), 2, "the one that nobody has is gone");
}

#[test]
fn what_does_not_compile_is_told_to_each_and_kept_for_nobody() {
    let sandbox = sandbox(1);
    let bytes = b"\0asm\x0d\0\x01\0garbage";
    for when in [When::Start, When::Swap, When::Start] {
        assert!(matches!(sandbox.compile(&order(bytes, "ci", when)), Err(LoadError::Invalid(_))));
    }
    let _good = compile(&sandbox, &wasm(ALLOW), "ci", When::Start);
    assert_eq!(sandbox.0.registry.lock().len(), 1);
}

/// Compiles in a sandbox that was just started, and says whether the disk had it.
fn is_cached(cache: &Path, bytes: &[u8], owner: Owner, when: When) -> bool {
    let config = SandboxConfig { instances: 1, cache: Some(cache.to_owned()), compiler: Compiler::InProcess };
    let sandbox = Sandbox::new(&config).expect("a sandbox");
    let compiled = sandbox.compile(&CompileRequest { bytes, owner, when, metered: false }).expect("compiles");
    assert_eq!(compiled.inspection().digest, crate::digest(bytes), "the digest is the file's");
    assert_eq!(compiled.inspection().size, bytes.len());
    sandbox.stats().cached == 1
}

#[test]
fn on_disk_no_tenant_finds_at_a_swap_what_another_had_compiled() {
    let (folder, bytes) = (tempfile::tempdir().expect("a folder"), wasm(ALLOW));
    let is_cached = |owner, when| is_cached(folder.path(), &bytes, owner, when);
    assert!(!is_cached(tenant("one"), When::Start));
    assert!(is_cached(tenant("two"), When::Start), "at the start whoever comes first finds it");
    assert!(!is_cached(tenant("one"), When::Swap));
    assert!(!is_cached(tenant("two"), When::Swap));
    assert!(is_cached(tenant("one"), When::Swap), "its own");
    assert!(is_cached(Owner::Host, When::Swap), "the operator may know");
}

#[test]
fn what_is_refused_leaves_nothing_in_the_cache() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = SandboxConfig { instances: 1, cache: Some(folder.path().to_owned()), compiler: Compiler::InProcess };
    let sandbox = Sandbox::new(&config).expect("a sandbox");
    for bytes in [&b"\0asm\x0d\0\x01\0garbage"[..], b"\0asm\x01\0\0\0"] {
        sandbox.compile(&order(bytes, "ci", When::Swap)).expect_err("no policy");
    }
    let modules = std::fs::read_dir(folder.path().join("modules")).expect("is there").flatten();
    let files: Vec<_> = modules.flat_map(|version| std::fs::read_dir(version.path()).expect("is there")).collect();
    assert!(files.is_empty(), "{files:?}");
}

#[tokio::test]
async fn who_shares_code_is_bound_by_its_own_grants_and_limits() {
    let (sandbox, bytes) = (sandbox(1), wasm(ALLOW));
    let one = compile(&sandbox, &bytes, "one", When::Start).link(Grants::default()).expect("a policy");
    let two = compile(&sandbox, &bytes, "two", When::Start).link(Grants::ALL).expect("a policy");
    assert!(Arc::ptr_eq(&one.compiled().code, &two.compiled().code));
    assert!(one.probe(&Arc::default(), &Limits { memory: 1, ..Limits::default() }).await.is_err());
    assert!(two.probe(&Arc::default(), &Limits::default()).await.is_ok());
}
