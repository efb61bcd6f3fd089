//! `/v1/decisions` and `/v1/tenants/{tenant}/decisions`: decisions as they are made, the last ones, and one of them.
//!
//! The stream is of [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html):
//!
//! | event | data |
//! |---|---|
//! | `decision` | a record; its ID is the event's |
//! | `lost` | `{"lost": N}`: so many came faster than they were read. Without a number where it is not known: the last one that was seen is no longer held |
//! | a comment | each [`HEARTBEAT`], where nothing else came |

mod archive;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use portcullis_config::{DecisionLogSettings, SinkSettings};
use portcullis_decision_log::feed::{Feed, Heard, PublishedRecord, Subscription};
use portcullis_decision_log::filter::{AnswerIs, Filter, Moment};
use portcullis_decision_log::id::{DecisionId, Wanted};
use portcullis_engine::LARGE_ANSWERS;
use portcullis_model::TenantName;
use serde::Deserialize;
use serde::de::Error as _;
use tokio::sync::watch;

use self::archive::Archive;
use crate::error::Failure;
use crate::{Admin, JSON};

/// Less than the time after which proxies and clients take a connection that is still for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: &str = "last-event-id";

/// Where decisions are found. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Decisions {
    feed: Feed,
    archive: Arc<Archive>,
    /// Streams end with the host.
    stop: watch::Receiver<bool>,
}

/// Whose decisions, and which one.
#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    tenant: Option<String>,
    id: Option<String>,
}

/// What of the stream is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    tenant: Option<String>,
    user: Option<String>,
    operation: Option<String>,
    #[serde(default, deserialize_with = "parsed")]
    answer: Option<AnswerIs>,
    policy: Option<String>,
    #[serde(default, deserialize_with = "parsed")]
    since: Option<Moment>,
    #[serde(default, deserialize_with = "parsed")]
    until: Option<Moment>,
    /// How many of the last ones come first.
    #[serde(default)]
    last: usize,
    /// Whether the stream goes on after them.
    #[serde(default = "yes")]
    follow: bool,
}

/// What a listener is still to be given, and whom it may hear of.
struct Listening {
    /// Before anything else.
    gap: bool,
    held: VecDeque<PublishedRecord>,
    /// None where it ends when all that is held was given.
    subscription: Option<Subscription>,
    filter: Filter,
    tenant: Option<TenantName>,
    stop: watch::Receiver<bool>,
}

pub(crate) async fn follow(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    options: Result<Query<Options>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let tenant = which.tenant()?;
    let Query(options) = options.map_err(|bad| Failure::bad_request(bad.body_text()))?;
    let seen = headers.get(LAST_EVENT_ID).map(|id| wanted(id.to_str().unwrap_or_default())).transpose()?;
    let (last, follows) = (options.last, options.follow);
    let filter = options.filter(tenant.as_ref())?;
    let Decisions { feed, stop, .. } = admin.decisions;
    let crowded = || {
        let message = "as many listen to decisions as may; try again when one has ended";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, message)
    };
    // Nothing can come between what is held and what will be heard.
    let (held, subscription) = feed.subscribe_after(None).ok_or_else(crowded)?;
    let listening = Listening {
        gap: false,
        held: VecDeque::new(),
        subscription: follows.then_some(subscription),
        filter,
        tenant,
        stop,
    };
    // All records that are held may have to be read for that.
    let held = held.unwrap_or_default().into();
    let listening = LARGE_ANSWERS.finish("", move || listening.with_held(held, seen.as_ref(), last)).await;
    let listening = listening.map_err(|_| Failure::panicked())?;
    Ok(Sse::new(listening.events()).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

pub(crate) async fn read(State(admin): State<Admin>, Path(which): Path<Which>) -> Result<Response, Failure> {
    let tenant = which.tenant()?;
    let wanted = wanted(which.id.as_deref().unwrap_or_default())?;
    let is_theirs = |record: &PublishedRecord| tenant.is_none() || record.tenant == tenant;
    if let Some(found) = admin.decisions.feed.find(&wanted) {
        let found = Some(found).filter(is_theirs).ok_or_else(|| unknown(&which))?;
        return Ok(([(CONTENT_TYPE, JSON)], found.line.to_string()).into_response());
    }
    let found = admin.decisions.archive.find(wanted, tenant).await?;
    found.map(|line| ([(CONTENT_TYPE, JSON)], line).into_response()).ok_or_else(|| unknown(&which))
}

fn event(record: &PublishedRecord) -> Event {
    Event::default().event("decision").id(record.id.to_string()).data(&*record.line)
}

fn unknown(which: &Which) -> Failure {
    let id = which.id.as_deref().unwrap_or_default();
    let message = format!("no decision `{id}` is among the last ones, nor in the host's own log file");
    Failure::new(StatusCode::NOT_FOUND, message)
}

fn wanted(id: &str) -> Result<Wanted, Failure> {
    Wanted::new(id).map_err(|bad| Failure::bad_request(bad.to_string()))
}

/// Drops everything up to this one; false where it is not there.
fn drop_seen(held: &mut VecDeque<PublishedRecord>, seen: &Wanted) -> bool {
    let mut buffer = [0; DecisionId::LEN];
    match held.iter().rposition(|record| seen.is(record.id.text(&mut buffer))) {
        Some(at) => {
            held.drain(..=at);
            true
        }
        None => false,
    }
}

fn yes() -> bool {
    true
}

fn parsed<'de, T, D>(text: D) -> Result<Option<T>, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
    D: serde::Deserializer<'de>,
{
    String::deserialize(text)?.parse().map(Some).map_err(D::Error::custom)
}

// === impl Decisions ===

impl Decisions {
    /// Of a log with these settings and this feed; ends its streams when `stop` says so.
    pub fn new(settings: &DecisionLogSettings, feed: Feed, stop: watch::Receiver<bool>) -> Self {
        let file = settings.sinks.iter().find_map(|sink| match sink {
            SinkSettings::File(file) => Some(file.path.clone()),
            SinkSettings::Stderr | SinkSettings::Stdout | SinkSettings::Journald(_) | SinkSettings::Otlp(_) => None,
        });
        Self { feed, archive: Arc::new(Archive::new(file)), stop }
    }
}

// === impl Which ===

impl Which {
    fn tenant(&self) -> Result<Option<TenantName>, Failure> {
        let Some(name) = &self.tenant else { return Ok(None) };
        TenantName::new(name).map(Some).map_err(|bad| Failure::bad_request(bad.to_string()))
    }
}

// === impl Options ===

impl Options {
    /// Where the path names a tenant, the query may name no other.
    fn filter(self, tenant: Option<&TenantName>) -> Result<Filter, Failure> {
        let Self { tenant: named, user, operation, answer, policy, since, until, .. } = self;
        if let (Some(tenant), Some(named)) = (tenant, &named)
            && tenant.as_str() != named
        {
            return Err(Failure::bad_request(format!("the path names tenant `{tenant}`, and the query `{named}`")));
        }
        Ok(Filter { tenant: named, user, operation, answer, policy, since, until })
    }
}

// === impl Listening ===

impl Listening {
    /// Of the records that are held, those that come first: all after the one that was seen, or the last ones.
    fn with_held(mut self, held: VecDeque<PublishedRecord>, seen: Option<&Wanted>, last: usize) -> Self {
        let mut held = held;
        let most = match seen {
            // All that is held came after one that is not held any more.
            Some(seen) => {
                self.gap = !drop_seen(&mut held, seen);
                usize::MAX
            }
            None => last,
        };
        while self.held.len() < most
            && let Some(record) = held.pop_back()
        {
            if self.admits(&record) {
                self.held.push_front(record);
            }
        }
        self
    }

    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut listening| async move {
            let event = listening.next().await?;
            Some((Ok(event), listening))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.gap) {
            return Some(Event::default().event("lost").data(r#"{"lost":null}"#));
        }
        if let Some(record) = self.held.pop_front() {
            return Some(event(&record));
        }
        loop {
            match self.hear().await? {
                Heard::Record(record) if self.admits(&record) => return Some(event(&record)),
                Heard::Record(_) => {}
                Heard::Lost(lost) => return Some(Event::default().event("lost").data(format!("{{\"lost\":{lost}}}"))),
            }
        }
    }

    async fn hear(&mut self) -> Option<Heard> {
        let (subscription, stop) = (self.subscription.as_mut()?, &mut self.stop);
        tokio::select! {
            // What was heard before the end is told.
            biased;
            heard = subscription.next() => heard,
            // The guard that this gives must not live across an await.
            () = async { drop(stop.wait_for(|stop| *stop).await) } => None,
        }
    }

    fn admits(&self, record: &PublishedRecord) -> bool {
        if self.tenant.is_some() && record.tenant != self.tenant {
            return false;
        }
        // What the host wrote can be read.
        self.filter.is_open() || serde_json::from_str(&record.line).is_ok_and(|record| self.filter.admits(&record))
    }
}
