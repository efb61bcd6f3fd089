//! The least that any authorization plugin does: a server of the same hyper that reads the call and allows it. With
//! `value` it also reads the body, as a policy in any language would have to.
//!
//! `floor parse|value SOCKET`

use std::borrow::Cow;
use std::convert::Infallible;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::UnixListener;

/// What is read of a call: all that a plugin needs to know which call it is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Call<'a> {
    #[serde(borrow)]
    request_method: Cow<'a, str>,
    #[serde(borrow)]
    request_uri: Cow<'a, str>,
    #[serde(borrow, default)]
    request_body: Option<Cow<'a, str>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(mode), Some(socket)) = (args.next(), args.next()) else {
        return Err("usage: floor parse|value SOCKET".into());
    };
    let with_body = mode == "value";
    let listener = UnixListener::bind(Path::new(&socket))?;
    println!("ready");
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service_fn(move |request| async move { Ok::<_, Infallible>(answer(request, with_body).await) });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, with_body: bool) -> Response<Full<Bytes>> {
    let allow = match request.into_body().collect().await {
        Ok(body) => is_read(&body.to_bytes(), with_body),
        Err(_) => false,
    };
    let text: &[u8] = if allow { br#"{"Allow":true}"# } else { br#"{"Allow":false,"Msg":"not a call"}"# };
    Response::new(Full::new(Bytes::from_static(text)))
}

fn is_read(bytes: &[u8], with_body: bool) -> bool {
    let Ok(call) = serde_json::from_slice::<Call<'_>>(bytes) else { return false };
    let known = !call.request_method.is_empty() && !call.request_uri.is_empty();
    match call.request_body {
        Some(body) if with_body => {
            let Ok(body) = base64_simd::STANDARD.decode_to_vec(body.as_bytes()) else { return false };
            known && serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|value| value.is_object())
        }
        _ => known,
    }
}
