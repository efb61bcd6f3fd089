//! `fault`: how a policy says what went wrong.

use portcullis_model::{Fault, Reason};

use crate::contract::portcullis::policy::fault;
use crate::fault::stop;
use crate::host::Host;

impl fault::Host for Host {
    fn panicked(&mut self, message: String) -> wasmtime::Result<()> {
        Err(stop(Fault::Panic(Reason::new(&message).to_string())))
    }
}
