//! `obligations`: what the policy demands, bounded in number and size.

use portcullis_model::{Fault, Obligation};

use crate::contract::portcullis::policy::obligations;
use crate::fault::stop;
use crate::host::Host;

impl Host {
    fn demand(&mut self, obligation: Obligation) -> wasmtime::Result<()> {
        let bytes: usize = self.obligations.iter().map(Obligation::size).sum();
        if self.obligations.len() >= Obligation::MOST || bytes + obligation.size() > Obligation::MOST_BYTES {
            let (most, bytes) = (Obligation::MOST, Obligation::MOST_BYTES);
            return Err(stop(Fault::BadAnswer(format!("more than {most} obligations, or than {bytes} bytes of them"))));
        }
        self.obligations.push(obligation);
        Ok(())
    }
}

impl obligations::Host for Host {
    fn set(&mut self, pointer: String, value: String) -> wasmtime::Result<()> {
        self.demand(Obligation::Set { pointer, value })
    }

    fn label(&mut self, name: String, value: String) -> wasmtime::Result<()> {
        self.demand(Obligation::Label { name, value })
    }

    fn show_only(&mut self, name: String, value: String) -> wasmtime::Result<()> {
        self.demand(Obligation::ShowOnly { name, value })
    }

    fn redact(&mut self, pointer: String) -> wasmtime::Result<()> {
        self.demand(Obligation::Redact { pointer })
    }
}
