//! Every metric that there is, by what it is about. docs/operators/monitoring.md has the same table.

pub(super) mod calls;
pub(super) mod host;
pub(super) mod policies;
pub(super) mod state;

use crate::metrics::page::{Family, Measure};

/// What stands for a tenant's name where there is none: of calls that are nobody's, of what is host-wide, of what is kept
/// for tenants that are not active. No tenant can have this name.
const NO_TENANT: &str = "-";

const fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, unit: None, help }
}

const fn seconds(name: &'static str, help: &'static str) -> Family {
    Family { name, unit: Some(Measure::Seconds), help }
}

const fn bytes(name: &'static str, help: &'static str) -> Family {
    Family { name, unit: Some(Measure::Bytes), help }
}
