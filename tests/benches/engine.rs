//! What asking one policy costs, without the socket: a fresh instance, one `decide`, and its host calls.

#![expect(clippy::expect_used, reason = "benchmarks end so")]

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis_docker::{NoResolve, Reader, Rules, wire};
use portcullis_engine::{
    CompileRequest, Compiler, Grants, Owner, Policy, Question, Sandbox, SandboxConfig, TenantBudget, When,
};
use portcullis_model::{Data, Limits, Request};
use portcullis_tests::{artifacts, guests};
use tokio::runtime::Runtime;

const CREATE: &[u8] = include_bytes!("../data/create-allowed.json");
/// The same, and it meets `restricted`.
const RESTRICTED: &[u8] = include_bytes!("../data/create-restricted.json");

fn question(call: &[u8]) -> Question {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let request = reader.read(wire::read_call(call).expect("a call")).expect("a request");
    let users = portcullis_docker::json::read(br#"{"alice":{"readOnly":false}}"#, portcullis_docker::json::Shape::Any);
    let data = Data::new([("users".to_owned(), Arc::new(users.expect("a document")))]);
    let settings =
        portcullis_docker::json::read(br#"{"user_header":"Authz-User"}"#, portcullis_docker::json::Shape::Any);
    let request: Arc<dyn Request> = Arc::new(request);
    let settings = Arc::new(settings.expect("a document"));
    Question { request, data: Arc::new(data), settings, state: None, budget: TenantBudget::new(512 << 20) }
}

fn load(sandbox: &Sandbox, bytes: &[u8]) -> Policy {
    let order = CompileRequest { bytes, owner: Owner::Host, when: When::Start, metered: false };
    sandbox.compile(&order).and_then(|compiled| compiled.link(Grants::ALL)).expect("a policy")
}

fn decide(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let sandbox =
        Sandbox::new(&SandboxConfig { instances: 128, cache: None, compiler: Compiler::InProcess }).expect("a sandbox");
    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(1));
    let allow = load(&sandbox, &guests::wasm("allow").expect("a guest"));
    let built = |name| load(&sandbox, &artifacts::policy_bytes(name).expect("built"));
    let policies = [
        ("nothing asked", allow, CREATE),
        ("seccomp", built("seccomp"), CREATE),
        ("user-roles", built("user-roles"), CREATE),
        ("restricted", built("restricted"), RESTRICTED),
    ];
    let limits = Limits::default();
    for (name, policy, call) in &policies {
        let question = question(call);
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let outcome = runtime.block_on(policy.decide(question.clone(), &limits));
                assert!(outcome.judgement.is_ok());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
