//! The two seeds, walked with the real dockerd and the real `docker` command.

use portcullis_tests::Result;
use portcullis_tests::walk::{Stage, Step, hello, tutorial};

#[test]
fn the_walk_of_both_seeds_goes_as_expected() -> Result<()> {
    let mut stage = Stage::set()?;
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
