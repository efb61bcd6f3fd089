use proptest::prelude::*;

use super::{ApiVersion, Target, TargetError};

/// `VERSION PATH [NAME=VALUE …]`
fn shown(uri: &str) -> Result<String, TargetError> {
    let Target { path, version, query } = Target::parse(uri)?;
    let mut text = format!("{} {path}", version.map_or("-".to_owned(), |version| version.to_string()));
    for (name, value) in query {
        text.push_str(&format!(" {name}={value}"));
    }
    Ok(text)
}

#[test]
fn targets_are_read_as_the_daemon_reads_them() {
    for (uri, expected) in [
        ("/v1.44/containers/create", "1.44 /containers/create"),
        ("/containers/create", "- /containers/create"),
        ("/v1.044/info", "1.44 /info"),
        ("/v001.44/info", "1.44 /info"),
        ("/v1.44.0/info", "1.44 /info"),
        ("/v1.44.0.0/info", "1.44 /info"),
        ("/v1.44.5/info", "1.44.5 /info"),
        ("/v1.44.0.5.0.0/info", "1.44.0.5 /info"),
        ("/v1/info", "1.0 /info"),
        ("/v1..44/info", "1.0.44 /info"),
        ("/v./info", "0.0 /info"),
        ("/v1.44/", "1.44 /"),
        ("/v1.44", "- /v1.44"),
        ("/v/info", "- /v/info"),
        ("/v1.44x/info", "- /v1.44x/info"),
        ("/version", "- /version"),
        ("/volumes/create", "- /volumes/create"),
        ("/", "- /"),
        ("/v1.44/containers%2Fcreate", "1.44 /containers/create"),
        ("/v1.44/%63ontainers/create", "1.44 /containers/create"),
        ("/%761.44/containers/create", "1.44 /containers/create"),
        ("http://evil/v1.44/containers/create", "1.44 /containers/create"),
        ("HTTP+x.-1://evil_1.example:2375/v1.44/info?a=b", "1.44 /info a=b"),
        ("http://evil:/info", "- /info"),
        ("x:///info", "- /info"),
        ("/containers/a/b/start", "- /containers/a/b/start"),
        ("/containers/a%2Fb/start", "- /containers/a/b/start"),
        ("/containers/a%3Fx/start", "- /containers/a?x/start"),
        ("/containers/a%252Fb/start", "- /containers/a%2Fb/start"),
        ("/containers/a#b/start", "- /containers/a#b/start"),
        ("/containers/a+b%2B/start", "- /containers/a+b+/start"),
        ("/containers/é%C3%A9/start", "- /containers/éé/start"),
        ("/containers/a;b/start", "- /containers/a;b/start"),
        ("/containers/...", "- /containers/..."),
        ("/info?", "- /info"),
        ("/info?a=1&a=2", "- /info a=1 a=2"),
        ("/info?a", "- /info a="),
        ("/info?&&a=b=c&", "- /info a=b=c"),
        ("/info?=x", "- /info =x"),
        ("/info?a%3Db=c%26d+e", "- /info a=b=c&d e"),
        ("/info?a=b?c=d", "- /info a=b?c=d"),
        ("/info?a=%0A", "- /info a=\n"),
        ("/info?path=/../x//y", "- /info path=/../x//y"),
    ] {
        assert_eq!(shown(uri).as_deref(), Ok(expected), "{uri}");
    }
}

#[test]
fn what_the_daemon_would_not_carry_out_is_refused() {
    for (uri, expected) in [
        ("", TargetError::NotAPath),
        ("*", TargetError::NotAPath),
        ("info", TargetError::NotAPath),
        ("http:/info", TargetError::NotAPath),
        ("http:info", TargetError::NotAPath),
        ("://x/info", TargetError::NotAPath),
        ("1a://x/info", TargetError::NotAPath),
        ("a b://x/info", TargetError::NotAPath),
        ("x?http://evil/info", TargetError::NotAPath),
        ("http://user@evil/info", TargetError::NotAPath),
        ("http://e%76il/info", TargetError::NotAPath),
        ("http://evil:http/info", TargetError::NotAPath),
        ("http://[::1]/info", TargetError::NotAPath),
        ("http://evil", TargetError::Unclean),
        ("http://evil?x=/y", TargetError::Unclean),
        ("//v1.44//containers/create", TargetError::Unclean),
        ("//evil/info", TargetError::Unclean),
        ("/v1.44/./info", TargetError::Unclean),
        ("/v1.44/x/../info", TargetError::Unclean),
        ("/v1.44/auth%2F..%2Fcontainers/create", TargetError::Unclean),
        ("/v1.44/%2e%2E/info", TargetError::Unclean),
        ("/info/.", TargetError::Unclean),
        ("/info/..", TargetError::Unclean),
        ("/info//", TargetError::Unclean),
        ("/%2Finfo", TargetError::Unclean),
        ("/containers/a%00b/start", TargetError::Control),
        ("/containers/a%0Ab/start", TargetError::Control),
        ("/containers/a%7f/start", TargetError::Control),
        ("/in\u{1}fo", TargetError::Control),
        ("/info?a=\u{0}", TargetError::Control),
        ("/containers/%zz/start", TargetError::Escape),
        ("/containers/%4", TargetError::Escape),
        ("/containers/%", TargetError::Escape),
        ("/containers/%+1/json", TargetError::Escape),
        ("/info?a=%zz", TargetError::Escape),
        ("/info?%=1", TargetError::Escape),
        ("/info?a=1;b=2", TargetError::Semicolon),
        ("/containers/%ff/start", TargetError::NotUtf8),
        ("/containers/\u{fffd}/start", TargetError::NotUtf8),
        ("/info?a=%ff", TargetError::NotUtf8),
        ("/v99999999999999999999/info", TargetError::Version),
        ("/v1.44.0.0.1/info", TargetError::Version),
    ] {
        assert_eq!(shown(uri), Err(expected), "{uri}");
    }
}

#[test]
fn versions_compare_number_by_number() {
    let version = |text: &str| text.parse::<ApiVersion>().expect("is a version");
    for (less, more) in [("1.9", "1.24"), ("1.23", "1.24"), ("1", "1.1"), ("0", "1"), ("1.24", "1.24.1"), ("1.99", "2")]
    {
        assert!(version(less) < version(more), "{less} {more}");
    }
    assert_eq!(version("1.044.0"), ApiVersion::new(1, 44));
    assert_eq!(version("1.0").to_string(), "1.0");
    for text in ["", "x", "1.x", "-1", "1.+2", "v1.44"] {
        assert!(text.parse::<ApiVersion>().is_err(), "{text}");
    }
}

/// Escapes every byte of some, none or all of the characters.
fn escaped(text: &str, choices: &[bool]) -> String {
    let mut choices = choices.iter().cycle();
    text.bytes()
        .map(|byte| match byte {
            b'/' => "/".to_owned(),
            _ if choices.next() == Some(&true) || !byte.is_ascii_alphanumeric() => format!("%{byte:02X}"),
            _ => char::from(byte).to_string(),
        })
        .collect()
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(uri in ".*") {
        _ = Target::parse(&uri);
    }

    #[test]
    fn a_path_is_decoded_exactly_once(
        segments in prop::collection::vec("[a-z%?#&=+;é]{1,8}", 1..5),
        choices in prop::collection::vec(any::<bool>(), 1..9),
    ) {
        let path = format!("/{}", segments.join("/"));
        let target = Target::parse(&escaped(&path, &choices)).expect("is a target");
        prop_assert_eq!(target.path, path);
        prop_assert_eq!(target.version, None);
    }

    #[test]
    fn a_query_is_decoded_exactly_once(
        pairs in prop::collection::vec(("[a-z%&=+;é \n]{1,8}", "[a-z%&=+;é/?\u{0}]{0,8}"), 0..5),
        choices in prop::collection::vec(any::<bool>(), 1..9),
    ) {
        let escape = |text: &str| escaped(text, &choices).replace('/', "%2F");
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        let target = Target::parse(&format!("/info?{}", query.join("&"))).expect("is a target");
        prop_assert_eq!(target.query, pairs);
    }

    #[test]
    fn what_is_read_is_clean(uri in "(/|//|/\\./|%2F|%2e|\\.|v1\\.44|a|%|\\?|&|=|x://){0,12}") {
        if let Ok(target) = Target::parse(&uri) {
            prop_assert!(target.path.starts_with('/'));
            prop_assert!(!target.path.contains("//"));
            prop_assert!(!target.path.split('/').any(|segment| segment == "." || segment == ".."));
        }
    }
}
