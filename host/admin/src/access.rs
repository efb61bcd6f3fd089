//! Who asks, and what they may do.

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use portcullis_config::{Rights, Scope};
use portcullis_policies::tenant::LineBudget;
use portcullis_status::gate::{Gate, Shown};
use tracing::{error, info, warn};

use crate::body;
use crate::error::Failure;

/// Lines a second about callers that are refused.
const REFUSALS_LOGGED: u32 = 10;
/// Bytes of a path that are logged.
const PATH_LOGGED: usize = 256;

/// Who asks. It is put into the extensions of each request of somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Root, or the user that runs the host, at the unix socket: may do everything.
    Operator,
    /// Somebody at the TCP address.
    Remote(Arc<Rights>),
}

/// Who is at the other end of a connection. It is in the extensions of each request.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// This user, at the unix socket.
    Local(Option<u32>),
    Remote {
        address: std::net::SocketAddr,
        certificate: Option<Arc<Shown>>,
        /// The host that the caller asked TLS for.
        server_name: Option<Arc<str>>,
    },
}

/// Why nobody is known to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unauthenticated {
    NoProof,
    UnknownToken,
    UnreadableToken,
    UnknownCertificate,
    OtherUser,
}

/// Finds out who asks.
#[derive(Clone, Debug)]
pub(crate) struct Doorkeeper {
    gate: Option<Arc<Gate>>,
    lines: Arc<LineBudget>,
}

/// Who asks is put into the request; what they change is logged. Who is not known goes on without a name, and gets what
/// needs none.
pub(crate) async fn identify(State(keeper): State<Doorkeeper>, request: Request, next: Next) -> Response {
    let mut request = request;
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the host lost sight of who asks").into_response();
    };
    match keeper.principal(&peer, request.headers()) {
        Ok(principal) => {
            request.extensions_mut().insert(principal.clone());
            known(keeper, principal, &peer, request, next).await
        }
        Err(stranger) => {
            let (parts, sent) = request.into_parts();
            body::discard(sent).await;
            let path = cut(parts.uri.path()).to_owned();
            // The socket's mode keeps others out already; this holds should somebody change it.
            let response = if stranger == Unauthenticated::OtherUser {
                other_user()
            } else {
                next.run(Request::from_parts(parts, Body::empty())).await
            };
            if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && keeper.lines.take(1) > 0
            {
                warn!(peer = %peer, path, reason = %stranger, "the admin API refused an unknown caller");
            }
            response
        }
    }
}

/// A change is finished, and logged, also when the caller is gone by then. Nothing changes where it is refused, and so often
/// that need not be told.
async fn known(keeper: Doorkeeper, principal: Principal, peer: &Peer, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    let (method, path, peer) = (request.method().clone(), cut(request.uri().path()).to_owned(), peer.to_string());
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        let (status, is_refused) = (response.status().as_u16(), response.status() == StatusCode::FORBIDDEN);
        if is_refused && keeper.lines.take(1) == 0 {
            return response;
        }
        info!(who = principal.name(), peer, %method, path, status, "admin call");
        response
    });
    done.await.unwrap_or_else(|panic| {
        error!(%panic, "the host panicked while it answered the admin API");
        Failure::panicked().into_response()
    })
}

/// The answer to somebody who is not known.
pub(crate) fn unknown_caller() -> Response {
    let message = "it is not known who asks: send `Authorization: Bearer TOKEN` with a token that the operator gave out, \
                or show a client certificate";
    let mut response = Failure::new(StatusCode::UNAUTHORIZED, message).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"portcullis\""));
    response
}

fn other_user() -> Response {
    Failure::new(StatusCode::FORBIDDEN, "only root and the user that runs the host may ask here").into_response()
}

fn cut(path: &str) -> &str {
    path.get(..path.floor_char_boundary(PATH_LOGGED)).unwrap_or_default()
}

// === impl Doorkeeper ===

impl Doorkeeper {
    pub(crate) fn new(gate: Option<Arc<Gate>>) -> Self {
        Self { gate, lines: Arc::new(LineBudget::new(REFUSALS_LOGGED)) }
    }

    fn principal(&self, peer: &Peer, headers: &HeaderMap) -> Result<Principal, Unauthenticated> {
        match peer {
            Peer::Local(user) => {
                let own = rustix::process::geteuid().as_raw();
                let is_own = user.is_some_and(|user| user == 0 || user == own);
                if is_own { Ok(Principal::Operator) } else { Err(Unauthenticated::OtherUser) }
            }
            Peer::Remote { certificate, .. } => self.remote(certificate.as_deref(), headers).map(Principal::Remote),
        }
    }

    /// A token counts where there is one, and has to be right; the certificate where there is none.
    fn remote(&self, certificate: Option<&Shown>, headers: &HeaderMap) -> Result<Arc<Rights>, Unauthenticated> {
        let gate = self.gate.as_ref().ok_or(Unauthenticated::NoProof)?;
        let mut given = headers.get_all(AUTHORIZATION).iter();
        match (given.next(), given.next(), certificate) {
            (Some(value), None, _) => {
                let token = bearer(value.as_bytes()).ok_or(Unauthenticated::UnreadableToken)?;
                gate.holder(token).ok_or(Unauthenticated::UnknownToken)
            }
            (Some(_), Some(_), _) => Err(Unauthenticated::UnreadableToken),
            (None, _, Some(shown)) => gate.client(shown).ok_or(Unauthenticated::UnknownCertificate),
            (None, _, None) => Err(Unauthenticated::NoProof),
        }
    }
}

/// What follows `Bearer `, in any letters (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

// === impl Principal ===

impl Principal {
    /// Whether it may do this: to the host and to every tenant, or to the tenant that is named.
    pub(crate) fn may(&self, needs: Scope, tenant: Option<&str>) -> bool {
        match self {
            Self::Operator => true,
            Self::Remote(rights) => {
                let is_its = rights.tenant.as_ref().is_none_or(|own| tenant == Some(own.as_str()));
                is_its && rights.scopes.contains(&needs)
            }
        }
    }

    /// Whether it is one tenant's, and not the host's.
    pub(crate) fn is_of_tenant(&self) -> bool {
        match self {
            Self::Operator => false,
            Self::Remote(rights) => rights.tenant.is_some(),
        }
    }

    /// For the log.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::Remote(rights) => &rights.name,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(Some(user)) => write!(f, "uid {user}"),
            Self::Local(None) => f.write_str("an unknown user"),
            Self::Remote { address, .. } => address.fmt(f),
        }
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProof => "neither a token nor a certificate",
            Self::UnknownToken => "an unknown token",
            Self::UnreadableToken => "an `Authorization` that is no bearer token",
            Self::UnknownCertificate => "an unknown certificate",
            Self::OtherUser => "another user",
        })
    }
}

#[cfg(test)]
mod tests {
    use portcullis_model::TenantName;

    use super::*;

    #[test]
    fn a_tenants_rights_end_at_the_tenant_and_a_hosts_reach_everywhere() {
        let rights = |tenant: Option<&str>, scopes: &[Scope]| {
            let tenant = tenant.map(|name| TenantName::new(name).expect("a name"));
            Principal::Remote(Arc::new(Rights { name: "x".into(), scopes: scopes.to_vec(), tenant }))
        };
        let (host, ci) = (rights(None, &[Scope::Read]), rights(Some("ci"), &[Scope::Read, Scope::Data]));
        let cases = [
            (&host, Scope::Read, None, true),
            (&host, Scope::Read, Some("ci"), true),
            (&host, Scope::Data, None, false),
            (&host, Scope::Policies, Some("ci"), false),
            (&ci, Scope::Read, Some("ci"), true),
            (&ci, Scope::Data, Some("ci"), true),
            (&ci, Scope::Policies, Some("ci"), false),
            (&ci, Scope::Read, None, false),
            (&ci, Scope::Read, Some("CI"), false),
            (&ci, Scope::Read, Some("../ci"), false),
            (&ci, Scope::Read, Some(""), false),
        ];
        for (who, needs, tenant, expected) in cases {
            assert_eq!(who.may(needs, tenant), expected, "{who:?} {needs} {tenant:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_one_word_after_the_scheme() {
        let cases: [(&str, Option<&str>); 8] = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("BEARER abc", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("Bearerabc", None),
            ("", None),
        ];
        for (value, expected) in cases {
            assert_eq!(bearer(value.as_bytes()), expected.map(str::as_bytes), "{value:?}");
        }
    }
}
