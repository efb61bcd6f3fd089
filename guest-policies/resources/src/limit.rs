//! One limit of the settings, and whether an amount of a call is within it.

use portcullis_policy::{Kind, Value};

use crate::unit::Unit;

/// What can be limited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The name of its setting.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// How the command line asks for it, in `docker run` and in `docker service create`.
    pub(crate) flags: [&'static str; 2],
    pub(crate) unit: Unit,
    /// Where a create and a service have it in the body.
    pub(crate) pointers: [Option<&'static str>; 2],
    /// Whether there is no limit where none is given. Then a maximum means that one must be.
    pub(crate) is_open: bool,
}

/// What the settings say of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    required: bool,
    most: Option<i64>,
    /// What is demanded of a call that gives none.
    default: Option<i64>,
}

/// What a call says of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    NotGiven,
    Unlimited,
    Of(i64),
    /// Something that the call does not say decides, too: how.
    Unknown(&'static str),
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Create,
    /// What is not given stays as it is.
    Update,
    Service,
    Build,
}

// === impl Limit ===

impl Limit {
    pub(crate) fn of(value: &Value<'_>, resource: &Resource) -> Result<Self, String> {
        let keys = value.keys().filter(|keys| !keys.is_empty());
        let mut limit = Self { required: false, most: None, default: None };
        let mut required = None;
        for key in keys.ok_or("must be an object with `most`, `required`, `default`, or several")? {
            let value = value.at([&key]);
            match &*key {
                "required" => required = Some(value.boolean().ok_or("must have true or false as `required`")?),
                "most" => limit.most = Some(amount(&value, resource, "most")?),
                "default" => limit.default = Some(amount(&value, resource, "default")?),
                _ => return Err(format!("has `{key}`; there are `most`, `required`, `default`")),
            }
        }
        if let Some(default) = limit.default {
            if resource.pointers.iter().all(Option::is_none) {
                return Err("cannot have a `default`".to_owned());
            }
            if default == 0 || limit.most.is_some_and(|most| default > most) {
                return Err("must have a `default` above 0, and up to `most`".to_owned());
            }
        }
        let is_bound = resource.is_open && limit.most.is_some();
        limit.required = required.unwrap_or(is_bound || limit.default.is_some());
        Ok(limit)
    }

    /// What a call is given that says nothing of it, and where.
    pub(crate) fn default_of(&self, resource: &Resource, call: Call) -> Option<(&'static str, i64)> {
        let [of_create, of_service] = resource.pointers;
        let pointer = match call {
            Call::Create => of_create?,
            Call::Service => of_service?,
            // An update keeps what was, and a build has it in the query.
            Call::Update | Call::Build => return None,
        };
        Some((pointer, self.default?))
    }

    /// Whether there must be a limit.
    pub(crate) fn is_required(&self) -> bool {
        self.required
    }

    pub(crate) fn objection(&self, resource: &Resource, amount: Amount, call: Call) -> Option<String> {
        let what = resource.what;
        let problem = match amount {
            Amount::NotGiven if call == Call::Update || !self.required => return None,
            Amount::NotGiven => format!("{what} must be limited"),
            Amount::Unlimited if !self.required && self.most.is_none() => return None,
            Amount::Unlimited => format!("{what} must be limited, and the call takes the limit away"),
            Amount::Of(amount) if self.most.is_none_or(|most| amount <= most) => return None,
            Amount::Of(amount) => format!("{what} of {} is too much", resource.unit.text(amount)),
            Amount::Unknown(_) if self.most.is_none() => return None,
            Amount::Unknown(how) => return Some(format!("how much {what} that is cannot be told: {how}")),
        };
        let [flag, flag_of_service] = resource.flags;
        let flag = if call == Call::Service { flag_of_service } else { flag };
        Some(match self.most {
            Some(most) => format!("{problem}; allowed is `{flag}` up to {}", resource.unit.text(most)),
            None => format!("{problem}: `{flag}`"),
        })
    }
}

// === impl Amount ===

impl Amount {
    /// Where anything below 1 is no limit.
    pub(crate) fn positive(given: Option<i64>) -> Self {
        match given {
            None => Self::NotGiven,
            Some(amount) if amount > 0 => Self::Of(amount),
            Some(_) => Self::Unlimited,
        }
    }
}

fn amount(value: &Value<'_>, resource: &Resource, key: &str) -> Result<i64, String> {
    let expected = match resource.unit {
        Unit::Bytes => "a number of bytes or a text such as \"512m\"",
        Unit::Count => "a whole number",
        Unit::Processors => "a number such as 1.5",
    };
    resource.unit.amount(value).ok_or_else(|| format!("must have {expected} as `{key}`"))
}

/// An object, or nothing.
pub(crate) fn is_object(value: &Value<'_>) -> bool {
    value.kind() == Some(Kind::Object)
}
