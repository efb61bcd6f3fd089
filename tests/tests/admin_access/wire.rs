//! Calls that no well-behaved client sends, byte by byte: one connection never carries somebody else's call.

use portcullis_tests::Result;
use portcullis_tests::http::{Answer, Connection};
use portcullis_tests::tls::Authority;

use super::{ROOT, host, tokens};

/// What would be answered if it were read as a call of its own.
const SECOND: &str = "GET /v1/smuggled HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-of-the-whole-host\r\n\r\n";

/// A call with these lines after the first one and before the empty one.
fn call(lines: &str, body: &str) -> String {
    format!("POST /v1/state/reset HTTP/1.1\r\nAuthorization: Bearer {ROOT}\r\n{lines}\r\n{body}")
}

/// What was answered before the connection was closed.
fn answers(mut connection: Connection, bytes: &str) -> Vec<Answer> {
    // Whoever is refused early may not get to write it all.
    let _ = connection.write(bytes.as_bytes());
    std::iter::from_fn(|| connection.read().ok()).collect()
}

/// Name, call, and the statuses that are right; none where it may be closed without an answer.
fn cases() -> Vec<(&'static str, String, &'static [u16])> {
    let host = "Host: 127.0.0.1\r\n";
    let with = |lines: &str, body: &str| call(&format!("{host}{lines}"), body);
    let chunk = "0\r\n\r\n";
    vec![
        (
            "both lengths, the number first",
            with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunk),
            &[200, 400],
        ),
        (
            "both lengths, the chunks first",
            with("Transfer-Encoding: chunked\r\nContent-Length: 50\r\n", chunk),
            &[200, 400],
        ),
        ("two lengths that differ", with("Content-Length: 0\r\nContent-Length: 80\r\n", ""), &[400]),
        ("two lengths in one line", with("Content-Length: 0, 80\r\n", ""), &[400]),
        ("two lengths that are the same", with("Content-Length: 0\r\nContent-Length: 0\r\n", ""), &[200, 400]),
        ("a length with a sign", with("Content-Length: +0\r\n", ""), &[400]),
        ("a length that is negative", with("Content-Length: -1\r\n", ""), &[400]),
        ("a length that is no number", with("Content-Length: 0x0\r\n", ""), &[400]),
        ("a length that is too long", with("Content-Length: 99999999999999999999999\r\n", ""), &[400]),
        ("an unknown coding", with("Transfer-Encoding: xchunked\r\n", chunk), &[400]),
        ("chunks that are not last", with("Transfer-Encoding: chunked, identity\r\n", chunk), &[400]),
        ("chunks by another name", with("Transfer-Encoding: identity\r\n", chunk), &[400]),
        ("a bad chunk size", with("Transfer-Encoding: chunked\r\n", "zz\r\n\r\n"), &[200, 400]),
        ("a huge chunk size", with("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), &[200, 400]),
        ("a chunk without an end", with("Transfer-Encoding: chunked\r\n", "1\r\naXX0\r\n\r\n"), &[200, 400]),
        ("a line that is folded", with("X-A: b\r\n c\r\n", ""), &[400]),
        ("a space before the colon", with("Content-Length : 0\r\n", ""), &[400]),
        ("a line without a name", with(": b\r\n", ""), &[400]),
        ("a NUL in a value", with("X-A: b\0c\r\n", ""), &[400]),
        ("a bare CR in a value", with("X-A: b\rc\r\n", ""), &[400]),
        ("bare line feeds", with("Content-Length: 0\r\n", "").replace("\r\n", "\n"), &[200, 400]),
        ("no Host", call("Content-Length: 0\r\n", ""), &[400]),
        ("two Hosts", with("Host: 127.0.0.1\r\nContent-Length: 0\r\n", ""), &[400]),
        ("a Host with somebody in it", call("Host: a@127.0.0.1\r\nContent-Length: 0\r\n", ""), &[400]),
        ("a whole URL", with("", "").replace(" /v1", " http://127.0.0.1/v1"), &[400]),
        ("a whole URL of another host", with("", "").replace(" /v1", " https://evil.example/v1"), &[400]),
        ("a tunnel", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n".to_owned(), &[400]),
        ("an asterisk", "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(), &[400]),
        ("HTTP/0.9", "GET /v1/status\r\n\r\n".to_owned(), &[400]),
        ("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400]),
        ("HTTP/3.0", with("", "").replace("HTTP/1.1", "HTTP/3.0"), &[400, 505]),
        ("a head that is too large", with(&format!("X-A: {}\r\n", "a".repeat(40 << 10)), ""), &[400, 431]),
        ("too many lines", with(&"X-A: b\r\n".repeat(100), ""), &[400, 431]),
        ("a path that is too long", with("", "").replace("reset", &"a".repeat(40 << 10)), &[400, 414, 431]),
        ("from a page", with("Origin: https://evil.example\r\nContent-Length: 0\r\n", ""), &[403]),
        ("from a browser", with("Sec-Fetch-Site: none\r\nContent-Length: 0\r\n", ""), &[403]),
        ("a body that is cut off", with("Content-Length: 200\r\n", "abc"), &[200, 400]),
        ("well-formed", with("Content-Length: 0\r\n", ""), &[200]),
    ]
}

#[test]
fn by_tcp_a_connection_carries_one_call_and_never_a_hidden_second_one() -> Result<()> {
    let authority = Authority::new()?;
    let (_host, door) = host(&authority, &tokens())?;
    for (name, bytes, right) in cases() {
        let answers = answers(door.connect()?, &(bytes + SECOND));
        assert!(answers.len() <= 1, "{name}: {answers:?}");
        match answers.first() {
            Some(answer) => assert!(right.contains(&answer.status), "{name}: {} {}", answer.status, answer.text()),
            None => assert!(right.contains(&400), "{name} was closed without an answer"),
        }
    }
    Ok(())
}

#[test]
fn at_the_unix_socket_what_can_be_read_in_two_ways_is_the_last_call() -> Result<()> {
    let authority = Authority::new()?;
    let (host, _door) = host(&authority, &tokens())?;
    // What hyper reads in one way only may be followed by another call; it is the operator's own socket.
    let may_go_on = ["two lengths that are the same", "bare line feeds", "a body that is cut off", "well-formed"];
    for (name, bytes, right) in cases() {
        let mut connection = Connection::open(&host.config().admin_socket())?;
        let _ = connection.write((bytes + SECOND).as_bytes());
        let _ = connection.finish();
        let answers: Vec<_> = std::iter::from_fn(|| connection.read().ok()).collect();
        let most = if may_go_on.contains(&name) { 2 } else { 1 };
        assert!(answers.len() <= most, "{name}: {answers:?}");
        let is_right = answers.first().map_or(right.contains(&400), |answer| right.contains(&answer.status));
        assert!(is_right, "{name}: {answers:?}");
    }
    Ok(())
}

#[test]
fn who_is_refused_hears_why_though_still_sending() -> Result<()> {
    let authority = Authority::new()?;
    let (_host, door) = host(&authority, &tokens())?;
    let body = vec![0; 3 << 20];
    for (token, expected) in [("wrong", 401), (super::CI, 403)] {
        let headers = [("Authorization", &*super::bearer(token))];
        let bytes = portcullis_tests::http::request("PUT", "/v1/policies/x", &headers, &body);
        assert_eq!(door.send(&bytes)?.status, expected);
    }
    Ok(())
}

#[test]
fn a_call_is_for_the_name_that_tls_was_asked_for() -> Result<()> {
    let authority = Authority::new()?;
    let (_host, door) = host(&authority, &tokens())?;
    let door = door.named("localhost");
    for (host, expected) in [("localhost", 200), ("LOCALHOST:9443", 200), ("rebound.example", 421), ("127.0.0.1", 421)]
    {
        let headers = [("Host", host), ("Authorization", &super::bearer(ROOT))];
        let answer = door.send(&portcullis_tests::http::request("GET", "/v1/status", &headers, b""))?;
        assert_eq!(answer.status, expected, "{host}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn without_tls_nothing_is_answered() -> Result<()> {
    let authority = Authority::new()?;
    let (_host, door) = host(&authority, &tokens())?;
    let call = "GET /v1/status HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer token-of-the-whole-host\r\n\r\n";
    let answers = answers(Connection::over(door.knock()?), call);
    assert!(answers.is_empty(), "{answers:?}");
    Ok(())
}
