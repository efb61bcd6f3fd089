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
use portcullis_policy::{Document, Verdict};

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

/// Makes a policy of controls, in the order in which a caller should read of them: the list `CONTROLS`, and the function
/// `verdict`. It names each control, so that no instance has to find functions in a table for its one decision.
#[macro_export]
macro_rules! controls {
    ($($control:expr),+ $(,)?) => {
        const CONTROLS: &[$crate::Control] = &[$($control),+];

        fn verdict(
            request: &::portcullis_policy::Request,
            data: &::portcullis_policy::Document,
        ) -> ::portcullis_policy::Verdict {
            let call = $crate::Call::of(request);
            $(
                if let Some(denial) = $crate::denial(&call, data, &$control) {
                    return denial;
                }
            )+
            ::portcullis_policy::Verdict::allow()
        }
    };
}

/// The denial of a call by one control, unless it is turned off or excepted.
#[inline(always)]
pub fn denial(call: &Call<'_>, data: &Document, control: &Control) -> Option<Verdict> {
    if !control.of.contains(&call.kind) {
        return None;
    }
    (control.objection)(call).and_then(|reason| unless_excepted(call, data, control.name, &reason))
}

#[cold]
fn unless_excepted(call: &Call<'_>, data: &Document, control: &'static str, reason: &str) -> Option<Verdict> {
    if call.lists("off", control) {
        return None;
    }
    match exceptions::cover(call, data, control) {
        Ok(true) => None,
        Ok(false) => Some(Verdict::deny(format!("{control}: {reason}"))),
        Err(mistake) => Some(Verdict::deny(format!("{control}: {reason}; the exceptions cannot be used: {mistake}"))),
    }
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
