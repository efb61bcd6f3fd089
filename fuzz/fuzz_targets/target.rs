//! A request target: the first line is a method, the rest is the target.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_docker::operation;
use portcullis_docker::target::Target;

fuzz_target!(|text: &str| {
    let (method, uri) = text.split_once('\n').unwrap_or(("GET", text));
    let Ok(target) = Target::parse(uri) else { return };

    assert!(target.path.starts_with('/'));
    assert!(!target.path.bytes().any(|byte| byte.is_ascii_control()));
    assert!(!target.path.contains("//"));
    assert!(!target.path.split('/').any(|segment| matches!(segment, "." | "..")));

    // Decoded once and whole: what was read, sent with every byte escaped, is read again.
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let version = target.version.map(|version| format!("/v{version}")).unwrap_or_default();
    let query: Vec<String> =
        target.query.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    let again = format!("{version}/{}?{}", escape(&target.path[1..]), query.join("&"));
    assert_eq!(Target::parse(&again).as_ref(), Ok(&target));

    if let Some((operation, parameters)) = operation::find(method, &target.path) {
        assert_eq!(operation.method, method);
        for piece in operation.path {
            if let operation::Piece::Segment(name) | operation::Piece::Rest { name, .. } = piece {
                let value = parameters.get(&target.path, name).expect("has every part that it names");
                assert!(target.path.contains(value));
            }
        }
    }
});
