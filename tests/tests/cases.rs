//! The cases of every policy, on the policy as it was built and in the sandbox that serves it. Beside the policy the
//! same files run natively.

#![expect(clippy::expect_used, reason = "tests end so")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_engine::{
    CompileRequest, Compiler, Grants, LoadError, Owner, Policy, Question, Sandbox, SandboxConfig, TenantBudget, When,
};
use portcullis_model::Limits;
use portcullis_policy::testing::cases::{Answer, Case, Cases, Outcome};
use portcullis_state::MemoryState;
use portcullis_tests::{Result, artifacts};

/// The policies of this repository: the folders of `guest-policies/` that have cases.
fn policies() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-policies");
    let entries = std::fs::read_dir(folder).expect("the policies' folder");
    let folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.join("cases").is_dir());
    let mut policies: Vec<_> = folders
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), path.join("cases")))
        .collect();
    policies.sort();
    policies
}

#[tokio::test]
async fn every_case_comes_out_in_the_sandbox_as_it_does_natively() -> Result<()> {
    let sandbox =
        Sandbox::new(&SandboxConfig { instances: 1, cache: None, compiler: Compiler::InProcess }).expect("a sandbox");
    let (mut failures, mut count) = (Vec::new(), 0);
    for (name, folder) in policies() {
        let bytes = artifacts::policy_bytes(&name)?;
        let order = CompileRequest { bytes: &bytes, owner: Owner::Host, when: When::Start, metered: false };
        let compiled = sandbox.compile(&order).expect(&name);
        let policy = compiled.link(Grants::ALL).expect(&name);
        for file in Cases::of_folder(&folder).expect("cases") {
            for case in &file.cases {
                count += 1;
                if let Err(problem) = run(&policy, case, file.folder()).await {
                    failures.push(format!("{name}: {}: {}: {problem}", file.path.display(), case.note));
                }
            }
        }
    }
    println!("{count} cases ran in the sandbox");
    assert!(failures.is_empty(), "{} of {count} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 0, "there are no cases");
    Ok(())
}

async fn run(policy: &Policy, case: &Case, folder: &Path) -> Result<(), String> {
    let given = case.given(folder).map_err(|error| error.to_string())?;
    let state = Arc::new(MemoryState::new(given.state));
    let mut demanded = Vec::new();
    let answer = match (policy.probe(&given.settings, &Limits::default()).await, given.request) {
        (Err(LoadError::Settings(reason)), _) => Answer::Settings(reason.to_string()),
        (Err(error), _) => return Err(error.to_string()),
        (Ok(()), Err(rule)) => Answer::Refused(rule),
        (Ok(()), Ok(request)) => {
            let (data, settings) = (given.data, given.settings);
            let question =
                Question { request, data, settings, state: Some(state.clone()), budget: TenantBudget::new(512 << 20) };
            let outcome = policy.decide(question, &Limits::default()).await;
            demanded = outcome.obligations.iter().map(ToString::to_string).collect();
            match outcome.judgement {
                Ok(verdict) => Answer::Verdict(verdict),
                Err(fault) => Answer::Fault(fault.to_string()),
            }
        }
    };
    case.check(&Outcome { answer, demanded, state: state.entries() }).map_err(|mismatch| mismatch.to_string())
}
