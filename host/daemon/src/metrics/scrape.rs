//! One scrape: everything is read, and written as one page.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_engine::{Sandbox, Stats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::decide::Decider;
use crate::health::Readiness;
use crate::log_sink::LogSink;
use crate::metrics::families;
use crate::metrics::page::Page;
use crate::metrics::process::Process;
use crate::metrics::requests::Requests;
use crate::metrics::swaps::Swaps;
use crate::otlp::Exported;
use crate::policies::{Snapshot, Troubles};
use crate::state::{Store, Usage};
use crate::status::Reporter;

pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// No scraper waits longer.
const SCRAPED_WITHIN: Duration = Duration::from_secs(30);

/// Where everything that is counted lies.
#[derive(Debug)]
pub(crate) struct Metrics {
    sources: Arc<Sources>,
    /// One scrape at a time: each reads the store, and makes a page that can be large.
    turn: Arc<Mutex<()>>,
}

#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) decider: Arc<Decider>,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) sandbox: Sandbox,
    pub(crate) swaps: Arc<Swaps>,
    pub(crate) store: Store,
    pub(crate) log: LogSink,
    pub(crate) requests: Arc<Requests>,
    /// What is sent to collectors, by signal.
    pub(crate) exports: Vec<(&'static str, Arc<Exported>)>,
}

/// What one scrape found.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) sources: Arc<Sources>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) troubles: Arc<Troubles>,
    pub(crate) readiness: Readiness,
    /// What is kept, by tenant; none where the store does not answer.
    pub(crate) kept: Option<Vec<(String, Usage)>>,
    pub(crate) sandbox: Stats,
    pub(crate) process: Process,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn new(sources: Sources) -> Self {
        Self { sources: Arc::new(sources), turn: Arc::default() }
    }

    pub(crate) fn requests(&self) -> &Arc<Requests> {
        &self.sources.requests
    }

    /// Everything, in the OpenMetrics text format.
    pub(crate) async fn page(&self) -> String {
        let sources = Arc::clone(&self.sources);
        let page = async {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            // The store and the kernel are read. What panics there has written nothing, and the log says so.
            let page = tokio::task::spawn_blocking(move || {
                // A disk that does not answer keeps it, and no second thread waits there.
                let _turn = turn;
                Scrape::of(sources).page()
            });
            page.await.unwrap_or_default()
        };
        timeout(SCRAPED_WITHIN, page).await.unwrap_or_default()
    }
}

// === impl Scrape ===

impl Scrape {
    fn of(sources: Arc<Sources>) -> Self {
        let live = sources.decider.live();
        Self {
            snapshot: live.load(),
            troubles: live.troubles(),
            readiness: sources.reporter.readiness(),
            kept: sources.store.sums().ok(),
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
