//! One scrape: everything is read, and written as one page.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_engine::{Sandbox, Stats};
use portcullis_policies::{LoadIssues, Snapshot};
use portcullis_service::decide::Authorizer;
use portcullis_state::{Store, Usage};
use portcullis_telemetry::log_sink::LogSink;
use portcullis_telemetry::metrics::swaps::Swaps;
use portcullis_telemetry::otlp::Exported;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::health::Readiness;
use crate::metrics::families;
use crate::metrics::page::Page;
use crate::metrics::process::Process;
use crate::metrics::requests::Requests;
use crate::status::Reporter;

/// Of the page that [`Metrics::page`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// No scraper waits longer.
const SCRAPED_WITHIN: Duration = Duration::from_secs(30);
/// What policies keep is left out where its disk takes longer.
const STORE_WITHIN: Duration = Duration::from_secs(1);

/// Where everything that is counted lies.
#[derive(Debug)]
pub struct Metrics {
    sources: Arc<Sources>,
    /// One scrape at a time: each reads the store, and makes a page that can be large.
    turn: Arc<Mutex<()>>,
}

/// Everything that a page is read from.
#[derive(Debug)]
pub struct Sources {
    pub authorizer: Arc<Authorizer>,
    pub reporter: Arc<Reporter>,
    pub sandbox: Sandbox,
    pub swaps: Arc<Swaps>,
    pub store: Store,
    pub log: LogSink,
    pub requests: Arc<Requests>,
    /// What is sent to collectors, by signal.
    pub exports: Vec<(&'static str, Arc<Exported>)>,
}

/// What one scrape found.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) sources: Arc<Sources>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) issues: Arc<LoadIssues>,
    pub(crate) readiness: Readiness,
    /// What is kept, by tenant; none where the store does not answer.
    pub(crate) kept: Option<Vec<(String, Usage)>>,
    pub(crate) sandbox: Stats,
    pub(crate) process: Process,
}

// === impl Metrics ===

impl Metrics {
    /// Reads from these.
    pub fn new(sources: Sources) -> Self {
        Self { sources: Arc::new(sources), turn: Arc::default() }
    }

    /// Where calls of the admin API are counted.
    pub fn requests(&self) -> &Arc<Requests> {
        &self.sources.requests
    }

    /// Everything, in the OpenMetrics text format.
    pub async fn page(&self) -> String {
        let sources = Arc::clone(&self.sources);
        let page = async {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            // The rest is told also where its disk does not answer.
            let kept = sources.store.reading("", STORE_WITHIN, |store| store.sums()).await.ok();
            // The store and the kernel are read. What panics there has written nothing, and the log says so.
            let page = tokio::task::spawn_blocking(move || {
                // A disk that does not answer keeps it, and no second thread waits there.
                let _turn = turn;
                Scrape::of(sources, kept).page()
            });
            page.await.unwrap_or_default()
        };
        timeout(SCRAPED_WITHIN, page).await.unwrap_or_default()
    }
}

// === impl Scrape ===

impl Scrape {
    fn of(sources: Arc<Sources>, kept: Option<Vec<(String, Usage)>>) -> Self {
        let live = sources.authorizer.live();
        Self {
            snapshot: live.load(),
            issues: live.issues(),
            readiness: sources.reporter.readiness(),
            kept,
            sandbox: sources.sandbox.stats(),
            process: Process::read(),
            sources,
        }
    }

    fn page(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut page, &registry);
        page
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        families::calls::write(self, &mut page)?;
        families::policies::write(self, &mut page)?;
        families::state::write(self, &mut page)?;
        families::host::write(self, &mut page)
    }
}
