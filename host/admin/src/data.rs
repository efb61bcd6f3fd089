//! `/v1/data` and `/v1/tenants/{tenant}/data`: documents, and places in them by RFC 6901 pointers.

mod body;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH};
use axum::http::{Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use portcullis_config::document;
use portcullis_document::Document;
use portcullis_model::{Data, TenantName};
use serde::Serialize;
use serde_json::json;

use crate::Admin;
use crate::error::Failure;
use crate::manage::{DocumentPath, Edit, Given, Scope};
use crate::policies::{precondition, tag};

use self::body::{receive, write};

/// One document, as it is listed.
#[derive(Serialize)]
struct Listed {
    name: String,
    /// None where it was never read.
    etag: Option<String>,
    /// Of its file.
    bytes: Option<u64>,
    /// Why what lies there is not active.
    problem: Option<String>,
}

/// All documents as one object; with `?list`, what there is.
pub(crate) async fn list(State(admin): State<Admin>, uri: Uri, headers: HeaderMap) -> Result<Response, Failure> {
    let (scope, _) = parts(&uri)?;
    let documents = admin.manager.documents(&scope)?;
    if uri.query() == Some("list") {
        let mut problems = admin.manager.data_issues(&scope);
        let kept = documents.iter().map(|(name, kept)| Listed {
            name: name.clone(),
            etag: Some(kept.file.tag()),
            bytes: Some(kept.file.size()),
            problem: problems.remove(name),
        });
        let mut listed: Vec<_> = kept.collect();
        let broken = |(name, problem)| Listed { name, etag: None, bytes: None, problem: Some(problem) };
        listed.extend(problems.into_iter().map(broken));
        return Ok(Json(json!({ "documents": listed })).into_response());
    }
    let tags: String = documents.iter().map(|(name, kept)| format!("{name}\0{}\0", kept.file.tag())).collect();
    let etag = portcullis_engine::digest(tags.as_bytes()).to_string();
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag(&etag))]).into_response());
    }
    let data = Data::new(documents.iter().map(|(name, kept)| (name.clone(), kept.document.clone())));
    let body = write(&admin, move |out| data.lookup("").map_or(Ok(()), |found| found.write_to(out))).await?;
    Ok(([(CONTENT_TYPE, "application/json")], [(ETAG, tag(&etag))], body).into_response())
}

/// The value at a pointer.
pub(crate) async fn read(State(admin): State<Admin>, uri: Uri, headers: HeaderMap) -> Result<Response, Failure> {
    let (scope, place) = place(&uri)?;
    let kept = admin.manager.document(&scope, &place.name)?;
    if kept.document.pointer(&place.pointer).is_none() {
        let message = format!("nothing at `{}` in the document `{}`", place.pointer, place.name);
        return Err(Failure::new(StatusCode::NOT_FOUND, message));
    }
    let etag = kept.file.tag();
    if is_known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag(&etag))]).into_response());
    }
    let found = move |out: &mut body::Out| match kept.document.pointer(&place.pointer) {
        Some(value) => value.write_to(out),
        None => Ok(()),
    };
    let body = write(&admin, found).await?;
    Ok(([(CONTENT_TYPE, "application/json")], [(ETAG, tag(&etag))], body).into_response())
}

pub(crate) async fn put(State(admin): State<Admin>, request: Request<Body>) -> Result<Response, Failure> {
    let (scope, place) = place(request.uri())?;
    let is_yaml =
        matches!(media_type(request.headers()).as_str(), "application/yaml" | "application/x-yaml" | "text/yaml");
    let most = admin.manager.most_data(&scope)?;
    let headers = request.headers().clone();
    let given = receive(&admin, request, most, move |bytes| {
        if is_yaml {
            // What is larger can only be JSON.
            let yaml = (bytes.len() <= document::MAX_YAML).then(|| bytes.clone());
            let document = document::from_yaml(bytes, most);
            document.map(|document| Given { document, yaml }).map_err(|problem| unreadable("YAML", &problem))
        } else {
            let document = document::from_json(bytes);
            document.map(|document| Given { document, yaml: None }).map_err(|problem| unreadable("JSON", &problem))
        }
    });
    let given = given.await?;
    change(&admin, &headers, scope, place, Edit::Put(given)).await
}

/// `application/json-patch+json` (also as `application/json`), or `application/merge-patch+json`.
pub(crate) async fn patch(State(admin): State<Admin>, request: Request<Body>) -> Result<Response, Failure> {
    let (scope, place) = place(request.uri())?;
    let edit: fn(Document) -> Edit = match media_type(request.headers()).as_str() {
        "application/json-patch+json" | "application/json" => Edit::Patch,
        "application/merge-patch+json" => Edit::Merge,
        other => {
            let message = format!(
                "`{other}` is no patch; expected `Content-Type: application/json-patch+json` (RFC 6902) or \
                 `application/merge-patch+json` (RFC 7396)"
            );
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    let most = admin.manager.most_data(&scope)?;
    let headers = request.headers().clone();
    let patch = receive(&admin, request, most, |bytes| {
        document::from_json(bytes).map_err(|problem| Failure::bad_request(format!("the patch is not JSON: {problem}")))
    });
    let patch = patch.await?;
    change(&admin, &headers, scope, place, edit(patch)).await
}

pub(crate) async fn remove(State(admin): State<Admin>, uri: Uri, headers: HeaderMap) -> Result<Response, Failure> {
    let (scope, place) = place(&uri)?;
    change(&admin, &headers, scope, place, Edit::Remove).await
}

async fn change(
    admin: &Admin,
    headers: &HeaderMap,
    scope: Scope,
    place: DocumentPath,
    edit: Edit,
) -> Result<Response, Failure> {
    let name = place.name.clone();
    let change = admin.manager.change_data(scope, place, edit, precondition(headers)?).await?;
    let answer = json!({ "name": name, "etag": change.tag, "generation": change.generation });
    let status = if change.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let etag = change.tag.map(|text| [(ETAG, tag(&text))]);
    Ok((status, etag, Json(answer)).into_response())
}

/// Whose documents, and which place.
fn place(uri: &Uri) -> Result<(Scope, DocumentPath), Failure> {
    let (scope, rest) = parts(uri)?;
    Ok((scope, DocumentPath::of_path(rest)?))
}

/// Whose documents, and what follows `/data/` in the path as it was sent: a `/` that is percent-encoded is none.
fn parts(uri: &Uri) -> Result<(Scope, &str), Failure> {
    let path = uri.path();
    let Some(of_tenant) = path.strip_prefix("/v1/tenants/") else {
        return Ok((None, path.strip_prefix("/v1/data/").unwrap_or_default()));
    };
    let (tenant, rest) = of_tenant.split_once('/').unwrap_or_default();
    let tenant = percent_decode_str(tenant).decode_utf8_lossy();
    let tenant = TenantName::new(&tenant).map_err(|bad| Failure::bad_request(bad.to_string()))?;
    Ok((Some(tenant), rest.strip_prefix("data/").unwrap_or_default()))
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the caller has what has this tag.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let mut values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.any(|tags| {
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == etag)
    })
}

fn unreadable(what: &str, problem: &str) -> Failure {
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body is not {what}: {problem}"))
}
