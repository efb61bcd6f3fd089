//! Where in a body something is taken out: found out once for each operation.

use std::collections::HashMap;
use std::sync::LazyLock;

use portcullis_docker::json::Shape;
use portcullis_docker::operation::{Body, OPERATIONS};
use portcullis_document::{Kind, Value};

use super::known::{self, How};

/// Structures lie in one another no deeper than this.
const DEEPEST: usize = 16;

static PLANS: LazyLock<HashMap<&'static str, Plan>> = LazyLock::new(|| {
    let bodies = OPERATIONS.iter().filter_map(|operation| match operation.body {
        Body::Json(shape) => Some((operation.id, Plan::new(shape, known::body(operation.id), DEEPEST))),
        Body::Tar | Body::Import | Body::Credentials(_) | Body::Parameters | Body::None => None,
    });
    bodies.collect()
});

/// What is taken out of a value, but for who logs in where it is an address.
#[derive(Debug)]
pub(super) enum Plan {
    /// Nothing.
    Clear,
    /// All of it.
    Hidden,
    /// A text.
    Text(How),
    List(Box<Plan>),
    /// A list, the words of a command: no secrets that can be told by what is before them.
    Command,
    /// A list, the words of a command: all but the first.
    FirstWord,
    /// An object of the caller's own keys: all of what is under the name of a secret.
    Map(Box<Plan>),
    Structure(Members),
    /// That depends on what it turns out to be.
    Unknown,
}

/// The members of a structure of which something is taken out.
#[derive(Debug)]
pub(super) struct Members {
    plans: Vec<(&'static str, Plan)>,
    /// A bit for each length that a name of them has.
    lengths: u64,
    /// Whether one of them is taken out whatever it is.
    has_hidden: bool,
}

// === impl Members ===

impl Members {
    fn new(plans: Vec<(&'static str, Plan)>) -> Self {
        let lengths = plans.iter().fold(0, |lengths, (name, _)| lengths | bit(name));
        let has_hidden = plans.iter().any(|(_, plan)| matches!(plan, Plan::Hidden));
        Self { plans, lengths, has_hidden }
    }

    /// Whether anything can be taken out of a member with that value.
    pub(super) fn may_take(&self, value: Value<'_>) -> bool {
        !value.is_empty() && (self.has_hidden || !matches!(value.kind(), Kind::Boolean | Kind::Number))
    }

    /// What is taken out of the member of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Plan> {
        if self.lengths & bit(name) == 0 {
            return None;
        }
        self.plans.iter().find(|(own, _)| *own == name).map(|(_, plan)| plan)
    }
}

fn bit(name: &str) -> u64 {
    1 << (name.len() % 64)
}

// === impl Plan ===

impl Plan {
    pub(super) fn of(operation: &str) -> Option<&'static Self> {
        PLANS.get(operation)
    }

    fn new(shape: Shape, how: How, depth: usize) -> Self {
        let Some(depth) = depth.checked_sub(1) else { return Self::Unknown };
        match (how, shape) {
            (How::Hidden, _) => Self::Hidden,
            (_, Shape::Any | Shape::Unknown) => Self::Unknown,
            (_, Shape::Boolean | Shape::Integer(_) | Shape::Float32) => Self::Clear,
            (How::Plain | How::Command | How::FirstWord, Shape::Text | Shape::Base64) => Self::Clear,
            (_, Shape::Text | Shape::Base64) => Self::Text(how),
            (How::FirstWord, Shape::List(_) | Shape::Pair(_) | Shape::Texts) => Self::FirstWord,
            (How::Command, Shape::List(Shape::Text) | Shape::Texts) => Self::Command,
            (_, Shape::List(item) | Shape::Pair(item)) => Self::list(*item, how, depth),
            (_, Shape::Texts) => Self::list(Shape::Text, how, depth),
            (How::Values, Shape::Map(_)) => Self::Map(Box::new(Self::Hidden)),
            (_, Shape::Map(value)) => Self::Map(Box::new(Self::new(*value, How::Named, depth))),
            (_, Shape::Structure(structure)) => {
                let field = |name| known::member(structure.name, name);
                let members = structure.fields.iter();
                let members = members.map(|own| (own.name, Self::new(own.shape, field(own.name), depth)));
                let members: Vec<_> = members.filter(|(_, plan)| !matches!(plan, Self::Clear)).collect();
                if members.is_empty() { Self::Clear } else { Self::Structure(Members::new(members)) }
            }
        }
    }

    fn list(item: Shape, how: How, depth: usize) -> Self {
        let plan = Self::new(item, how, depth);
        if matches!(plan, Self::Clear) { plan } else { Self::List(Box::new(plan)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many parts a plan has; none where some of it is not known.
    fn parts(plan: &Plan) -> Option<usize> {
        Some(match plan {
            Plan::Unknown => return None,
            Plan::Clear | Plan::Hidden | Plan::Text(_) | Plan::Command | Plan::FirstWord => 1,
            Plan::List(plan) | Plan::Map(plan) => 1 + parts(plan)?,
            Plan::Structure(members) => 1 + members.plans.iter().map(|(_, plan)| parts(plan)).sum::<Option<usize>>()?,
        })
    }

    #[test]
    fn every_body_has_a_plan_of_a_bounded_size() {
        assert!(PLANS.len() > 20, "{}", PLANS.len());
        for (operation, plan) in PLANS.iter() {
            let parts = parts(plan);
            assert!(parts.is_some_and(|parts| parts < 200), "{operation}: {parts:?}");
        }
    }
}
