//! The rules that the policies `baseline`, `restricted` and `agent` are made of.
//!
//! A [`Control`] objects to one thing, in whatever shape a call asks for it. A policy is a list of controls, in the order in
//! which a caller should read of them. What no control objects to is allowed, so that a host with one of these policies alone
//! can be used, and a denial by another policy outweighs it.
//!
//! ```text
//! operation → kind ([`call`]) → the controls for calls of that kind ([`controls`]) → the first objection
//!           → is it turned off, or excepted ([`exceptions`])? → denied
//! ```
//!
//! Most calls are of the kind `Harmless`, to which no control applies: they cost one question to the host.

pub mod call;
pub mod controls;
mod exceptions;
mod settings;
mod text;

use std::borrow::Cow;

use portcullis_policy::settings::Setting;
use portcullis_policy::{Document, Request, Verdict};

pub use crate::call::{Call, Kind};
pub use crate::settings::BINDS;

/// Why a call is denied: what it may not do, and what it may do instead. None: no objection.
pub type Objection = Option<Cow<'static, str>>;

/// One rule, with a name that settings and exceptions use.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    pub name: &'static str,
    /// The kinds of calls that it is asked about.
    pub of: &'static [Kind],
    pub objection: fn(&Call<'_>) -> Objection,
}

/// What `controls` say of a call.
pub fn decide(request: &Request, data: &Document, controls: &[Control]) -> Verdict {
    let call = Call::of(request);
    for control in controls.iter().filter(|control| control.of.contains(&call.kind)) {
        let Some(reason) = (control.objection)(&call) else { continue };
        if call.lists("off", control.name) {
            continue;
        }
        match exceptions::cover(&call, data, control.name) {
            Ok(true) => {}
            Ok(false) => return Verdict::deny(format!("{}: {reason}", control.name)),
            Err(mistake) => {
                return Verdict::deny(format!("{}: {reason}; the exceptions cannot be used: {mistake}", control.name));
            }
        }
    }
    Verdict::allow()
}

/// Checks the settings of a policy that has these controls, and `own` settings beside the common ones.
pub fn prepare(settings: &Document, controls: &[Control], own: &[Setting<'_>]) -> Result<(), String> {
    settings.check(&[settings::COMMON, own].concat())?;
    for name in settings.texts("/off").unwrap_or_default() {
        if !controls.iter().any(|control| control.name == name) {
            let known: Vec<&str> = controls.iter().map(|control| control.name).collect();
            return Err(format!("`off` names `{name}`, which is no control; there are {}", known.join(", ")));
        }
    }
    settings::check(settings)
}
