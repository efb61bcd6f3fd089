//! The plugin's endpoints. dockerd calls the first three:
//!
//! | call | answer |
//! |---|---|
//! | `POST /Plugin.Activate` | what this plugin implements |
//! | `POST /AuthZPlugin.AuthZReq` | the decision |
//! | `POST /AuthZPlugin.AuthZRes` | allow: the operation has already happened. What it made is remembered |
//! | `GET /` | what this is, for a person with `curl` |

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use portcullis_decision_log::Sender;
use portcullis_docker::{answer, wire};
use portcullis_model::{Answer, Cause};

use crate::plugin::connection::Front;

pub(crate) type Reply = Response<Full<Bytes>>;

const PLUGIN_JSON: HeaderValue = HeaderValue::from_static("application/vnd.docker.plugins.v1.2+json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const FAILED: &str = "the host failed; its log says how";
const IMPLEMENTS: &[u8] = br#"{"Implements":["authz"]}"#;
const ABOUT: &str = concat!(
    "Portcullis ",
    env!("CARGO_PKG_VERSION"),
    ": a Docker authorization plugin whose policies are WebAssembly.\n\
     dockerd calls it; name it in `authorization-plugins` of /etc/docker/daemon.json.\n"
);

/// Whether a decision is asked for.
pub(crate) fn is_question(request: &Request<Incoming>) -> bool {
    request.method() == Method::POST && request.uri().path() == "/AuthZPlugin.AuthZReq"
}

/// Answers one call.
pub(super) async fn answer(front: &Front, request: Request<Incoming>, sender: &Sender) -> Reply {
    if is_question(&request) {
        return authz_req(front, request.into_body(), sender).await;
    }
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/AuthZPlugin.AuthZRes") => authz_res(front, request.into_body(), sender).await,
        (&Method::POST, "/Plugin.Activate") => reply(StatusCode::OK, PLUGIN_JSON, Bytes::from_static(IMPLEMENTS)),
        (&Method::GET | &Method::HEAD, "/") => reply(StatusCode::OK, TEXT, ABOUT),
        (_, "/" | "/AuthZPlugin.AuthZReq" | "/AuthZPlugin.AuthZRes" | "/Plugin.Activate") => {
            failure(StatusCode::METHOD_NOT_ALLOWED, "this method is not of the plugin protocol")
        }
        _ => failure(StatusCode::NOT_FOUND, "this path is not of the plugin protocol"),
    }
}

/// Answers a caller that may not connect.
pub(super) fn refused_peer() -> Reply {
    failure(StatusCode::FORBIDDEN, "this user is not in `allow_uids` of the listener")
}

/// Answers a call on which the host itself failed.
pub(crate) fn internal_error() -> Reply {
    decision(&Answer::deny(FAILED))
}

/// The same of a decision, which is logged.
pub(super) async fn failed(front: &Front, sender: &Sender) -> Reply {
    decision(&front.authorizer.refuse(Cause::Internal, FAILED, sender).await)
}

async fn authz_req(front: &Front, body: Incoming, sender: &Sender) -> Reply {
    let answer = match front.bodies.receive(body).await {
        Ok(received) => front.authorizer.decide(received, sender).await,
        Err(error) => front.authorizer.refuse(Cause::BadCall, &error.to_string(), sender).await,
    };
    decision(&answer)
}

/// The operation has happened, and is allowed. Its answer can hold any amount of data: only what says that containers or volumes were
/// made is held, and remembered before the caller hears of it. An empty call is what dockerd sends when a connection broke;
/// nothing speaks for allowing that.
async fn authz_res(front: &Front, body: Incoming, sender: &Sender) -> Reply {
    let answer = match front.bodies.receive_if(body, answer::is_telling).await {
        Ok((0, _)) => Answer::deny("an empty plugin call says nothing about the answer"),
        Ok((_, Some(received))) => {
            front.authorizer.remember(received, sender).await;
            Answer::Allow
        }
        Ok((_, None)) => Answer::Allow,
        Err(error) => Answer::deny(&error.to_string()),
    };
    decision(&answer)
}

fn decision(answer: &Answer) -> Reply {
    let bytes = match answer {
        Answer::Allow => wire::write_answer(true, ""),
        Answer::Deny(reason) => wire::write_answer(false, reason.as_str()),
    };
    reply(StatusCode::OK, PLUGIN_JSON, bytes)
}

/// What is not a decision: dockerd takes it as the plugin's failure, and denies.
fn failure(status: StatusCode, text: &str) -> Reply {
    reply(status, PLUGIN_JSON, serde_json::json!({ "Err": text }).to_string())
}

fn reply(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}
