//! A real Prometheus, which scrapes a host.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::artifacts;
use crate::command::Finished;
use crate::error::{Doing, Error, Result};
use crate::log::Log;
use crate::process::Process;
use crate::scratch::Scratch;

/// Ends with this.
#[derive(Debug)]
pub struct Prometheus {
    address: String,
    _process: Process,
    _scratch: Scratch,
}

impl Prometheus {
    /// Scrapes `HOST:PORT` as the job `portcullis`, five times a second, and evaluates a file of rules as often.
    pub fn scraping(target: &str, rules: &Path) -> Result<Self> {
        let scratch = Scratch::new()?;
        let config = scratch.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 200ms, evaluation_interval: 200ms }}\n\
             rule_files: [{rules:?}]\n\
             scrape_configs:\n  - job_name: portcullis\n    static_configs: [{{ targets: [{target:?}] }}]\n"
        );
        std::fs::write(&config, text).doing_to("writing", &config)?;
        // It does not say where it listens where it may choose.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.doing("finding a free port")?.to_string();
        let program = artifacts::prometheus("prometheus")?;
        let process = Process::start("Prometheus", &program.to_string_lossy(), |command| {
            command.arg("--config.file").arg(&config);
            command.arg("--storage.tsdb.path").arg(scratch.path().join("data"));
            command.args(["--web.listen-address", &address]);
        })?;
        process.wait_for_line(Log::START, "Prometheus is ready", |line| {
            line.contains("Server is ready to receive web requests").then_some(())
        })?;
        Ok(Self { address, _process: process, _scratch: scratch })
    }

    /// The `data` of an answer of its API.
    pub fn ask(&self, path: &str) -> Result<Value> {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let asked = Finished::of(Command::new("curl").args(["--silent", "--show-error", "--globoff", &url]))?;
        let unexpected = || Error::Unexpected(format!("{url}: {asked:?}"));
        let mut answer: Value = serde_json::from_str(&asked.stdout).map_err(|_| unexpected())?;
        answer.get_mut("data").map(Value::take).ok_or_else(unexpected)
    }
}
