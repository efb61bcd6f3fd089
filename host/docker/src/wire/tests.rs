use super::{Call, WireError, read_call, write_answer};

#[test]
fn a_call_is_read_field_by_field() {
    let call = read_call(
        br#"{"User":"alice","UserAuthNMethod":"TLS","RequestMethod":"POST","RequestUri":"/v1.44/x?\u003ca\u0026b",
        "RequestBody":"eyJhIjoxfQ==","RequestHeaders":{"Content-Type":"application/json"},
        "RequestPeerCertificates":["LS0tLS1CRUdJTg=="],"New":[1,2]}
"#,
    )
    .expect("is a call");
    assert_eq!(
        call,
        Call {
            method: "POST".to_owned(),
            uri: "/v1.44/x?<a&b".to_owned(),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: Some(br#"{"a":1}"#.to_vec()),
            user: Some("alice".to_owned()),
            authentication: Some("TLS".to_owned()),
            certificates: vec!["-----BEGIN".to_owned()].into(),
        }
    );
    assert_eq!(call.header("content-TYPE"), Some("application/json"));
    assert_eq!(call.header("content-length"), None);
}

#[test]
fn what_is_absent_is_none() {
    for text in [
        r#"{"RequestMethod":"GET","RequestUri":"/info"}"#,
        r#"{"RequestMethod":"GET","RequestUri":"/info","User":"","UserAuthNMethod":"","RequestBody":"","RequestHeaders":{}}"#,
        r#"{"RequestMethod":"GET","RequestUri":"/info","RequestBody":null,"RequestHeaders":null,"RequestPeerCertificates":null}"#,
    ] {
        let call = read_call(text.as_bytes()).expect("is a call");
        assert_eq!(call, Call { method: "GET".to_owned(), uri: "/info".to_owned(), ..Call::default() }, "{text}");
    }
}

#[test]
fn what_is_not_a_call_says_why() {
    for (text, expected) in [
        ("", "the plugin call is empty"),
        (" \n", "the plugin call is empty"),
        ("{", "the plugin call is not the JSON of a call: EOF"),
        ("hello", "the plugin call is not a JSON object"),
        ("null", "the plugin call is not a JSON object"),
        ("[]", "the plugin call is not a JSON object"),
        ("[\"GET\",\"/info\"]", "the plugin call is not a JSON object"),
        ("{}", "the plugin call has no `RequestMethod`"),
        ("{} {}", "the plugin call is not the JSON of a call: trailing characters"),
        (r#"{"RequestMethod":"","RequestUri":"/"}"#, "the plugin call has no `RequestMethod`"),
        (r#"{"RequestMethod":"GET"}"#, "the plugin call has no `RequestUri`"),
        (r#"{"RequestMethod":"GET","RequestURI":"/"}"#, "the plugin call has no `RequestUri`"),
        (r#"{"RequestMethod":1}"#, "the plugin call is not the JSON of a call: invalid type: integer `1`"),
        (
            r#"{"RequestMethod":"GET","RequestMethod":"GET"}"#,
            "the plugin call is not the JSON of a call: duplicate field",
        ),
        (
            r#"{"RequestMethod":"GET","RequestUri":"/","RequestBody":[1]}"#,
            "the plugin call is not the JSON of a call: ",
        ),
        (
            r#"{"RequestMethod":"GET","RequestUri":"/","RequestHeaders":[]}"#,
            "the plugin call is not the JSON of a call: ",
        ),
        (
            r#"{"RequestMethod":"GET","RequestUri":"/","RequestBody":"?"}"#,
            "`RequestBody` of the plugin call is not base64",
        ),
        (
            r#"{"RequestMethod":"GET","RequestUri":"/","RequestBody":"YQ"}"#,
            "`RequestBody` of the plugin call is not base64",
        ),
        (
            r#"{"RequestMethod":"GET","RequestUri":"/","RequestPeerCertificates":["/w=="]}"#,
            "a certificate of the plugin call is not text",
        ),
    ] {
        let error = read_call(text.as_bytes()).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    assert!(matches!(read_call(b"{\"\xff\":1}"), Err(WireError::Json(_))));
}

#[test]
fn answers_are_what_dockerd_reads() {
    assert_eq!(write_answer(true, ""), br#"{"Allow":true}"#);
    assert_eq!(write_answer(false, "no \"way\""), br#"{"Allow":false,"Msg":"no \"way\""}"#);
    assert_eq!(write_answer(false, ""), br#"{"Allow":false}"#);
}
