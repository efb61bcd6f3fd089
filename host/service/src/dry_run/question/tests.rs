use super::*;

fn call(text: &str) -> wire::Call {
    Question::read(text.as_bytes()).expect("a question").into_call().expect("a call")
}

#[test]
fn a_description_is_the_call_that_a_client_would_make() {
    let asked = call(
        r#"{"method": "POST", "path": "/v1.44/containers/create", "query": {"name": "a b", "platform": ["x&y", 1], "t": true},
            "headers": {"Authz-User": "bob"}, "body": {"Image": "alpine", "Big": 12345678901234567890}, "user": "alice"}"#,
    );
    let body = br#"{"Image":"alpine","Big":12345678901234567890}"#;
    assert_eq!(asked.uri, "/v1.44/containers/create?name=a%20b&platform=x%26y&platform=1&t=true");
    assert_eq!(asked.body.as_deref(), Some(&body[..]));
    assert_eq!((asked.user.as_deref(), asked.authentication.as_deref()), (Some("alice"), Some("TLS")));
    let header = |name| asked.header(name).map(str::to_owned);
    assert_eq!(header("authz-user").as_deref(), Some("bob"));
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("content-length"), Some(body.len().to_string()));

    let listed = call(r#"{"method": "GET", "path": "/containers/json?all=1", "query": {"size": "1"}, "body": null}"#);
    let expected =
        wire::Call { method: "GET".into(), uri: "/containers/json?all=1&size=1".into(), ..wire::Call::default() };
    assert_eq!(listed, expected);
}

#[test]
fn a_plugin_call_is_read_as_dockerd_posts_it_and_what_is_wrong_with_one_is_an_answer() {
    let text = r#"{"RequestMethod":"GET","RequestUri":"/_ping","User":"alice"}"#;
    assert_eq!(call(text), wire::read_call(text.as_bytes()).expect("a call"));
    for bad in [r#"{"RequestMethod":"GET"}"#, r#"{"RequestMethod":"GET","RequestUri":"/","RequestBody":"%"}"#] {
        assert!(Question::read(bad.as_bytes()).expect("a question").into_call().is_err(), "{bad}");
    }
}

#[test]
fn what_is_no_question_is_told_with_its_name() {
    let cases = [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "is a list"),
        ("{}", "no `method`"),
        (r#"{"method": "GET"}"#, "no `path`"),
        (r#"{"method": "", "path": "/"}"#, "no `method`"),
        (r#"{"method": "GET", "path": "/", "metod": 1}"#, "unknown member `metod`"),
        (r#"{"method": "GET", "path": "/", "path": "/_ping"}"#, "not JSON"),
        (r#"{"method": 1, "path": "/"}"#, "`method` of the question is a number"),
        (r#"{"method": "GET", "path": "/", "headers": []}"#, "`headers` of the question is a list"),
        (r#"{"method": "GET", "path": "/", "headers": {"a": {}}}"#, "`headers/a` of the question is an object"),
        (r#"{"method": "GET", "path": "/", "certificates": [1]}"#, "expected a list of PEM texts"),
        (r#"{"method": "GET", "path": "/", "query": {"a": [null]}}"#, "`query/a` of the question is null"),
    ];
    for (text, message) in cases {
        let error = Question::read(text.as_bytes()).expect_err(text).to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}
