//! What the host answers, and how the policies' verdicts become that answer.

use std::time::Duration;

use crate::fault::Fault;
use crate::name::{Digest, Generation, PolicyName};
use crate::verdict::{Reason, Verdict};

/// Whether a policy's verdict counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    #[default]
    Enforce,
    /// Asked and logged; its verdict does not count.
    Observe,
}

/// Whose a policy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The host's: asked for every call.
    Host,
    /// The tenant's own.
    Tenant,
}

/// What the host says when no policy says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum DefaultVerdict {
    Allow,
    #[default]
    Deny,
}

/// What became of asking one policy.
pub type Judgement = Result<Verdict, Fault>;

/// One policy's part in a decision.
#[derive(Clone, Debug)]
pub struct Opinion {
    pub policy: PolicyName,
    pub origin: Origin,
    /// None where the policy's file could not be read.
    pub digest: Option<Digest>,
    pub mode: Mode,
    pub judgement: Judgement,
    pub took: Duration,
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Allow,
    /// With the text that the caller is shown.
    Deny(Reason),
}

/// Why the answer is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A policy allowed and none denied.
    Allowed,
    /// A policy denied.
    Denied { policy: PolicyName },
    /// A policy did not answer properly.
    Fault { policy: PolicyName, fault: Fault },
    /// No policy said anything.
    Default,
    /// The call is allowed without asking (`/_ping`).
    Exempt,
    /// A rule of the host, by its name: no policy was asked.
    Rule(&'static str),
    /// The plugin call itself could not be read.
    BadCall,
    /// It cannot be told which tenant the caller belongs to.
    Unplaced,
    /// The host or the tenant has no room.
    Overloaded,
    /// The operator's data cannot be read, so no policy can be asked.
    Data,
    /// The host itself failed.
    Internal,
}

/// What the host answers to one call.
#[derive(Clone, Debug)]
pub struct Decision {
    pub answer: Answer,
    pub cause: Cause,
    pub generation: Generation,
    /// In the order in which they were asked.
    pub opinions: Vec<Opinion>,
}

// === impl Origin ===

impl Origin {
    /// A word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Tenant => "tenant",
        }
    }
}

// === impl Answer ===

impl Answer {
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow)
    }

    pub fn deny(text: &str) -> Self {
        Self::Deny(Reason::new(text))
    }
}

// === impl Cause ===

impl Cause {
    /// A word for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied { .. } => "denied",
            Self::Fault { .. } => "fault",
            Self::Default => "default",
            Self::Exempt => "exempt",
            Self::Rule(_) => "rule",
            Self::BadCall => "bad-call",
            Self::Unplaced => "unplaced",
            Self::Overloaded => "overloaded",
            Self::Data => "data",
            Self::Internal => "internal",
        }
    }
}

// === impl Decision ===

impl Decision {
    /// A denial that no policy was asked about.
    pub fn refuse(cause: Cause, text: &str, generation: Generation) -> Self {
        Self { answer: Answer::deny(text), cause, generation, opinions: Vec::new() }
    }

    /// Combines what the policies said. Deny wins and a fault denies, the first of either giving the reason; then an
    /// allow is needed; then the default decides. A policy that is only observed does not count.
    pub fn combine(opinions: Vec<Opinion>, default: DefaultVerdict, generation: Generation) -> Self {
        let mut allowed = false;
        let mut denial = None;
        for opinion in opinions.iter().filter(|opinion| opinion.mode == Mode::Enforce) {
            let policy = &opinion.policy;
            match &opinion.judgement {
                Ok(Verdict::Allow) => allowed = true,
                Ok(Verdict::Abstain) => {}
                Ok(Verdict::Deny(reason)) if denial.is_none() => {
                    denial = Some((Cause::Denied { policy: policy.clone() }, format!("{policy}: {reason}")));
                }
                Err(fault) if denial.is_none() => {
                    let cause = Cause::Fault { policy: policy.clone(), fault: fault.clone() };
                    denial = Some((cause, format!("{policy}: {}", fault.told())));
                }
                Ok(Verdict::Deny(_)) | Err(_) => {}
            }
        }
        let (answer, cause) = match (denial, allowed, default) {
            (Some((cause, text)), _, _) => (Answer::deny(&text), cause),
            (None, true, _) => (Answer::Allow, Cause::Allowed),
            (None, false, DefaultVerdict::Allow) => (Answer::Allow, Cause::Default),
            (None, false, DefaultVerdict::Deny) => (Answer::deny("no policy allows this"), Cause::Default),
        };
        Self { answer, cause, generation, opinions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinion(name: &str, mode: Mode, judgement: Judgement) -> Opinion {
        let policy = PolicyName::new(name).expect("a good name");
        Opinion { policy, origin: Origin::Host, digest: None, mode, judgement, took: Duration::ZERO }
    }

    fn deny(text: &str) -> Judgement {
        Ok(Verdict::Deny(Reason::new(text)))
    }

    fn answer(opinions: &[(Mode, Judgement)], default: DefaultVerdict) -> (String, &'static str) {
        let opinions = opinions
            .iter()
            .zip('a'..)
            .map(|((mode, judgement), name)| opinion(&name.to_string(), *mode, judgement.clone()));
        let decision = Decision::combine(opinions.collect(), default, Generation(1));
        let text = match &decision.answer {
            Answer::Allow => "allow".to_owned(),
            Answer::Deny(reason) => reason.to_string(),
        };
        (text, decision.cause.kind())
    }

    /// A note; what is said; the default; the answer; the kind of its cause.
    type Case = (&'static str, Vec<(Mode, Judgement)>, DefaultVerdict, &'static str, &'static str);

    #[test]
    fn deny_wins_an_allow_is_needed_and_faults_deny() {
        use DefaultVerdict as D;
        use Mode::{Enforce as E, Observe as O};
        let (allow, abstain) = (|| Ok(Verdict::Allow), || Ok(Verdict::Abstain));
        let fault = || Err(Fault::StackOverflow);
        let none = "no policy allows this";
        #[rustfmt::skip]
        let cases: [Case; 12] = [
            ("no policy", vec![], D::Deny, none, "default"),
            ("no policy, default allow", vec![], D::Allow, "allow", "default"),
            ("one allows", vec![(E, allow())], D::Deny, "allow", "allowed"),
            ("all abstain", vec![(E, abstain()), (E, abstain())], D::Deny, none, "default"),
            ("all abstain, default allow", vec![(E, abstain())], D::Allow, "allow", "default"),
            ("abstain and allow", vec![(E, abstain()), (E, allow())], D::Deny, "allow", "allowed"),
            ("allow, then deny", vec![(E, allow()), (E, deny("no"))], D::Allow, "b: no", "denied"),
            ("two denials: the first speaks", vec![(E, deny("one")), (E, deny("two"))], D::Deny, "a: one", "denied"),
            ("a fault denies", vec![(E, allow()), (E, fault())], D::Allow, "b: the policy ran out of stack", "fault"),
            ("observed denial", vec![(O, deny("no")), (E, allow())], D::Deny, "allow", "allowed"),
            ("observed fault", vec![(O, fault()), (E, allow())], D::Deny, "allow", "allowed"),
            ("an observed allow does not count", vec![(O, allow())], D::Deny, none, "default"),
        ];
        for (note, opinions, default, text, kind) in cases {
            assert_eq!(answer(&opinions, default), (text.to_owned(), kind), "{note}");
        }
    }
}
