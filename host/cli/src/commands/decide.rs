//! `portcullis decide`

use portcullis_daemon::config::Config;
use portcullis_daemon::decide::Judged;
use portcullis_daemon::decision_log::record::WouldBe;
use portcullis_daemon::offline::Offline;
use portcullis_model::decision::Mode;
use portcullis_model::{Answer, Cause, Decision, Opinion, Verdict};
use serde_json::{Value, json};

use crate::args::Decide;
use crate::commands::{read_config, read_request, runtime};
use crate::exit::{Exit, fail};

pub(crate) fn run(args: &Decide) -> Exit {
    match decide(args) {
        Ok(judged) => {
            let (decision, tenant) = (&judged.decision, judged.tenant.as_ref().map(|tenant| tenant.name.as_str()));
            print(decision, tenant, args.json);
            if decision.answer.is_allow() { Exit::Done } else { Exit::Denied }
        }
        Err(exit) => exit,
    }
}

fn decide(args: &Decide) -> Result<Judged, Exit> {
    let config = read_config(&args.dir.config)?;
    let listener = listener(args, &config)?;
    let call = read_request(&args.request)?;
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let offline = Offline::load(&config).map_err(|error| fail(Exit::Failed, error))?;
    for note in offline.notes() {
        eprintln!("portcullis: {note}");
    }
    Ok(runtime.block_on(offline.decide(call, &listener)))
}

/// The listener that the call is taken to come in by.
fn listener(args: &Decide, config: &Config) -> Result<String, Exit> {
    let names: Vec<_> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    match &args.listener {
        None => Ok(names.first().copied().unwrap_or_default().to_owned()),
        Some(name) if names.contains(&name.as_str()) => Ok(name.clone()),
        Some(name) => {
            let there = names.join(", ");
            Err(fail(Exit::Usage, format_args!("`{name}` is no listener; the configuration has: {there}")))
        }
    }
}

fn print(decision: &Decision, tenant: Option<&str>, as_json: bool) {
    if as_json {
        println!("{:#}", report(decision, tenant));
        return;
    }
    match &decision.answer {
        Answer::Allow => println!("allow ({})", decision.cause.kind()),
        Answer::Deny(reason) => println!("deny ({}): {reason}", decision.cause.kind()),
    }
    if let Some(would) = &decision.would {
        match &would.answer {
            Answer::Allow => println!("  would allow ({}), if all that is observed counted", would.cause.kind()),
            Answer::Deny(reason) => {
                println!("  would deny ({}), if all that is observed counted: {reason}", would.cause.kind());
            }
        }
    }
    println!("  tenant {}", tenant.unwrap_or("cannot be told"));
    for opinion in &decision.opinions {
        let observed = if opinion.mode == Mode::Observe { " (observed)" } else { "" };
        let (verdict, reason) = describe(opinion);
        let colon = if reason.is_empty() { "" } else { ": " };
        println!("  {}{observed} {verdict}{colon}{reason}", opinion.policy);
    }
}

fn report(decision: &Decision, tenant: Option<&str>) -> Value {
    let policies: Vec<_> = decision
        .opinions
        .iter()
        .map(|opinion| {
            let (verdict, reason) = describe(opinion);
            json!({
                "policy": opinion.policy.as_str(),
                "origin": opinion.origin.as_str(),
                "digest": opinion.digest.map(|digest| digest.to_string()),
                "observed": opinion.mode == Mode::Observe,
                "verdict": verdict,
                "reason": reason,
            })
        })
        .collect();
    let reason = match &decision.answer {
        Answer::Allow => None,
        Answer::Deny(reason) => Some(reason.as_str()),
    };
    let rule = if let Cause::Rule(rule) = decision.cause { Some(rule) } else { None };
    json!({
        "answer": if decision.answer.is_allow() { "allow" } else { "deny" },
        "reason": reason,
        "cause": decision.cause.kind(),
        "rule": rule,
        "would": decision.would.as_ref().map(WouldBe::of),
        "tenant": tenant,
        "policies": policies,
    })
}

fn describe(opinion: &Opinion) -> (&'static str, String) {
    match &opinion.judgement {
        Ok(Verdict::Allow) => ("allow", String::new()),
        Ok(Verdict::Abstain) => ("abstain", String::new()),
        Ok(Verdict::Deny(reason)) => ("deny", reason.to_string()),
        Err(fault) => (fault.kind().as_str(), fault.to_string()),
    }
}
