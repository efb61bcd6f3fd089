//! "Develop a Docker Authorization Plugin in Python" (Everett Toews, 2016): the first word must be hello.

use super::{Caller, Change, Expected, Step};

const RUN: &str = r#"docker run alpine /bin/sh -c 'echo "Running an alpine image"'"#;
const SAY_HELLO: Change = Change::Policy { name: "say-hello", toml: "grants = [\"state\"]\n" };

pub const STEPS: &[Step] = &[
    Step {
        title: "Without any policy, nothing is allowed",
        changes: &[],
        caller: Caller::Anybody,
        command: "docker ps",
        expected: Expected::Denied("no policy allows this"),
    },
    Step {
        title: "You must say hello first",
        changes: &[SAY_HELLO],
        caller: Caller::Anybody,
        command: RUN,
        expected: Expected::Denied("say-hello: The request authorization failed. You must say hello first"),
    },
    Step {
        title: "Say hello",
        changes: &[],
        caller: Caller::Anybody,
        command: "docker run hello-world",
        expected: Expected::Prints("Hello from Docker!"),
    },
    Step {
        title: "From now on everything is allowed",
        changes: &[],
        caller: Caller::Anybody,
        command: RUN,
        expected: Expected::Prints("Running an alpine image"),
    },
    Step {
        title: "Portcullis remembers, even when it is killed",
        changes: &[Change::Crash],
        caller: Caller::Anybody,
        command: RUN,
        expected: Expected::Prints("Running an alpine image"),
    },
];
