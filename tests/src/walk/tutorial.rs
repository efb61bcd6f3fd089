//! "Docker Authorization" (Open Policy Agent's tutorial, 2016): allow, deny, seccomp, users and their roles.

use super::{Caller, Change, Expected, Step};

const USERS: &str = r#"{
    "bob": { "readOnly": true },
    "alice": { "readOnly": false }
}
"#;
const TRUST_HEADER: &str = "[settings]\nuser_header = \"Authz-User\"\n";
const TRUST_CERTIFICATE: &str = "";
const RUN: &str = "docker run hello-world";
const GREETING: Expected = Expected::Prints("Hello from Docker!");

pub const STEPS: &[Step] = &[
    Step {
        title: "Allow everything (steps 5 to 8 of the tutorial)",
        changes: &[Change::Policy { name: "allow-all", toml: "" }, Change::NoPolicy { name: "say-hello" }],
        caller: Caller::Anybody,
        command: "docker ps",
        expected: Expected::Prints("CONTAINER ID"),
    },
    Step {
        title: "Deny everything (step 9)",
        changes: &[Change::Policy { name: "deny-all", toml: "" }],
        caller: Caller::Anybody,
        command: "docker ps",
        expected: Expected::Denied("deny-all: request rejected by administrative policy"),
    },
    Step {
        title: "A container with the default seccomp profile may run (steps 10 and 11)",
        changes: &[
            Change::Policy { name: "seccomp", toml: "" },
            Change::NoPolicy { name: "allow-all" },
            Change::NoPolicy { name: "deny-all" },
        ],
        caller: Caller::Anybody,
        command: RUN,
        expected: GREETING,
    },
    Step {
        title: "One without seccomp may not, as the tutorial spells it",
        changes: &[],
        caller: Caller::Anybody,
        command: "docker run --security-opt seccomp:unconfined hello-world",
        expected: Expected::Denied("seccomp: a container without a seccomp profile is not allowed"),
    },
    Step {
        title: "… nor as everybody else spells it",
        changes: &[],
        caller: Caller::Anybody,
        command: "docker run --security-opt seccomp=unconfined hello-world",
        expected: Expected::Denied("seccomp: a container without a seccomp profile is not allowed"),
    },
    Step {
        title: "Bob may look (steps 12 to 14)",
        changes: &[
            Change::Data { name: "users", json: USERS },
            Change::Policy { name: "user-roles", toml: TRUST_HEADER },
        ],
        caller: Caller::Claiming("bob"),
        command: "docker ps",
        expected: Expected::Prints("CONTAINER ID"),
    },
    Step {
        title: "Bob may not run anything (step 15)",
        changes: &[],
        caller: Caller::Claiming("bob"),
        command: RUN,
        expected: Expected::Denied("user-roles: `bob` may only read, and ContainerCreate changes something"),
    },
    Step {
        title: "Alice may (step 16)",
        changes: &[],
        caller: Caller::Claiming("alice"),
        command: RUN,
        expected: GREETING,
    },
    Step {
        title: "… but not without seccomp: both policies are asked",
        changes: &[],
        caller: Caller::Claiming("alice"),
        command: "docker run --security-opt seccomp=unconfined hello-world",
        expected: Expected::Denied("seccomp: a container without a seccomp profile is not allowed"),
    },
    Step {
        title: "Who does not say who they are may do nothing",
        changes: &[],
        caller: Caller::Anybody,
        command: "docker ps",
        expected: Expected::Denied("user-roles: nobody has proved who is calling"),
    },
    Step {
        title: "Who is not known may do nothing",
        changes: &[],
        caller: Caller::Claiming("mallory"),
        command: "docker ps",
        expected: Expected::Denied("user-roles: `mallory` is not a known user"),
    },
    Step {
        title: "A header can be forged, a certificate cannot: only certificates count from here",
        changes: &[Change::Settings { name: "user-roles", toml: TRUST_CERTIFICATE }],
        caller: Caller::Claiming("alice"),
        command: RUN,
        expected: Expected::Denied("user-roles: nobody has proved who is calling"),
    },
    Step { title: "Alice may run", changes: &[], caller: Caller::Certified("alice"), command: RUN, expected: GREETING },
    Step {
        title: "Bob may look",
        changes: &[],
        caller: Caller::Certified("bob"),
        command: "docker ps",
        expected: Expected::Prints("CONTAINER ID"),
    },
    Step {
        title: "Bob may not run anything, even when he calls himself alice",
        changes: &[],
        caller: Caller::CertifiedClaiming { certificate: "bob", header: "alice" },
        command: RUN,
        expected: Expected::Denied("user-roles: `bob` may only read, and ContainerCreate changes something"),
    },
    Step {
        title: "A certificate of somebody unknown helps nothing",
        changes: &[],
        caller: Caller::Certified("mallory"),
        command: "docker ps",
        expected: Expected::Denied("user-roles: `mallory` is not a known user"),
    },
];
