//! The two seeds, walked with every release of the real dockerd and the real `docker` command.

use portcullis_tests::walk::{Stage, Step, hello, tutorial};
use portcullis_tests::{Release, Result};

portcullis_tests::for_each_release!(the_walk_of_both_seeds_goes_as_expected, walk);

fn walk(release: Release) -> Result<()> {
    let mut stage = Stage::set(release)?;
    for step in hello::STEPS.iter().chain(tutorial::STEPS) {
        check(&mut stage, step)?;
    }
    Ok(())
}

fn check(stage: &mut Stage, step: &Step) -> Result<()> {
    let outcome = stage.play(step)?;
    let answer = &outcome.answer;
    assert_eq!(
        outcome.difference, None,
        "{}: `{}` as {} was expected so: {}\n{}{}",
        step.title, step.command, step.caller, step.expected, answer.stdout, answer.stderr
    );
    Ok(())
}
