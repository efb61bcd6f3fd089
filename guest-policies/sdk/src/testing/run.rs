//! Runs the cases of the policy that is being tested.

use std::path::Path;

use portcullis_model as model;

use super::Policy;
use super::cases::{Answer, Case, Cases, Outcome};
use crate::native::Context;
use crate::{__private, Decide, Document, Prepare, Verdict, native};

/// Runs `cases/*.yaml` of the package that is being tested; call it from a test.
///
/// # Panics
/// With a list of what is not as expected, and where there are no cases.
pub fn run_cases(decide: Decide) {
    run_cases_with(decide, __private::anything);
}

/// As [`run_cases`], for a policy that checks its settings.
///
/// # Panics
/// With a list of what is not as expected, and where there are no cases.
pub fn run_cases_with(decide: Decide, prepare: Prepare) {
    run_folder(decide, prepare, Path::new("cases"));
}

#[expect(clippy::panic, reason = "called by tests")]
pub(super) fn run_folder(decide: Decide, prepare: Prepare, folder: &Path) {
    let files = Cases::of_folder(folder).unwrap_or_else(|error| panic!("{error}"));
    let mut failures = Vec::new();
    let mut count = 0_usize;
    for file in &files {
        for case in &file.cases {
            count += 1;
            if let Err(problem) = run(decide, prepare, case, file.folder()) {
                failures.push(format!("{}: {}: {problem}", file.path.display(), case.note));
            }
        }
    }
    if count == 0 {
        panic!("there are no cases");
    }
    if !failures.is_empty() {
        panic!("{} of {count} cases are not as expected:\n{}", failures.len(), failures.join("\n"));
    }
}

fn run(decide: Decide, prepare: Prepare, case: &Case, folder: &Path) -> Result<(), String> {
    let given = case.given(folder).map_err(|error| error.to_string())?;
    let settings = Document(native::types::Document::Json(given.settings.clone()));
    let prepared = prepare(&settings).map_err(|reason| model::Reason::new(&reason).to_string());
    let context = Context { settings: given.settings, state: given.state, log: Vec::new(), obligations: Vec::new() };
    let mut policy = Policy::with(decide, given.data, context);
    let answer = match (prepared, given.request) {
        (Err(reason), _) => Answer::Settings(reason),
        (Ok(()), Ok(request)) => Answer::Verdict(verdict(policy.ask_about(request))),
        (Ok(()), Err(rule)) => Answer::Refused(rule),
    };
    let demanded = policy.demanded().iter().map(ToString::to_string).collect();
    let outcome = Outcome { answer, demanded, state: policy.kept().clone() };
    case.check(&outcome).map_err(|mismatch| mismatch.to_string())
}

/// As the host has it, the reason as it shows it.
fn verdict(verdict: Verdict) -> model::Verdict {
    match verdict {
        Verdict::Allow => model::Verdict::Allow,
        Verdict::Deny(reason) => model::Verdict::Deny(model::Reason::new(&reason)),
        Verdict::Abstain => model::Verdict::Abstain,
    }
}
