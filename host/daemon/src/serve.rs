//! Brings the host up, in the order in which each part needs the one before it; the sockets come last.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portcullis_engine::{Sandbox, SandboxConfig, SandboxError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::admin::{self, Admin, Decisions, Desk, Gate};
use crate::config::{Config, Problems};
use crate::decide::{Decider, Judge};
use crate::decision_log::DecisionLog;
use crate::log_sink::LogSink;
use crate::manage::Manager;
use crate::metrics::{self, Metrics, MetricsBindError, MetricsListener, Recorder, Sources};
use crate::otlp::{self, Exports, Tracer};
use crate::plugin::{self, BodyLimits, Front};
use crate::policies::{Offers, Watch, Workshop};
use crate::socket::{self, BindError, Bound};
use crate::state::{Spaces, Store};
use crate::status::Reporter;
use crate::supervisor::Supervisor;

/// How much longer than the grace it takes at most to stop.
const AFTER_GRACE: Duration = Duration::from_secs(1);

/// Why the host did not come up.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the folder `{}` for compiled policies cannot be made: {source}", path.display())]
    Cache { path: PathBuf, source: std::io::Error },
    #[error("policies cannot be watched: {0}")]
    Watch(#[source] std::io::Error),
    #[error("the admin API cannot be served: {0}")]
    Admin(#[source] Problems),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the thread of the decision log cannot be started: {0}")]
    Log(#[source] std::io::Error),
    #[error(transparent)]
    Metrics(#[from] MetricsBindError),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] std::io::Error),
}

/// Every socket, made before anything is served: a host that cannot have one does not start.
struct Sockets {
    plugin: Vec<Bound>,
    admin: Bound,
    /// The admin API's, by TCP, and who is let in there.
    remote: Option<TcpListener>,
    gate: Option<Arc<Gate>>,
    scraped: Option<MetricsListener>,
}

/// Serves until it is told to stop.
pub async fn serve(config: Config, sink: LogSink) -> Result<(), ServeError> {
    let mut signals = Signals::new().map_err(ServeError::Signals)?;
    raise_descriptor_limit();
    let workshop = workshop(&config)?;
    let store = open_store(&config);
    let spaces = Spaces::Disk(store.clone());
    let (watch, live) = Watch::start(&config, spaces, workshop.clone()).map_err(ServeError::Watch)?;
    let watch = Arc::new(watch);
    let mut exports = Exports::default();
    let recorder = Recorder::new(tracer(&config, &mut exports));
    // What waits is written when the thread is dropped.
    let patience = config.limits.decision_timeout;
    let (log, log_thread) =
        DecisionLog::start(&config.decision_log, sink.clone(), patience, &mut exports).map_err(ServeError::Log)?;
    let decider = Arc::new(Decider::new(Judge::new(&config, Arc::clone(&live)), log.clone(), recorder));
    let sockets = Sockets::bind(&config).await?;
    let gate = sockets.gate.clone();
    let (stop, stopped) = watch::channel(false);
    let sources = Sources {
        decider: Arc::clone(&decider),
        sandbox: workshop.sandbox.clone(),
        swaps: Arc::clone(&workshop.swaps),
        store: store.clone(),
        log: sink,
        requests: Arc::default(),
        exports: exports.figures(),
    };
    let routes = Admin {
        reporter: Arc::new(Reporter::new(&config, Arc::clone(&decider), store.clone())),
        manager: Manager::new(&config, Arc::clone(&watch), live, workshop),
        store,
        gate: gate.clone(),
        desk: Desk::new(&config, Arc::clone(&decider)),
        metrics: Arc::new(Metrics::new(sources)),
        decisions: Decisions::new(&config.decision_log, log.feed().clone(), stopped.clone()),
    };
    let fronts = sockets.serve(&config, routes, &decider, &stopped);
    info!("ready");
    let supervisor = Supervisor::of_environment();
    supervisor.ready();
    signals.until_stop(&watch, gate.as_ref(), &log).await;
    info!("stopping");
    supervisor.stopping();
    // Every receiver is told, for each holds the other end.
    let _ = stop.send(true);
    finish(fronts, config.limits.shutdown_grace).await;
    drop(log_thread);
    exports.finish().await;
    info!("stopped");
    Ok(())
}

/// Each keeps the grace itself; the operator's socket is not waited for any longer.
async fn finish(mut fronts: JoinSet<()>, grace: Duration) {
    let _ = timeout(grace + AFTER_GRACE, async { while fronts.join_next().await.is_some() {} }).await;
}

fn tracer(config: &Config, exports: &mut Exports) -> Option<Tracer> {
    config.traces.as_ref().map(|traces| {
        let sender = exports.start("traces", traces.endpoint.clone(), otlp::traces::encode);
        Tracer::new(sender, traces.sample)
    })
}

// === impl Sockets ===

impl Sockets {
    async fn bind(config: &Config) -> Result<Self, ServeError> {
        let plugin = config.listeners.iter().map(|listener| Bound::new(&listener.socket)).collect::<Result<_, _>>()?;
        let gate = Gate::open(config).map_err(ServeError::Admin)?;
        let admin = Bound::new(&config.admin_socket)?;
        let remote = gate.as_ref().map(|gate| socket::listen(gate.listen)).transpose()?;
        let scraped = match config.metrics.listen {
            Some(address) => Some(MetricsListener::bind(address).await?),
            None => None,
        };
        Ok(Self { plugin, admin, remote, gate, scraped })
    }

    /// Serves on each until it is told that the host stops.
    fn serve(
        self,
        config: &Config,
        routes: Admin,
        decider: &Arc<Decider>,
        stopped: &watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let mut fronts = JoinSet::new();
        if let Some(address) = self.remote.as_ref().and_then(|remote| remote.local_addr().ok()) {
            info!(%address, "the admin API is listening");
        }
        if let Some(listener) = self.scraped {
            fronts.spawn(metrics::serve(listener, Arc::clone(&routes.metrics), stopped.clone()));
        }
        fronts.spawn(admin::serve(self.admin, self.remote, routes, config.limits.clone(), stopped.clone()));
        let bodies = BodyLimits::new(&config.limits);
        for (bound, listener) in self.plugin.into_iter().zip(&config.listeners) {
            info!(listener = listener.name, socket = %bound.path().display(), "listening");
            let front = Front::new(listener.clone(), Arc::clone(decider), bodies.clone(), &config.limits);
            fronts.spawn(plugin::serve(bound, Arc::new(front), stopped.clone()));
        }
        fronts
    }
}

/// Every connection is a descriptor, and the usual soft limit is what one listener may have of them.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "the limit of open files cannot be raised");
    }
}

fn open_store(config: &Config) -> Store {
    let store = Store::open(&config.state_dir);
    if let Some(problem) = store.problem() {
        warn!(problem, "the state of policies is not available; those that need it deny");
    }
    store
}

/// What loading policies needs. Must be called on a runtime's thread.
pub(crate) fn workshop(config: &Config) -> Result<Workshop, ServeError> {
    let cache = config.cache_dir.clone();
    std::fs::create_dir_all(&cache).map_err(|source| ServeError::Cache { path: cache.clone(), source })?;
    let sandbox = Sandbox::new(&SandboxConfig { instances: config.limits.instances, cache: Some(cache) })?;
    Ok(Workshop { sandbox, runtime: Handle::current(), offers: Offers::default(), swaps: Arc::default() })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads on SIGHUP, until SIGTERM or SIGINT; those do not wait for a reload to end.
    async fn until_stop(&mut self, watch: &Watch, gate: Option<&Arc<Gate>>, log: &DecisionLog) {
        let reload = async {
            loop {
                let _ = self.hangup.recv().await;
                info!("reloading");
                log.reopen();
                if let Some(gate) = gate {
                    gate.reload().await;
                }
                watch.reload().await;
                info!("reloaded");
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = reload => {}
        }
    }
}
