//! `make demo`: walks the two seeds before your eyes. Exits with 1 if any step differs from what was expected. `demo 28.5`
//! walks them with another release of Docker than the installed one.

use std::process::ExitCode;

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};
use portcullis_tests::walk::{Outcome, Stage, Step, hello, tutorial};
use portcullis_tests::{Release, Result};

const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

const PARTS: [(&str, &[Step]); 2] = [
    ("You must say hello first", hello::STEPS),
    ("Docker authorization, by policies that are dropped in while the daemon runs", tutorial::STEPS),
];

fn main() -> ExitCode {
    match release().and_then(walk) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{BAD}the walk could not be made{BAD:#}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn release() -> Result<Release> {
    std::env::args().nth(1).map_or(Ok(Release::default()), |name| name.parse())
}

/// Says how many steps differ.
fn walk(release: Release) -> Result<usize> {
    println!("{FAINT}Starting Portcullis without any policy, and a throwaway dockerd that asks it.{FAINT:#}");
    let mut stage = Stage::set(release)?;
    let (mut number, mut differing) = (0, 0);
    for (title, steps) in PARTS {
        println!("\n{STRONG}{title}{STRONG:#}");
        for step in steps {
            number += 1;
            announce(number, step);
            let outcome = stage.play(step)?;
            report(step, &outcome);
            differing += usize::from(outcome.difference.is_some());
        }
    }
    println!("\n{}", summary(number, differing));
    Ok(differing)
}

fn announce(number: usize, step: &Step) {
    println!("\n{STRONG}{number}. {}{STRONG:#}", step.title);
    for change in step.changes {
        println!("   {change}");
    }
    println!("   {FAINT}as {}{FAINT:#}", step.caller);
    println!("   $ {}", step.command);
}

fn report(step: &Step, outcome: &Outcome) {
    let printed = outcome.answer.stdout.lines().chain(outcome.answer.stderr.lines());
    for line in printed.filter(|line| !line.trim().is_empty()) {
        println!("   {FAINT}│{FAINT:#} {line}");
    }
    match &outcome.difference {
        None => println!("   {GOOD}✓{GOOD:#} as expected: {}", step.expected),
        Some(difference) => println!("   {BAD}✗ {difference}{BAD:#}; expected: {}", step.expected),
    }
}

fn summary(number: usize, differing: usize) -> String {
    match differing {
        0 => format!("{GOOD}✓ all {number} steps as expected{GOOD:#}"),
        _ => format!("{BAD}✗ {differing} of {number} steps differ{BAD:#}"),
    }
}
