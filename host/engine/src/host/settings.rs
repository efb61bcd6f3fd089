//! `settings`: the policy's own parameters.

use wasmtime::component::Resource;

use crate::contract::DocumentHandle;
use crate::contract::portcullis::policy::settings;
use crate::host::{Held, Host};

impl settings::Host for Host {
    fn get(&mut self) -> wasmtime::Result<Resource<DocumentHandle>> {
        Ok(Held::Settings.own())
    }
}
