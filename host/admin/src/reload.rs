//! Reads everything again while the host runs: `portcullis.toml` as far as it can change without a restart, certificates
//! and tokens, and every folder. What is wrong leaves what is active, and is told to whoever asked.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_config::{Config, FILE, Problems};
use portcullis_policies::Watch;
use portcullis_service::decide::Authorizer;
use portcullis_status::gate::Gate;
use portcullis_status::health::{Finding, Untaken};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tracing::{error, info, warn};

/// The answer to `POST /v1/reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Everything that was read is active.
    pub is_whole: bool,
    pub generation: u64,
    /// What was read and is not active, and why.
    pub refused: Vec<Finding>,
    /// Keys and tables of `portcullis.toml` that are other than what the host was started with, and take a restart.
    pub needs_restart: Vec<String>,
}

/// Reads everything again. One reload at a time.
#[derive(Debug)]
pub struct Reloader {
    dir: PathBuf,
    /// As the host was started.
    started: Config,
    authorizer: Arc<Authorizer>,
    watch: Arc<Watch>,
    gate: Option<Arc<Gate>>,
    untaken: Untaken,
    turn: Mutex<()>,
}

// === impl Reloader ===

impl Reloader {
    /// `config` is what the host was started with.
    pub fn new(
        config: &Config,
        authorizer: Arc<Authorizer>,
        watch: Arc<Watch>,
        gate: Option<Arc<Gate>>,
        untaken: Untaken,
    ) -> Self {
        Self {
            dir: config.dir.clone(),
            started: config.clone(),
            authorizer,
            watch,
            gate,
            untaken,
            turn: Mutex::default(),
        }
    }

    /// Ready when what was found is active.
    pub async fn reload(self: &Arc<Self>) -> Reloaded {
        let _turn = self.turn.lock().await;
        info!("reloading");
        self.authorizer.log().reopen();
        let this = Arc::clone(self);
        // Files are read. What panics there has changed nothing, and the log says so.
        let taken = tokio::task::spawn_blocking(move || this.take()).await;
        let (config, mut refused) = taken.unwrap_or_else(|_| (None, vec![lost()]));
        let untaken = refused.clone();
        self.watch.reload(config.as_ref().map(|config| config.default)).await;
        let live = self.authorizer.live();
        let issues = live.issues();
        refused.extend(Finding::of_issues(&issues).filter(Finding::is_refusal));
        let needs_restart = config.map(|config| self.started.restart_for(&config)).unwrap_or_default();
        let restarts = needs_restart.iter().map(|key| self.restart(key));
        self.untaken.store(untaken.into_iter().chain(restarts).collect());
        if !needs_restart.is_empty() {
            warn!(keys = needs_restart.join(", "), "portcullis.toml has changes that take a restart");
        }
        info!(refused = refused.len(), "reloaded");
        let generation = live.load().generation.0;
        Reloaded { is_whole: refused.is_empty(), generation, refused, needs_restart }
    }

    /// A key that a host which runs cannot take.
    fn restart(&self, key: &str) -> Finding {
        let file = self.dir.join(FILE);
        let problem = format!(
            "{}: `{key}` is not what the host was started with, and takes a restart\n  \
             help: restart the host, put the old value back and `portcullis reload`, or take its place without a call \
             being lost: `portcullis serve --take-over`",
            file.display()
        );
        Finding::untaken("configuration", key, &problem)
    }

    /// Takes what of `portcullis.toml` needs no restart: all of it, or nothing where there is a mistake.
    fn take(&self) -> (Option<Config>, Vec<Finding>) {
        let config = match Config::read_again(&self.dir) {
            Ok(config) => config,
            Err(problems) => {
                error!(problem = %problems, "portcullis.toml has mistakes; what was read of it before stays");
                return (None, findings("configuration", &problems));
            }
        };
        let mut refused = Vec::new();
        if let Some(gate) = &self.gate
            && let Err(problems) = gate.take(config.admin.as_ref())
        {
            error!(problem = %problems, "the admin API's certificates and callers stay as they were");
            refused = findings("certificate", &problems);
        }
        self.authorizer.take(&config);
        (Some(config), refused)
    }
}

fn findings(what: &str, problems: &Problems) -> Vec<Finding> {
    problems.0.iter().map(|problem| Finding::untaken(what, "", &problem.to_string())).collect()
}

fn lost() -> Finding {
    Finding::untaken("configuration", "", "the host panicked while it read portcullis.toml; its log says how")
}
