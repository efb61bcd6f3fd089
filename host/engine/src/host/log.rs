//! `log`: lines for the operator, bounded in number and length.

use portcullis_model::Reason;

use crate::contract::portcullis::policy::log;
use crate::host::Host;
use crate::log::{Level, LogLine};

impl log::Host for Host {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        if self.log.len() >= self.limits().log_lines as usize {
            self.log_dropped = self.log_dropped.saturating_add(1);
            return Ok(());
        }
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log.push(LogLine { level, message: Reason::new(&message) });
        Ok(())
    }
}
