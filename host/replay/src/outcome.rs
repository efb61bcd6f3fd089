//! What a call came to, then and now.

use portcullis_decision_log::record::DecisionRecord;
use portcullis_model::decision::Would;
use portcullis_model::{Answer, Decision};
use serde::Serialize;

/// What the caller was told, and what would have been had everything counted that is only observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) answered: Answered,
    pub(crate) would: Answered,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Answered {
    Allow,
    Deny { reason: String },
}

/// How an outcome differs from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It was allowed.
    NowDenied,
    /// It was denied.
    NowAllowed,
    /// It is denied still, with another reason.
    OtherReason,
    /// The answer is the same, and what is only observed says something else.
    Observed,
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn then(record: &DecisionRecord) -> Self {
        let answered = Answered::of(&record.answer, record.reason.as_deref());
        let would = record.would.as_ref().map(|would| Answered::of(&would.answer, would.reason.as_deref()));
        Self { would: would.unwrap_or_else(|| answered.clone()), answered }
    }

    pub(crate) fn now(decision: &Decision) -> Self {
        let answered = Answered::from(&decision.answer);
        let would = decision.would.as_ref().map(|Would { answer, .. }| Answered::from(answer));
        Self { would: would.unwrap_or_else(|| answered.clone()), answered }
    }

    /// How this differs from what came before, and from what to what.
    pub(crate) fn differs(&self, before: &Self) -> Option<(Kind, Answered, Answered)> {
        let change = |kind| Some((kind, before.answered.clone(), self.answered.clone()));
        match (&before.answered, &self.answered) {
            (Answered::Allow, Answered::Deny { .. }) => change(Kind::NowDenied),
            (Answered::Deny { .. }, Answered::Allow) => change(Kind::NowAllowed),
            (Answered::Deny { reason }, Answered::Deny { reason: now }) if reason != now => change(Kind::OtherReason),
            (Answered::Allow, Answered::Allow) | (Answered::Deny { .. }, Answered::Deny { .. }) => {
                (before.would != self.would).then(|| (Kind::Observed, before.would.clone(), self.would.clone()))
            }
        }
    }
}

// === impl Answered ===

impl Answered {
    fn of(answer: &str, reason: Option<&str>) -> Self {
        if answer == "allow" { Self::Allow } else { Self::Deny { reason: reason.unwrap_or_default().to_owned() } }
    }
}

impl From<&Answer> for Answered {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Allow => Self::Allow,
            Answer::Deny(reason) => Self::Deny { reason: reason.to_string() },
        }
    }
}

// === impl Kind ===

impl Kind {
    pub const ALL: [Self; 4] = [Self::NowDenied, Self::NowAllowed, Self::OtherReason, Self::Observed];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(answered: Option<&str>, would: Option<&str>) -> Outcome {
        let said = |reason: Option<&str>| match reason {
            None => Answered::Allow,
            Some(reason) => Answered::Deny { reason: reason.to_owned() },
        };
        Outcome { answered: said(answered), would: said(would) }
    }

    #[test]
    fn outcomes_differ_in_four_ways() {
        let cases = [
            ("both allow", (None, None), (None, None), None),
            ("both deny", (Some("a"), Some("a")), (Some("a"), Some("a")), None),
            ("denied now", (None, None), (Some("a"), Some("a")), Some(Kind::NowDenied)),
            ("allowed now", (Some("a"), Some("a")), (None, None), Some(Kind::NowAllowed)),
            ("another reason", (Some("a"), Some("a")), (Some("b"), Some("b")), Some(Kind::OtherReason)),
            ("observed now", (None, None), (None, Some("a")), Some(Kind::Observed)),
            ("no longer observed, but counted", (None, Some("a")), (Some("a"), Some("a")), Some(Kind::NowDenied)),
            ("no longer counted, but observed", (Some("a"), Some("a")), (None, Some("a")), Some(Kind::NowAllowed)),
            ("observed then and now", (None, Some("a")), (None, Some("a")), None),
            ("denied, and the observed differs", (Some("a"), Some("a")), (Some("a"), Some("b")), Some(Kind::Observed)),
        ];
        for (note, before, now, expected) in cases {
            let differs = outcome(now.0, now.1).differs(&outcome(before.0, before.1));
            assert_eq!(differs.map(|(kind, ..)| kind), expected, "{note}");
        }
    }
}
