//! Nothing is allowed until somebody says hello, by creating a container of the image `hello-world`.

use portcullis_policy::{Document, Request, Verdict, policy, state};

policy!(decide, prepare);

/// Is there once somebody has said hello.
const GATE: &str = "said-hello";

const DENIAL: &str = "The request authorization failed. You must say hello first";

/// It takes none.
pub fn prepare(settings: &Document) -> Result<(), String> {
    settings.check(&[])
}

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    if state::get(GATE).is_some() {
        return Verdict::allow();
    }
    if !says_hello(request) {
        return Verdict::deny(DENIAL);
    }
    // Where another call said it at the same time, the gate is as open.
    state::compare_and_set(GATE, None, Some(b"true"));
    Verdict::allow()
}

/// Any tag or digest will do, with or without `docker.io/library/`.
fn says_hello(request: &Request) -> bool {
    request.operation() == "ContainerCreate"
        && request.image().is_some_and(|image| image.name() == "docker.io/library/hello-world")
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing::{self, Call, Policy, json};

    use super::*;

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }

    #[test]
    fn the_gate_stays_open() {
        let create = |image| Call::post("/v1.41/containers/create").body(json!({ "Image": image }));
        let mut policy = Policy::new(decide);
        assert_eq!(policy.ask(&create("alpine")), Verdict::deny(DENIAL));
        assert_eq!(policy.ask(&create("hello-world")), Verdict::allow());
        assert_eq!(policy.ask(&create("alpine")), Verdict::allow());
        assert_eq!(policy.ask(&create("hello-world")), Verdict::allow());
        assert_eq!(policy.kept().get(GATE).map(Vec::as_slice), Some(&b"true"[..]));

        let mut closed = Policy::new(decide);
        assert_eq!(closed.ask(&create("alpine")), Verdict::deny(DENIAL), "the state is the policy's own");
    }
}
