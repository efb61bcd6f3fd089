//! `/v1/policies/{name}/config`, and its short forms `mode` and `settings`; of tenants, too.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use portcullis_config::document;
use portcullis_document::{Document, patch};
use portcullis_policies::MAX_SETTINGS;
use serde_json::{Map, Value, json};

use crate::Admin;
use crate::error::Failure;
use crate::manage::{ConfigChange, PolicyConfig};
use crate::policies::{Which, precondition, receive, tag};

const MODE: &str = "mode";
const SETTINGS: &str = "settings";

/// What is written; with `?effective=true`, everything that holds.
pub(crate) async fn read(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let (scope, name) = (which.scope()?, which.name()?);
    let config = match request.uri().query().unwrap_or_default() {
        "" | "effective=false" => admin.manager.policy_config(scope, name).await?,
        "effective" | "effective=true" => admin.manager.effective_config(scope, name).await?,
        other => {
            return Err(Failure::bad_request(format!("`{other}` is not understood; there is `effective=true`")));
        }
    };
    Ok(tagged(config.tag.as_deref(), Json(config.says)))
}

/// Replaces what is written.
pub(crate) async fn put(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let wanted = object(&json_of(request).await?)?;
    change(admin, &which, &headers, move |_| Ok(wanted)).await
}

/// Changes what is written: a JSON merge patch.
pub(crate) async fn patch(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if !matches!(kind, None | Some("" | "application/merge-patch+json" | "application/json")) {
        let message = "a JSON merge patch is taken: `application/merge-patch+json`";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let patch = json_of(request).await?;
    object(&patch)?;
    change(admin, &which, &headers, move |says| {
        let says = document::from_value(&Value::Object(says))?;
        let merged = patch::merge(&says, &patch).map_err(|error| error.to_string())?;
        value(&merged).and_then(|merged| merged.as_object().cloned().ok_or_else(|| "is no object".to_owned()))
    })
    .await
}

pub(crate) async fn remove(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let precondition = precondition(&headers)?;
    admin.manager.remove_policy_config(which.scope()?, which.name()?, precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `{"mode": "observe"}`, or just the word.
pub(crate) async fn put_mode(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let body = receive(request, MAX_SETTINGS as usize).await?;
    let expected = || Failure::bad_request("expected `{\"mode\": \"observe\"}`, or `observe` or `enforce` alone");
    let text = std::str::from_utf8(&body).map_err(|_| expected())?.trim();
    let mode = if text.starts_with('{') {
        let Value::Object(mut wanted) = serde_json::from_str(text).map_err(|_| expected())? else {
            return Err(expected());
        };
        let mode = wanted.remove(MODE).ok_or_else(expected)?;
        if !wanted.is_empty() {
            return Err(expected());
        }
        mode
    } else {
        Value::from(text.trim_matches('"'))
    };
    change_one(admin, &which, &headers, MODE, mode).await
}

pub(crate) async fn read_settings(State(admin): State<Admin>, Path(which): Path<Which>) -> Result<Response, Failure> {
    let PolicyConfig { mut says, tag } = admin.manager.policy_config(which.scope()?, which.name()?).await?;
    let settings = says.remove(SETTINGS).unwrap_or_else(|| json!({}));
    Ok(tagged(tag.as_deref(), Json(settings)))
}

pub(crate) async fn put_settings(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let settings = object(&json_of(request).await?)?;
    change_one(admin, &which, &headers, SETTINGS, Value::Object(settings)).await
}

async fn change_one(
    admin: Admin,
    which: &Which,
    headers: &HeaderMap,
    key: &'static str,
    value: Value,
) -> Result<Response, Failure> {
    change(admin, which, headers, move |mut says| {
        says.insert(key.to_owned(), value);
        Ok(says)
    })
    .await
}

async fn change(
    admin: Admin,
    which: &Which,
    headers: &HeaderMap,
    edit: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, String> + Send + 'static,
) -> Result<Response, Failure> {
    let (scope, name) = (which.scope()?, which.name()?);
    let precondition = precondition(headers)?;
    let changed = admin.manager.edit_policy_config(scope, name.clone(), precondition, edit).await?;
    let ConfigChange { tag, is_new, active, generation } = changed;
    let answer = json!({ "name": name.as_str(), "tag": tag, "active": active, "generation": generation });
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, tagged(tag.as_deref(), Json(answer))).into_response())
}

fn tagged(text: Option<&str>, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().extend(text.map(|text| (ETAG, tag(text))));
    response
}

/// A body that is JSON; a key that is there twice is refused.
async fn json_of(request: Request<Body>) -> Result<Document, Failure> {
    let body = receive(request, MAX_SETTINGS as usize).await?;
    let text = String::from_utf8(body.into()).map_err(|_| Failure::bad_request("the body is not UTF-8 text"))?;
    document::from_json(text).map_err(|error| Failure::bad_request(format!("the body is not JSON: {error}")))
}

fn object(document: &Document) -> Result<Map<String, Value>, Failure> {
    match value(document).map_err(Failure::bad_request)? {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Failure::bad_request(format!("the body is {}; expected an object", document.root().kind())))
        }
    }
}

fn value(document: &Document) -> Result<Value, String> {
    serde_json::from_str(&document.root().to_json()).map_err(|error| error.to_string())
}
