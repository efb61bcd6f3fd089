//! Brings the host up, in the order in which each part needs the one before it; the sockets come last.
//!
//! `stage` says what the start waits for. Signals arrive on a thread of their own (`signals`), which ends the process if the rest cannot. `supervisor` tells systemd
//! when the sockets are there. A host that is started with `--take-over` gets sockets and idle connections from the one that
//! runs, by `service::take_over`: its header has the order.

mod signals;
pub(crate) mod stage;
mod supervisor;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_admin as admin;
use portcullis_admin::manage::Manager;
use portcullis_admin::reload::Reloader;
use portcullis_admin::{Admin, Decisions, DryRuns};
use portcullis_config::{Config, Problems};
use portcullis_decision_log::{DecisionLog, LogThread};
use portcullis_mounts::created::Created;
use portcullis_policies::{Watch, WorkshopError, load_context};
use portcullis_service::body::BodyLimits;
use portcullis_service::decide::{Authorizer, Evaluator};
use portcullis_service::plugin::{self, Front, Phase};
use portcullis_service::recorder::Recorder;
use portcullis_service::socket::{BindError, Bound};
use portcullis_service::take_over::{Accepted, Predecessor, Successor, Successors, TakeOverError};
use portcullis_service::traces::{self, Tracer};
use portcullis_state::{Spaces, Store};
use portcullis_status::gate::Gate;
use portcullis_status::health::Untaken;
use portcullis_status::inspect::{Inspected, Inspector};
use portcullis_status::listen::Unheard;
use portcullis_status::metrics::{self, Metrics, Sources};
use portcullis_status::status::Reporter;
use portcullis_telemetry::log_sink::LogSink;
use portcullis_telemetry::otlp::Exports;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::serve::signals::Signals;
use crate::serve::stage::Stage;

/// How much longer than the grace it takes at most to stop what keeps the grace itself.
const AFTER_GRACE: Duration = Duration::from_secs(1);
/// For what is left to be sent to collectors.
const EXPORTED: Duration = Duration::from_secs(3);
/// So much longer than the grace may everything take that happens at the end. Then the process ends, whatever hangs.
const END: Duration = Duration::from_secs(5);
/// So much longer than the own grace is the host waited for whose place is taken.
const STOPPED: Duration = Duration::from_secs(10);

/// Why the host did not come up.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    LoadContext(#[from] WorkshopError),
    #[error("policies cannot be watched: {0}")]
    Watch(#[source] std::io::Error),
    #[error("the admin API cannot be served: {0}")]
    Admin(#[source] Problems),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the thread of the decision log cannot be started: {0}")]
    Log(#[source] std::io::Error),
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    #[error("the host that took this one's place ended before it served: {0}")]
    Successor(#[source] std::io::Error),
    #[error("the thread that looks at files cannot be started: {0}")]
    Inspector(#[source] std::io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[source] std::io::Error),
}

/// The sockets, made before anything is served: a host that cannot have one of these does not start.
struct Sockets {
    plugin: Vec<Bound>,
    /// None as long as the host before has it.
    admin: Option<Bound>,
    /// Who is let in by TCP.
    gate: Option<Arc<Gate>>,
    /// The host whose place this one takes, and the connections that are left of it.
    predecessor: Option<Predecessor>,
    accepted: Vec<Accepted>,
}

/// What serves, and how each is told to stop.
struct Fronts {
    /// Each gives the connections that the next host is to have.
    plugin: JoinSet<Vec<Accepted>>,
    others: JoinSet<()>,
    phase: watch::Sender<Phase>,
    stop: watch::Sender<bool>,
}

/// What decides nothing any more when the host has stopped.
struct Kept {
    created: Created,
    store: Store,
    log: LogThread,
    exports: Exports,
}

/// Serves until it is told to stop, or until another host takes its place.
pub(crate) async fn serve(config: Config, stage: Stage, sink: LogSink, take_over: bool) -> Result<(), ServeError> {
    let grace = config.limits.shutdown_grace;
    let mut signals = Signals::start(grace + END, sink.clone()).map_err(ServeError::Signals)?;
    raise_descriptor_limit();
    let predecessor = if take_over { find_predecessor(&config).await? } else { None };
    stage.at("compiled policies", &config.cache_dir);
    let context = load_context(&config)?;
    stage.at("the state", &config.state_dir);
    let store = if predecessor.is_some() { Store::later(&config.state_dir) } else { Store::open(&config.state_dir) };
    let spaces = Spaces::Disk(store.clone());
    stage.leave();
    let (watch, live) = Watch::start(&config, spaces, context.clone()).map_err(ServeError::Watch)?;
    let watch = Arc::new(watch);
    stage.enter("the sockets, and the host whose place it takes");
    let mut sockets = Sockets::bind(&config, predecessor)?;
    // Nothing decides between the end of the host before and the end of this.
    sockets.take_over(&config, &store).await?;
    tell_of(&store);
    stage.at("the decision log, and what containers were created with,", &config.state_dir);
    let mut exports = Exports::default();
    let recorder = Recorder::new(tracer(&config, &mut exports));
    // What waits is written when the thread is dropped.
    let patience = config.limits.decision_timeout;
    let (log, log_thread) =
        DecisionLog::start(&config.decision_log, sink.clone(), patience, &mut exports).map_err(ServeError::Log)?;
    let created = Created::open(&config.state_dir);
    let evaluator = Evaluator::new(&config, Arc::clone(&live)).remembering(created.clone());
    let authorizer = Arc::new(Authorizer::new(evaluator, log.clone(), recorder));
    let gate = sockets.gate.clone();
    let (stop, stopped) = watch::channel(false);
    let (inspector, inspection) =
        Inspector::start(Inspected::new(&config, &store, &created)).map_err(ServeError::Inspector)?;
    let unheard = Unheard::default();
    let untaken = Untaken::default();
    let front = (inspector, gate.clone(), unheard.clone(), untaken.clone());
    let reporter = Arc::new(Reporter::new(&config, Arc::clone(&authorizer), store.clone(), front));
    let sources = Sources {
        authorizer: Arc::clone(&authorizer),
        reporter: Arc::clone(&reporter),
        sandbox: context.sandbox.clone(),
        swaps: Arc::clone(&context.swaps),
        store: store.clone(),
        log: sink,
        requests: Arc::default(),
        exports: exports.statistics(),
    };
    let reloader = Reloader::new(&config, Arc::clone(&authorizer), Arc::clone(&watch), gate.clone(), untaken);
    let reloader = Arc::new(reloader);
    let routes = Admin {
        reporter,
        manager: Manager::new(&config, Arc::clone(&watch), live, context),
        store: store.clone(),
        gate,
        reloader: Arc::clone(&reloader),
        dry_runs: DryRuns::new(&config, Arc::clone(&authorizer)),
        metrics: Arc::new(Metrics::new(sources)),
        decisions: Decisions::new(&config.decision_log, log.feed().clone(), stopped.clone()),
    };
    let (mut successors, fronts) = sockets.serve(&config, routes, unheard, &authorizer, (stop, stopped)).await;
    drop(stage);
    info!("ready");
    supervisor::ready();
    let kept = Kept { created, store, log: log_thread, exports };
    tokio::select! {
        () = supervisor::live() => Ok(()),
        () = until_stop(&mut signals, &reloader) => {
            info!("stopping");
            drop(inspection);
            supervisor::stopping();
            fronts.stop(grace, kept).await;
            info!("stopped");
            Ok(())
        }
        successor = successors.next() => {
            info!(pid = successor.pid, "another host takes the place of this one");
            drop(inspection);
            signals.end();
            fronts.hand_over(&successor, grace, kept).await
        }
    }
}

async fn find_predecessor(config: &Config) -> Result<Option<Predecessor>, ServeError> {
    let wanted: Vec<&Path> = config.listeners.iter().map(|listener| listener.socket.as_path()).collect();
    let found = Predecessor::find(&config.admin_socket, &wanted).await?;
    match &found {
        Some(_) => info!("a host runs; this one takes its place"),
        None => info!("no host runs whose place could be taken"),
    }
    Ok(found)
}

/// Reloads on SIGHUP, until SIGTERM or SIGINT; those do not wait for a reload to end.
async fn until_stop(signals: &mut Signals, reloader: &Arc<Reloader>) {
    let (stop, hangups) = signals.split();
    let reload = async {
        loop {
            hangups.next().await;
            reloader.reload().await;
        }
    };
    tokio::select! {
        () = stop.end() => {}
        () = reload => {}
    }
}

fn tracer(config: &Config, exports: &mut Exports) -> Option<Tracer> {
    config.traces.as_ref().map(|traces| {
        let sender = exports.start("traces", traces.endpoint.clone(), traces::encode);
        Tracer::new(sender, traces.sample)
    })
}

// === impl Sockets ===

impl Sockets {
    fn bind(config: &Config, mut predecessor: Option<Predecessor>) -> Result<Self, ServeError> {
        let bind = |path: &Path| match predecessor.as_mut().and_then(|host| host.take(path)) {
            Some(taken) => taken.map_err(|source| BindError::Socket { path: path.to_owned(), source }),
            None => Bound::new(path),
        };
        let sockets = config.listeners.iter().map(|listener| listener.socket.as_path());
        let plugin = sockets.map(bind).collect::<Result<_, _>>()?;
        let gate = Gate::open(config).map_err(ServeError::Admin)?;
        let admin = if predecessor.is_some() { None } else { Some(Bound::new(&config.admin_socket)?) };
        Ok(Self { plugin, admin, gate, predecessor, accepted: Vec::new() })
    }

    /// Takes the place of the host before. This is the last step that can fail.
    async fn take_over(&mut self, config: &Config, store: &Store) -> Result<(), ServeError> {
        let Some(predecessor) = &self.predecessor else { return Ok(()) };
        match predecessor.stop(config.limits.shutdown_grace + STOPPED).await {
            Ok(accepted) => {
                self.accepted = accepted;
                self.plugin.iter_mut().for_each(Bound::own);
            }
            Err(error) => {
                warn!(%error, "the host before did not leave its sockets; they are made anew, and calls may be lost");
                let sockets = config.listeners.iter().map(|listener| Bound::replace(&listener.socket));
                self.plugin = sockets.collect::<Result<_, _>>()?;
            }
        }
        self.admin = Some(Bound::replace(&config.admin_socket)?);
        store.open_now();
        Ok(())
    }

    /// Serves on each until it is told that the host stops.
    async fn serve(
        mut self,
        config: &Config,
        routes: Admin,
        unheard: Unheard,
        authorizer: &Arc<Authorizer>,
        (stop, stopped): (watch::Sender<bool>, watch::Receiver<bool>),
    ) -> (Successors, Fronts) {
        let successors = Successors::bind(&config.admin_socket, &self.plugin);
        let (phase, phases) = watch::channel(Phase::Serving);
        let (mut plugin, mut others) = (JoinSet::new(), JoinSet::new());
        if let Some(address) = config.metrics.listen {
            others.spawn(metrics::serve(address, unheard.clone(), Arc::clone(&routes.metrics), stopped.clone()));
        }
        if let Some(admin) = self.admin {
            others.spawn(admin::serve(admin, routes, unheard, config.limits.clone(), stopped));
        }
        let bodies = BodyLimits::new(&config.limits);
        for (bound, listener) in self.plugin.into_iter().zip(&config.listeners) {
            info!(listener = listener.name, socket = %bound.path().display(), "listening");
            let front = Front::new(listener.clone(), Arc::clone(authorizer), bodies.clone(), &config.limits);
            let is_its = |accepted: &mut Accepted| accepted.socket == listener.socket;
            let accepted = self.accepted.extract_if(.., is_its).map(|accepted| accepted.stream).collect();
            let (socket, phases) = (listener.socket.clone(), phases.clone());
            plugin.spawn(async move {
                let left = plugin::serve(bound, accepted, Arc::new(front), phases).await;
                left.into_iter().map(|stream| Accepted { socket: socket.clone(), stream }).collect()
            });
        }
        if let Some(predecessor) = self.predecessor {
            predecessor.serving().await;
        }
        (successors, Fronts { plugin, others, phase, stop })
    }
}

// === impl Fronts ===

impl Fronts {
    /// Answers what is under way. Each front keeps the grace itself; the operator's is not waited for any longer.
    async fn stop(mut self, grace: Duration, kept: Kept) {
        // Every receiver is told, for each holds the other end.
        let _ = self.phase.send(Phase::Stopping);
        let _ = self.stop.send(true);
        let all = async {
            while self.plugin.join_next().await.is_some() {}
            while self.others.join_next().await.is_some() {}
        };
        let _ = timeout(grace + AFTER_GRACE, all).await;
        let Kept { created, log, exports, store: _ } = kept;
        let closed = spawn_blocking(move || created.close());
        drop(log);
        let _ = timeout(AFTER_GRACE, closed).await;
        let _ = timeout(EXPORTED, exports.finish()).await;
    }

    /// The same for a host that serves on, which decides when this one does not any more.
    async fn hand_over(mut self, successor: &Successor, grace: Duration, kept: Kept) -> Result<(), ServeError> {
        let _ = self.phase.send(successor.phase());
        let _ = self.stop.send(true);
        let mut left = Vec::new();
        let answered = async {
            while let Some(front) = self.plugin.join_next().await {
                left.extend(front.unwrap_or_default());
            }
        };
        let _ = timeout(grace + AFTER_GRACE, answered).await;
        let Kept { created, store, log, exports } = kept;
        // A disk that hangs has all of them, and holds up nothing but what needs them.
        let closed = spawn_blocking(move || {
            created.close();
            drop(log);
            store.close();
        });
        let _ = timeout(AFTER_GRACE, closed).await;
        successor.leave(left).await.map_err(ServeError::Successor)?;
        // This process can end before the next host serves: it is the supervisor's main one no longer.
        if let Some(pid) = successor.pid {
            supervisor::succeeded_by(pid);
        }
        successor.serves().await.map_err(ServeError::Successor)?;
        let _ = timeout(grace, async { while self.others.join_next().await.is_some() {} }).await;
        let _ = timeout(EXPORTED, exports.finish()).await;
        info!("stopped; another host serves");
        Ok(())
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

fn tell_of(store: &Store) {
    if let Some(problem) = store.problem() {
        warn!(problem, "the state of policies is not available; those that need it deny");
    }
}
