//! What the operator asked, by route and status.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use portcullis_telemetry::metrics::calls::OTHER;

/// Calls of the admin API. A lock will do: nobody's call to dockerd waits for it.
#[derive(Debug, Default)]
pub struct Requests(Mutex<BTreeMap<(&'static str, u16), u64>>);

/// The route that a call was for, in the extensions of its answer.
#[derive(Clone, Copy, Debug)]
pub struct RouteOf(pub &'static str);

/// Counts an answer. What was for no route, or went no further than the check of who asks, is [`OTHER`]'s.
pub async fn count(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let route = response.extensions().get::<RouteOf>().map_or(OTHER, |route| route.0);
    requests.add(route, response.status().as_u16());
    response
}

/// Says of an answer which route gave it.
pub async fn name(State(route): State<RouteOf>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(route);
    response
}

impl Requests {
    fn add(&self, route: &'static str, status: u16) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((route, status)).or_default() += 1;
    }

    /// Path, status, and how often.
    pub fn read(&self) -> Vec<(&'static str, String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((route, status), count)| (*route, status.to_string(), *count)).collect()
    }
}
