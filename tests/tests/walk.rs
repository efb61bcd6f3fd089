//! The two seeds, walked with every release of the real dockerd and the real `docker` command.

use portcullis_tests::walk::{Stage, Step, hello, tutorial};
use portcullis_tests::{Release, Result};

#[test]
fn the_walk_of_both_seeds_goes_as_expected_with_20_10() -> Result<()> {
    walk(Release::V20_10)
}

#[test]
fn the_walk_of_both_seeds_goes_as_expected_with_26_1() -> Result<()> {
    walk(Release::V26_1)
}

#[test]
fn the_walk_of_both_seeds_goes_as_expected_with_28_5() -> Result<()> {
    walk(Release::V28_5)
}

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
