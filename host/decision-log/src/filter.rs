//! Which decisions somebody wants to see.

use std::time::{Duration, SystemTime};

use portcullis_config::nearest;
use portcullis_docker::operation::OPERATIONS;

use crate::record::{DecisionRecord, PolicyRecord};

/// What a decision must be like; everything that is given must hold. The default lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub tenant: Option<String>,
    pub user: Option<String>,
    pub operation: Option<String>,
    pub answer: Option<AnswerIs>,
    /// A policy that denied or failed, whether that counted or was only observed.
    pub policy: Option<String>,
    /// From this time on.
    pub since: Option<Moment>,
    /// Before this time.
    pub until: Option<Moment>,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerIs {
    Allow,
    Deny,
    /// It was allowed, and would have been denied had everything counted that is only observed.
    WouldDeny,
}

/// A time, as records write it: such texts sort as times do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(String);

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time: expected one such as `2026-11-25T08:00:00Z`, a day such as `2026-11-25`, or how long ago, such as `2h`"
)]
pub struct BadMoment(pub String);

/// A text that is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an answer: expected `allow`, `deny` or `would-deny`")]
pub struct BadAnswer(pub String);

/// A text that is no operation of the Engine API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not an operation of the Engine API{}", .meant.map(|meant| format!(": did you mean `{meant}`?"))
    .unwrap_or_else(|| ", such as `ContainerCreate`, `ImagePull` or `VolumeDelete`".to_owned()))]
pub struct UnknownOperation {
    name: String,
    meant: Option<&'static str>,
}

/// The ID of an operation, as records have it.
pub fn operation(name: &str) -> Result<String, UnknownOperation> {
    let mut known = OPERATIONS.iter().map(|operation| operation.id);
    if known.any(|id| id == name) {
        return Ok(name.to_owned());
    }
    let known: Vec<_> = OPERATIONS.iter().map(|operation| operation.id).collect();
    let other_case = known.iter().find(|id| id.eq_ignore_ascii_case(name)).copied();
    Err(UnknownOperation { name: name.to_owned(), meant: other_case.or_else(|| nearest(name, &known)) })
}

// === impl Filter ===

impl Filter {
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    pub fn admits(&self, record: &DecisionRecord<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        is(&self.tenant, record.tenant.as_deref())
            && is(&self.user, record.user.as_deref())
            && is(&self.operation, record.operation.as_deref())
            && self.answer.is_none_or(|answer| answer.is_of(record))
            && self.policy.as_ref().is_none_or(|policy| record.policies.iter().any(|part| part.objected(policy)))
            && self.since.as_ref().is_none_or(|since| *record.timestamp >= *since.0)
            && self.until.as_ref().is_none_or(|until| *record.timestamp < *until.0)
    }
}

// === impl PolicyRecord ===

impl PolicyRecord<'_> {
    /// Whether it denied, or failed.
    pub fn is_objection(&self) -> bool {
        !matches!(&*self.verdict, "allow" | "abstain")
    }

    fn objected(&self, policy: &str) -> bool {
        self.policy == policy && self.is_objection()
    }
}

// === impl AnswerIs ===

impl AnswerIs {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would-deny",
        }
    }

    fn is_of(self, record: &DecisionRecord<'_>) -> bool {
        let is_allowed = record.answer == "allow";
        match self {
            Self::Allow => is_allowed,
            Self::Deny => !is_allowed,
            Self::WouldDeny => is_allowed && record.would.as_ref().is_some_and(|would| would.answer == "deny"),
        }
    }
}

impl std::str::FromStr for AnswerIs {
    type Err = BadAnswer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            "would-deny" => Ok(Self::WouldDeny),
            other => Err(BadAnswer(other.to_owned())),
        }
    }
}

// === impl Moment ===

impl Moment {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn at(time: SystemTime) -> Self {
        Self(humantime::format_rfc3339_micros(time).to_string())
    }
}

impl std::str::FromStr for Moment {
    type Err = BadMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = |text: &str| humantime::parse_rfc3339_weak(&format!("{text} 00:00:00")).ok();
        let ago = |text: &str| -> Option<SystemTime> {
            let ago: Duration = humantime::parse_duration(text).ok()?;
            SystemTime::now().checked_sub(ago)
        };
        let time = humantime::parse_rfc3339_weak(text).ok().or_else(|| day(text)).or_else(|| ago(text));
        // What is printed has four digits for the year.
        time.filter(|time| *time >= SystemTime::UNIX_EPOCH).map(Self::at).ok_or_else(|| BadMoment(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> DecisionRecord<'static> {
        let record = serde_json::json!({
            "timestamp": "2026-11-25T08:00:00.000001Z", "level": "INFO", "message": "decision",
            "id": "01KAXJ3Q7Q2M9X4KPD01234567", "answer": "allow", "cause": "allowed", "mode": "enforce",
            "would": { "answer": "deny", "cause": "denied", "reason": "b: no" },
            "tenant": "ci", "listener": "docker", "generation": 1, "operation": "ContainerCreate", "method": "POST",
            "path": "/containers/create", "user": "ann", "took_us": 1, "read_us": 1, "wait_us": 0, "ask_us": 0,
            "policies": [
                { "policy": "a", "origin": "host", "mode": "enforce", "digest": null, "verdict": "allow", "took_us": 1 },
                { "policy": "b", "origin": "host", "mode": "observe", "digest": null, "verdict": "deny", "took_us": 1 },
                { "policy": "c", "origin": "host", "mode": "observe", "digest": null, "verdict": "panic", "took_us": 1 },
            ],
            "request": null,
        });
        serde_json::from_value(record).expect("a record")
    }

    #[test]
    fn everything_that_is_given_must_hold() {
        let some = |text: &str| Some(text.to_owned());
        let moment = |text: &str| Some(text.parse().expect("a time"));
        let all = Filter::default;
        let cases = [
            ("all", all(), true),
            ("its tenant", Filter { tenant: some("ci"), ..all() }, true),
            ("another tenant", Filter { tenant: some("web"), ..all() }, false),
            ("its user", Filter { user: some("ann"), ..all() }, true),
            ("another user", Filter { user: some("an"), ..all() }, false),
            ("its operation", Filter { operation: some("ContainerCreate"), ..all() }, true),
            ("another operation", Filter { operation: some("ContainerList"), ..all() }, false),
            ("allowed", Filter { answer: Some(AnswerIs::Allow), ..all() }, true),
            ("denied", Filter { answer: Some(AnswerIs::Deny), ..all() }, false),
            ("would be denied", Filter { answer: Some(AnswerIs::WouldDeny), ..all() }, true),
            ("a policy that allowed", Filter { policy: some("a"), ..all() }, false),
            ("a policy that denied", Filter { policy: some("b"), ..all() }, true),
            ("a policy that failed", Filter { policy: some("c"), ..all() }, true),
            ("since before", Filter { since: moment("2026-11-25"), ..all() }, true),
            ("since then", Filter { since: moment("2026-11-25T08:00:00.000001Z"), ..all() }, true),
            ("since after", Filter { since: moment("2026-11-25T08:00:01Z"), ..all() }, false),
            ("until then", Filter { until: moment("2026-11-25T08:00:00.000001Z"), ..all() }, false),
            ("until after", Filter { until: moment("2026-11-25 08:00:01"), ..all() }, true),
            ("one of two", Filter { tenant: some("ci"), user: some("bob"), ..all() }, false),
        ];
        for (note, filter, expected) in cases {
            assert_eq!(filter.admits(&record()), expected, "{note}");
        }
    }

    #[test]
    fn times_are_read_in_several_ways() {
        let moment = |text: &str| text.parse::<Moment>().map(|moment| moment.0);
        assert_eq!(moment("2026-11-25"), Ok("2026-11-25T00:00:00.000000Z".to_owned()));
        assert_eq!(moment("2026-11-25T08:00:00Z"), Ok("2026-11-25T08:00:00.000000Z".to_owned()));
        assert_eq!(moment("2026-11-25 08:00:00"), Ok("2026-11-25T08:00:00.000000Z".to_owned()));
        let now = Moment::at(SystemTime::now()).0;
        assert!(moment("2h").is_ok_and(|then| then < now));
        for text in ["", "yesterday", "25.11.2026", "2026-13-01"] {
            assert_eq!(moment(text), Err(BadMoment(text.to_owned())), "{text}");
        }
    }
}
