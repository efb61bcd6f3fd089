//! What a call must look like before anybody looks at what it asks. hyper refuses what is no HTTP/1 already.

use axum::http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{Request, StatusCode, Version};
use axum::response::{IntoResponse, Response};

use crate::access::Peer;
use crate::error::Failure;

/// The header that browsers send with every call.
const FETCH: &str = "sec-fetch-site";

/// Refuses a call that is for somebody else, or that a browser makes for a page. The connection is closed after it.
pub(crate) fn check<B>(request: &Request<B>, peer: &Peer) -> Result<(), Box<Response>> {
    let refused = origin_form(request).and_then(|()| host(request, peer)).and_then(|()| no_page(request.headers()));
    refused.map_err(|failure| {
        let mut response = failure.into_response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        Box::new(response)
    })
}

fn origin_form<B>(request: &Request<B>) -> Result<(), Failure> {
    let target = request.uri();
    if target.scheme().is_none() && target.authority().is_none() && target.path().starts_with('/') {
        return Ok(());
    }
    Err(Failure::bad_request("the target must be a path that begins with `/`: nothing is passed on from here"))
}

/// There must be one `Host`, and that which TLS was asked for.
fn host<B>(request: &Request<B>, peer: &Peer) -> Result<(), Failure> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => return Ok(()),
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok().filter(|host| !host.as_str().contains('@')),
        _ => None,
    };
    let host =
        host.ok_or_else(|| Failure::bad_request("there must be one `Host` header, with a name and maybe a port"))?;
    let Peer::Remote { server_name: Some(expected), .. } = peer else { return Ok(()) };
    if host.host().eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, "`Host` is not the name that this connection was made to"))
}

/// A page in somebody's browser could use the browser's client certificate.
fn no_page(headers: &HeaderMap) -> Result<(), Failure> {
    if headers.contains_key(ORIGIN) || headers.contains_key(FETCH) {
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "browsers are not answered: the call has `Origin` or `Sec-Fetch-Site`",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_for_this_host_and_not_from_a_page() {
        let named = |name: Option<&str>| Peer::Remote {
            address: ([127, 0, 0, 1], 1).into(),
            certificate: None,
            server_name: name.map(Into::into),
        };
        let (local, by_name, by_number) = (Peer::Local(Some(0)), named(Some("admin.example")), named(None));
        let good = &[("host", "admin.example:9443")][..];
        type Case<'a> = (&'a Peer, &'a str, &'a [(&'a str, &'a str)], u16);
        let cases: [Case<'_>; 15] = [
            (&local, "/v1/status", good, 200),
            (&local, "/v1/status", &[], 400),
            (&local, "/v1/status", &[("host", "a"), ("host", "a")], 400),
            (&local, "/v1/status", &[("host", "")], 400),
            (&local, "/v1/status", &[("host", "a b")], 400),
            (&local, "/v1/status", &[("host", "user@a")], 400),
            (&local, "http://admin.example/v1/status", good, 400),
            (&local, "*", good, 400),
            (&local, "admin.example:443", good, 400),
            (&by_name, "/v1/status", &[("host", "ADMIN.example")], 200),
            (&by_name, "/v1/status", &[("host", "other.example")], 421),
            (&by_name, "/v1/status", &[("host", "127.0.0.1")], 421),
            (&by_number, "/v1/status", &[("host", "127.0.0.1:9443")], 200),
            (&by_number, "/v1/status", &[("host", "a"), ("origin", "https://evil.example")], 403),
            (&local, "/v1/status", &[("host", "a"), ("sec-fetch-site", "cross-site")], 403),
        ];
        for (peer, target, headers, expected) in cases {
            let mut request = Request::builder().uri(target);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(()).expect("a request");
            let status = check(&request, peer).map_or_else(|refused| refused.status().as_u16(), |()| 200);
            assert_eq!(status, expected, "{peer:?} {target} {headers:?}");
        }
    }
}
