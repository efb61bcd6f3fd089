//! The sandbox as its users have it, with guests that are written for one rule each.

mod instructions;
mod large;
mod memory;
mod request;
mod scheduler;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_model::{Limits, PolicyOutcome, TenantName};
use tokio::task::JoinHandle;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::host::state::State;
use crate::{
    CompileRequest, Compiler, Grant, Grants, Owner, Policy, Question, Sandbox, SandboxConfig, TenantBudget, When,
};

pub(crate) const ALLOW: &str = include_str!("../../../../tests/guests/allow.wat");
const MEBIBYTE: usize = 1 << 20;
/// Longer than any test.
const FOREVER: Limits = Limits { deadline: Duration::from_secs(600), ..limits() };

const fn limits() -> Limits {
    Limits {
        deadline: Duration::from_millis(20),
        memory: 32 << 20,
        table_elements: 100,
        log_lines: 0,
        instructions: None,
        state: portcullis_model::limits::StateLimits { keys: 0, bytes: 0 },
    }
}

/// Never answers, and holds so much memory meanwhile.
fn spin(pages: u32) -> String {
    decide(pages, "", "(loop $forever (br $forever))")
}

/// Allows, after so many rounds of a loop.
fn count(rounds: u32) -> String {
    decide(1, "", &rounds_of(rounds))
}

fn rounds_of(rounds: u32) -> String {
    format!(
        "(local.set $round (i32.const {rounds}))
         (loop $again (br_if $again (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))"
    )
}

/// A policy that does something and allows.
fn decide(pages: u32, imports: &str, body: &str) -> String {
    format!(
        r#"(module
          (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
          (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
          {imports}
          (memory (export "memory") {pages})
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
          (func (export "portcullis:policy/authorizer@0.2.0#decide") (param $request i32) (param $data i32) (result i32)
            (local $round i32)
            (call $drop_request (local.get $request))
            (call $drop_document (local.get $data))
            {body}
            (i32.store8 (i32.const 0) (i32.const 0))
            (i32.const 0)))"#
    )
}

/// What a policy's build leaves.
pub(crate) fn wasm(text: &str) -> Vec<u8> {
    let mut bytes = wat::parse_str(text).expect("a module");
    let mut resolve = Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(&contract).expect("the contract");
    let world = resolve.select_world(&[package], Some("policy")).expect("its world");
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8).expect("fits");
    bytes
}

pub(crate) fn sandbox(instances: u32) -> Sandbox {
    Sandbox::new(&SandboxConfig { instances, cache: None, compiler: Compiler::InProcess }).expect("a sandbox")
}

pub(crate) fn tenant(name: &str) -> Owner {
    Owner::Tenant(TenantName::new(name).expect("a name"))
}

fn load(sandbox: &Sandbox, text: &str, metered: bool) -> Policy {
    let bytes = wasm(text);
    let order = CompileRequest { bytes: &bytes, owner: tenant("ci"), when: When::Start, metered };
    sandbox.compile(&order).and_then(|compiled| compiled.link(Grants::ALL)).expect("a policy")
}

async fn ask(policy: &Policy, budget: &Arc<TenantBudget>, limits: &Limits) -> PolicyOutcome {
    policy.decide(question(budget, None), limits).await.judgement
}

fn question(budget: &Arc<TenantBudget>, state: Option<Arc<dyn State>>) -> Question {
    let budget = Arc::clone(budget);
    Question { request: Arc::new(request::Nothing), data: Arc::default(), settings: Arc::default(), state, budget }
}

/// Asks on a task of its own.
fn start(policy: &Policy, budget: &Arc<TenantBudget>, limits: &Limits) -> JoinHandle<PolicyOutcome> {
    let (policy, budget, limits) = (policy.clone(), Arc::clone(budget), limits.clone());
    tokio::spawn(async move { ask(&policy, &budget, &limits).await })
}

/// Ends what runs, wherever it is.
async fn abort(tasks: impl IntoIterator<Item = JoinHandle<PolicyOutcome>>) {
    for task in tasks {
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()), "it ran until it was ended");
    }
}

async fn until(what: impl Fn() -> bool) {
    while !what() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_set_has_what_it_was_named_and_nothing_else() {
    for grant in Grant::ALL {
        let only = Grants::from_names([grant.name()]).expect("a grant");
        assert_eq!(only.iter().collect::<Vec<_>>(), [*grant]);
        assert_eq!(Grants::from_names(["log", "nothing"]).expect_err("refused").0, "nothing");
    }
    let all = Grants::from_names(Grant::ALL.iter().map(|grant| grant.name())).expect("grants");
    assert_eq!((all, all.to_string().as_str()), (Grants::ALL, "log, state, obligations"));
    assert_eq!(Grants::default().iter().count(), 0);
}
