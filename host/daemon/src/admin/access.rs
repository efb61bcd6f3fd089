//! Who asks, and what they may do.

use std::fmt;

use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::warn;

use crate::admin::Peer;
use crate::admin::error::Failure;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    /// Looks at anything.
    Read,
    /// Changes documents.
    Data,
    /// Changes policies, their settings, and what they keep.
    Policies,
}

/// Who asks. It is put into the extensions of each request that may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Root, or the user that runs the host, at the unix socket: may do everything.
    Operator,
}

/// Finds out who asks. The socket's mode keeps others out already; this holds should somebody change it.
pub(crate) async fn identify(ConnectInfo(Peer(user)): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let own = rustix::process::geteuid().as_raw();
    let mut request = request;
    if user.is_some_and(|user| user == 0 || user == own) {
        request.extensions_mut().insert(Principal::Operator);
        return next.run(request).await;
    }
    warn!(user, path = request.uri().path(), "a user that may not was refused at the admin socket");
    let told = "only root and the user that runs the host may ask here";
    Failure::new(StatusCode::FORBIDDEN, told).into_response()
}

// === impl Scope ===

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Data => "data",
            Self::Policies => "policies",
        })
    }
}

// === impl Principal ===

impl Principal {
    /// Whether it may do this: to the host and to every tenant, or to the tenant that is named.
    pub(crate) fn may(&self, _needs: Scope, _tenant: Option<&str>) -> bool {
        match self {
            Self::Operator => true,
        }
    }
}
