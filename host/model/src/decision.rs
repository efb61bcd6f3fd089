//! What the host answers, and how the policies' verdicts become that answer.

use std::sync::Arc;
use std::time::Duration;

use crate::fault::Fault;
use crate::name::{Digest, Generation, PolicyName};
use crate::obligation::{Contradiction, Demands};
use crate::verdict::{Reason, Verdict};

/// Whether a policy's verdict counts; or a tenant's own policies', and its default.
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
pub type PolicyOutcome = Result<Verdict, Fault>;

/// One policy's part in a decision.
#[derive(Clone, Debug)]
pub struct Opinion {
    pub policy: PolicyName,
    pub origin: Origin,
    /// None where the policy's file could not be read.
    pub digest: Option<Digest>,
    /// Whether this counted: the policy's own mode, or that of an observed tenant whose own policy it is.
    pub mode: Mode,
    pub judgement: PolicyOutcome,
    /// What it demands of the call.
    pub demands: Demands,
    /// What the operator adds to a denial of this policy.
    pub remark: Option<Arc<Reason>>,
    pub took: Duration,
    /// Where that time went.
    pub spent: Spent,
}

/// Where the time went that asking one policy took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Waiting for an instance, and for a turn.
    pub waiting: Duration,
    /// Making the instance.
    pub starting: Duration,
    /// In the policy, and in what it asked of the host.
    pub deciding: Duration,
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
    /// The call is not as a policy demands.
    Unmet { policy: PolicyName },
    /// Two policies demand what no call can have together.
    Contradiction { policy: PolicyName, other: PolicyName },
    /// No policy said anything that counts: the tenant's default, which is to allow while the tenant is observed.
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
    /// The decision's record cannot be written, and nothing is allowed without.
    Log,
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
    /// What would have been answered, had everything that is only observed counted; none where that is the answer.
    pub would: Option<Would>,
}

/// An answer that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Would {
    pub answer: Answer,
    pub cause: Cause,
}

// === impl Mode ===

impl Mode {
    /// The word of configurations and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
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

// === impl Opinion ===

impl Opinion {
    /// Whether it would have denied, and did not count.
    pub fn would_deny(&self) -> bool {
        self.mode == Mode::Observe
            && (matches!(self.judgement, Ok(Verdict::Deny(_)) | Err(_)) || self.demands.unmet.is_some())
    }

    /// What the caller is told, with what the operator adds.
    fn denial(&self, text: &str) -> Answer {
        let reason = Reason::new(&format!("{}: {text}", self.policy));
        Answer::Deny(match &self.remark {
            Some(remark) => reason.with_remark(remark),
            None => reason,
        })
    }
}

// === impl Answer ===

impl Answer {
    pub fn is_allow(&self) -> bool {
        matches!(self, Self::Allow)
    }

    /// A word for logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny(_) => "deny",
        }
    }

    /// What the caller is told of a denial.
    pub fn reason(&self) -> Option<&str> {
        if let Self::Deny(reason) = self { Some(reason.as_str()) } else { None }
    }

    pub fn deny(text: &str) -> Self {
        Self::Deny(Reason::new(text))
    }
}

// === impl Cause ===

impl Cause {
    /// The host rule that denied.
    pub fn rule(&self) -> Option<&'static str> {
        if let Self::Rule(rule) = *self { Some(rule) } else { None }
    }

    /// A word for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied { .. } => "denied",
            Self::Fault { .. } => "fault",
            Self::Unmet { .. } => "unmet",
            Self::Contradiction { .. } => "contradiction",
            Self::Default => "default",
            Self::Exempt => "exempt",
            Self::Rule(_) => "rule",
            Self::BadCall => "bad-call",
            Self::Unplaced => "unplaced",
            Self::Overloaded => "overloaded",
            Self::Data => "data",
            Self::Log => "log",
            Self::Internal => "internal",
        }
    }
}

// === impl Decision ===

impl Decision {
    /// A denial that no policy was asked about.
    pub fn refuse(cause: Cause, text: &str, generation: Generation) -> Self {
        Self { answer: Answer::deny(text), cause, generation, opinions: Vec::new(), would: None }
    }

    /// Combines what the policies said. Deny wins and a fault denies, the first of either giving the reason; then an
    /// allow is needed; then the default decides. A policy that is only observed does not count. Of an observed tenant
    /// neither its own policies nor its default count: whatever no host-wide policy denies is allowed. What would be allowed
    /// must then be as those demand whose opinion counts; `contradiction` is asked whether it can be.
    pub fn combine(
        opinions: Vec<Opinion>,
        default: DefaultVerdict,
        tenant: Mode,
        generation: Generation,
        contradiction: Contradictions<'_>,
    ) -> Self {
        let mut opinions = opinions;
        if tenant == Mode::Observe {
            opinions.iter_mut().filter(|own| own.origin == Origin::Tenant).for_each(|own| own.mode = Mode::Observe);
        }
        let counting = opinions.iter().filter(|opinion| opinion.mode == Mode::Enforce);
        let (answer, cause) = match tenant {
            Mode::Enforce => conclude(counting, default, contradiction),
            Mode::Observe => conclude(counting, DefaultVerdict::Allow, contradiction),
        };
        let is_observed = tenant == Mode::Observe || opinions.iter().any(|opinion| opinion.mode == Mode::Observe);
        let would = is_observed
            .then(|| conclude(opinions.iter(), default, contradiction))
            .filter(|(would, _)| *would != answer);
        let would = would.map(|(answer, cause)| Would { answer, cause });
        Self { answer, cause, generation, opinions, would }
    }

    /// Whether it allows what would have been denied, had everything that is only observed counted.
    pub fn would_deny(&self) -> bool {
        self.answer.is_allow() && self.would.as_ref().is_some_and(|would| !would.answer.is_allow())
    }
}

/// Finds two of these that no call can meet together.
pub type Contradictions<'a> = &'a dyn Fn(&[&Opinion]) -> Option<Contradiction>;

/// What these opinions come to.
fn conclude<'a>(
    opinions: impl Iterator<Item = &'a Opinion>,
    default: DefaultVerdict,
    contradiction: Contradictions<'_>,
) -> (Answer, Cause) {
    let (mut allowed, mut demanding) = (false, Vec::new());
    for opinion in opinions {
        if !opinion.demands.obligations.is_empty() {
            demanding.push(opinion);
        }
        let policy = || opinion.policy.clone();
        match &opinion.judgement {
            Ok(Verdict::Allow) => allowed = true,
            Ok(Verdict::Abstain) => {}
            Ok(Verdict::Deny(reason)) => {
                return (opinion.denial(reason.as_str()), Cause::Denied { policy: policy() });
            }
            Err(fault) => {
                return (
                    opinion.denial(fault.public_message()),
                    Cause::Fault { policy: policy(), fault: fault.clone() },
                );
            }
        }
    }
    let unmet = if allowed || default == DefaultVerdict::Allow { unmet(&demanding, contradiction) } else { None };
    if let Some(unmet) = unmet {
        return unmet;
    }
    match (allowed, default) {
        (true, _) => (Answer::Allow, Cause::Allowed),
        (false, DefaultVerdict::Allow) => (Answer::Allow, Cause::Default),
        (false, DefaultVerdict::Deny) => (Answer::deny("no policy allows this"), Cause::Default),
    }
}

/// Why a call that would be allowed is not, for what is demanded of it.
fn unmet(demanding: &[&Opinion], contradiction: Contradictions<'_>) -> Option<(Answer, Cause)> {
    if demanding.is_empty() {
        return None;
    }
    if let Some(Contradiction { policy, other, about }) = contradiction(demanding) {
        let text = format!("`{policy}` and `{other}` demand different things of `{about}`, so nothing is allowed");
        return Some((Answer::deny(&text), Cause::Contradiction { policy, other }));
    }
    let (opinion, text) = demanding.iter().find_map(|opinion| Some((opinion, opinion.demands.unmet.as_ref()?)))?;
    Some((opinion.denial(text), Cause::Unmet { policy: opinion.policy.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::obligation::Obligation;

    fn opinion(name: &str, origin: Origin, mode: Mode, judgement: PolicyOutcome) -> Opinion {
        let policy = PolicyName::new(name).expect("a good name");
        let spent = Spent::default();
        let demands = Demands::default();
        Opinion { policy, origin, digest: None, mode, judgement, demands, remark: None, took: Duration::ZERO, spent }
    }

    fn deny(text: &str) -> PolicyOutcome {
        Ok(Verdict::Deny(Reason::new(text)))
    }

    fn allow() -> PolicyOutcome {
        Ok(Verdict::Allow)
    }

    fn abstain() -> PolicyOutcome {
        Ok(Verdict::Abstain)
    }

    fn fault() -> PolicyOutcome {
        Err(Fault::StackOverflow)
    }

    /// Policies `a`, `b`, … and what they say.
    fn decide(said: Vec<(Origin, Mode, PolicyOutcome)>, default: DefaultVerdict, tenant: Mode) -> Decision {
        let opinions = said.into_iter().zip('a'..);
        let opinions =
            opinions.map(|((origin, mode, judgement), name)| opinion(&name.to_string(), origin, mode, judgement));
        Decision::combine(opinions.collect(), default, tenant, Generation(1), &|_| None)
    }

    fn text(answer: &Answer) -> String {
        match answer {
            Answer::Allow => "allow".to_owned(),
            Answer::Deny(reason) => reason.to_string(),
        }
    }

    const NONE: &str = "no policy allows this";

    /// A note; what is said; the default; the answer; the kind of its cause.
    type Case = (&'static str, Vec<(Mode, PolicyOutcome)>, DefaultVerdict, &'static str, &'static str);

    #[test]
    fn deny_wins_an_allow_is_needed_and_faults_deny() {
        use DefaultVerdict as D;
        use Mode::{Enforce as E, Observe as O};
        #[rustfmt::skip]
        let cases: [Case; 12] = [
            ("no policy", vec![], D::Deny, NONE, "default"),
            ("no policy, default allow", vec![], D::Allow, "allow", "default"),
            ("one allows", vec![(E, allow())], D::Deny, "allow", "allowed"),
            ("all abstain", vec![(E, abstain()), (E, abstain())], D::Deny, NONE, "default"),
            ("all abstain, default allow", vec![(E, abstain())], D::Allow, "allow", "default"),
            ("abstain and allow", vec![(E, abstain()), (E, allow())], D::Deny, "allow", "allowed"),
            ("allow, then deny", vec![(E, allow()), (E, deny("no"))], D::Allow, "b: no", "denied"),
            ("two denials: the first speaks", vec![(E, deny("one")), (E, deny("two"))], D::Deny, "a: one", "denied"),
            ("a fault denies", vec![(E, allow()), (E, fault())], D::Allow, "b: the policy ran out of stack", "fault"),
            ("observed denial", vec![(O, deny("no")), (E, allow())], D::Deny, "allow", "allowed"),
            ("observed fault", vec![(O, fault()), (E, allow())], D::Deny, "allow", "allowed"),
            ("an observed allow does not count", vec![(O, allow())], D::Deny, NONE, "default"),
        ];
        for (note, said, default, answer, kind) in cases {
            let said = said.into_iter().map(|(mode, judgement)| (Origin::Host, mode, judgement)).collect();
            let decision = decide(said, default, Mode::Enforce);
            assert_eq!((text(&decision.answer).as_str(), decision.cause.kind()), (answer, kind), "{note}");
        }
    }

    #[test]
    fn a_denial_carries_what_the_operator_adds_and_what_is_too_long_gives_way_to_it() {
        let remark = Arc::new(Reason::new("help: ask #platform"));
        for (said, expected) in [
            (deny("no"), "a: no; help: ask #platform".to_owned()),
            (fault(), "a: the policy ran out of stack; help: ask #platform".to_owned()),
            (deny(&"é".repeat(300)), format!("a: {}…; help: ask #platform", "é".repeat(226))),
            (allow(), "allow".to_owned()),
        ] {
            let mut opinions = vec![opinion("a", Origin::Host, Mode::Enforce, said)];
            opinions[0].remark = Some(Arc::clone(&remark));
            let decision = Decision::combine(opinions, DefaultVerdict::Deny, Mode::Enforce, Generation(1), &|_| None);
            assert_eq!(text(&decision.answer), expected);
            if let Answer::Deny(reason) = &decision.answer {
                let tagged = reason.tagged("7Q2M9X4KPD");
                assert_eq!(tagged.as_str(), format!("{expected} [7Q2M9X4KPD]"));
                assert!(tagged.as_str().len() <= Reason::MAX);
            }
        }
    }

    /// A note; what is said; the default; the tenant's mode; the answer, and what it would have been where that differs.
    type Observed =
        (&'static str, Vec<(Origin, Mode, PolicyOutcome)>, DefaultVerdict, Mode, &'static str, Option<&'static str>);

    #[test]
    fn what_is_observed_does_not_count_and_is_told() {
        use DefaultVerdict as D;
        use Mode::{Enforce as E, Observe as O};
        use Origin::{Host as H, Tenant as T};
        let stack = "a: the policy ran out of stack";
        #[rustfmt::skip]
        let cases: Vec<Observed> = vec![
            ("nothing is observed", vec![(H, E, deny("no"))], D::Deny, E, "a: no", None),
            ("an observed policy denies", vec![(H, O, deny("no")), (H, E, allow())], D::Deny, E, "allow", Some("a: no")),
            ("an observed policy fails", vec![(T, O, fault()), (H, E, allow())], D::Deny, E, "allow", Some(stack)),
            ("an observed policy allows", vec![(H, O, allow())], D::Deny, E, NONE, Some("allow")),
            ("it would have changed nothing", vec![(H, O, allow()), (H, E, allow())], D::Deny, E, "allow", None),
            ("another would have spoken first", vec![(H, O, deny("x")), (H, E, deny("y"))], D::Deny, E, "b: y", Some("a: x")),
            ("observed tenant: its policy denies", vec![(H, E, allow()), (T, E, deny("no"))], D::Deny, O, "allow", Some("b: no")),
            ("observed tenant: its policy fails", vec![(T, E, fault())], D::Deny, O, "allow", Some(stack)),
            ("observed tenant: its default denies", vec![(H, E, abstain())], D::Deny, O, "allow", Some(NONE)),
            ("observed tenant: nothing would deny", vec![(T, E, allow())], D::Deny, O, "allow", None),
            ("observed tenant: no policy, default allow", vec![], D::Allow, O, "allow", None),
            ("observed tenant: the host's policy denies", vec![(H, E, deny("no")), (T, E, allow())], D::Deny, O, "a: no", None),
            ("observed tenant: the host's policy fails", vec![(H, E, fault())], D::Allow, O, stack, None),
            ("observed tenant, observed host's policy", vec![(H, O, deny("no"))], D::Allow, O, "allow", Some("a: no")),
        ];
        for (note, said, default, tenant, answer, would) in cases {
            let decision = decide(said, default, tenant);
            let message = decision.would.as_ref().map(|would| text(&would.answer));
            assert_eq!((text(&decision.answer).as_str(), message.as_deref()), (answer, would), "{note}");
            let would_deny = answer == "allow" && would.is_some();
            assert_eq!(decision.would_deny(), would_deny, "{note}");
        }
    }

    /// A note; what is said and demanded; the default; the answer; the kind of its cause; whether it would have denied.
    type Demanded =
        (&'static str, Vec<(Mode, PolicyOutcome, Demands)>, DefaultVerdict, &'static str, &'static str, bool);

    #[test]
    fn what_is_demanded_of_an_allowed_call_must_be_met() {
        use DefaultVerdict as D;
        use Mode::{Enforce as E, Observe as O};
        let label = || Obligation::Label { name: "owner".to_owned(), value: "alice".to_owned() };
        let met = || Demands { obligations: vec![label()], unmet: None };
        let unmet = || Demands { unmet: Some("`--label owner=alice` is required".to_owned()), ..met() };
        let contradiction = |demanding: &[&Opinion]| {
            let [one, other, ..] = demanding else { return None };
            let (policy, other) = (one.policy.clone(), other.policy.clone());
            Some(Contradiction { policy, other, about: "label owner".to_owned() })
        };
        let required = "a: `--label owner=alice` is required";
        let both = "`a` and `b` demand different things of `label owner`, so nothing is allowed";
        #[rustfmt::skip]
        let cases: Vec<Demanded> = vec![
            ("met", vec![(E, allow(), met())], D::Deny, "allow", "allowed", false),
            ("not met", vec![(E, allow(), unmet())], D::Deny, required, "unmet", false),
            ("not met by who abstains", vec![(E, abstain(), unmet()), (E, allow(), Demands::default())], D::Deny, required, "unmet", false),
            ("the default allows", vec![(E, abstain(), unmet())], D::Allow, required, "unmet", false),
            ("nobody allows", vec![(E, abstain(), unmet())], D::Deny, NONE, "default", false),
            ("a denial is the reason", vec![(E, allow(), unmet()), (E, deny("no"), Demands::default())], D::Deny, "b: no", "denied", false),
            ("contradiction", vec![(E, allow(), met()), (E, allow(), met())], D::Deny, both, "contradiction", false),
            ("observed", vec![(O, allow(), unmet()), (E, allow(), Demands::default())], D::Deny, "allow", "allowed", true),
            ("an observed contradiction", vec![(O, allow(), met()), (E, allow(), met())], D::Deny, "allow", "allowed", true),
        ];
        for (note, said, default, answer, kind, would_deny) in cases {
            let opinions = said.into_iter().zip('a'..).map(|((mode, judgement, demands), name)| Opinion {
                demands,
                ..opinion(&name.to_string(), Origin::Host, mode, judgement)
            });
            let decision = Decision::combine(opinions.collect(), default, E, Generation(1), &contradiction);
            assert_eq!((text(&decision.answer).as_str(), decision.cause.kind()), (answer, kind), "{note}");
            assert_eq!(decision.would_deny(), would_deny, "{note}");
        }
    }

    #[test]
    fn an_opinion_says_whether_it_counted() {
        use Origin::{Host as H, Tenant as T};
        let said = vec![(H, Mode::Enforce, allow()), (H, Mode::Observe, deny("no")), (T, Mode::Enforce, fault())];
        let decision = decide(said, DefaultVerdict::Deny, Mode::Observe);
        let message: Vec<_> = decision.opinions.iter().map(|opinion| (opinion.mode, opinion.would_deny())).collect();
        assert_eq!(message, [(Mode::Enforce, false), (Mode::Observe, true), (Mode::Observe, true)]);
        assert_eq!(decision.would.map(|would| would.cause.kind()), Some("denied"));
    }
}
