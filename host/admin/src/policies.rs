//! `/v1/policies` and `/v1/tenants/{tenant}/policies`.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use portcullis_model::{PolicyName, TenantName};
use portcullis_status::status::PolicyStatus;
use serde::Deserialize;
use serde_json::json;

use crate::Admin;
use crate::error::Failure;
use crate::manage::{Precondition, Scope};

const WASM: HeaderValue = HeaderValue::from_static("application/wasm");
/// More is not read at all; the tenant's own limit is told in a sentence.
const MAX_UPLOAD: usize = 256 << 20;

/// Whose policies, and which one.
#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    tenant: Option<String>,
    name: Option<String>,
}

pub(crate) async fn list(State(admin): State<Admin>, Path(which): Path<Which>) -> Result<Response, Failure> {
    let members = admin.manager.members(&which.scope()?)?;
    let policies: Vec<_> = members.iter().map(|member| PolicyStatus::of(member)).collect();
    Ok(Json(json!({ "policies": policies })).into_response())
}

/// What is known of a policy; or, where the caller asks for `application/wasm`, its bytes.
pub(crate) async fn read(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let (scope, name) = (which.scope()?, which.name()?);
    let member = admin.manager.member(&scope, &name)?;
    let member = member.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("there is no policy `{name}`")))?;
    let tag = member.digest.map(|digest| tag(&digest.to_string()));
    let wants_bytes = headers.get("accept").is_some_and(|accept| accept == WASM);
    let mut response = if wants_bytes {
        ([(CONTENT_TYPE, WASM)], admin.manager.policy_bytes(scope, name).await?).into_response()
    } else {
        Json(PolicyStatus::of(&member)).into_response()
    };
    response.headers_mut().extend(tag.map(|tag| (ETAG, tag)));
    Ok(response)
}

pub(crate) async fn put(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let (scope, name) = (which.scope()?, which.name()?);
    let precondition = precondition(&headers)?;
    let bytes = receive(request, MAX_UPLOAD).await?;
    let change = admin.manager.put_policy(scope, name.clone(), bytes, &precondition).await?;
    let digest = change.digest.to_string();
    let answer = json!({ "name": name.as_str(), "digest": digest, "generation": change.generation });
    let status = if change.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, [(ETAG, tag(&digest))], Json(answer)).into_response())
}

pub(crate) async fn remove(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let precondition = precondition(&headers)?;
    admin.manager.remove_policy(which.scope()?, which.name()?, &precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

// === impl Which ===

impl Which {
    pub(crate) fn scope(&self) -> Result<Scope, Failure> {
        let Some(name) = &self.tenant else { return Ok(None) };
        TenantName::new(name).map(Some).map_err(|bad| Failure::bad_request(bad.to_string()))
    }

    pub(crate) fn name(&self) -> Result<PolicyName, Failure> {
        let name = self.name.as_deref().unwrap_or_default();
        PolicyName::new(name).map_err(|bad| Failure::bad_request(bad.to_string()))
    }
}

/// A whole body, if it is not too large.
pub(crate) async fn receive(request: Request<Body>, most: usize) -> Result<Bytes, Failure> {
    match Limited::new(request.into_body(), most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {most} bytes are taken")))
        }
        Err(error) => Err(Failure::bad_request(format!("the body broke off: {error}"))),
    }
}

/// `If-Match` and `If-None-Match: *`, of which one may be there.
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Precondition, Failure> {
    let one = |name: HeaderName| -> Result<Option<&str>, Failure> {
        let mut values = headers.get_all(&name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        text.map(str::trim).map(Some).ok_or_else(|| Failure::bad_request(format!("`{name}` cannot be read")))
    };
    match (one(IF_MATCH)?, one(IF_NONE_MATCH)?) {
        (None, None) => Ok(Precondition::Anything),
        (Some("*"), None) => Ok(Precondition::Something),
        (None, Some("*")) => Ok(Precondition::Nothing),
        (Some(tags), None) => {
            let tags = tags.split(',').map(|tag| tag.trim().trim_matches('"').to_owned());
            Ok(Precondition::Tags(tags.collect()))
        }
        _ => Err(Failure::bad_request("expected `If-Match: \"TAG\"`, `If-Match: *` or `If-None-Match: *`")),
    }
}

/// An `ETag` of a digest or version, which needs no escapes.
pub(crate) fn tag(text: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{text}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}
