//! Lines for the operator's log. The policy needs the grant `log`.

use crate::host;

pub use crate::bindings::portcullis::policy::log::Level;

pub fn debug(message: &str) {
    host::log::write(Level::Debug, message);
}

pub fn info(message: &str) {
    host::log::write(Level::Info, message);
}

pub fn warn(message: &str) {
    host::log::write(Level::Warn, message);
}

pub fn error(message: &str) {
    host::log::write(Level::Error, message);
}
