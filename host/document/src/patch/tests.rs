use super::*;
use crate::document::testing::{json, read};

fn applied(document: &str, patch: &str) -> Result<Document, PatchError> {
    apply(&read(document), &read(patch))
}

fn message(document: &str, patch: &str) -> String {
    applied(document, patch).expect_err(patch).to_string()
}

#[test]
fn the_examples_of_rfc_6902_come_out_as_they_should() {
    for (section, document, patch, expected) in [
        (
            "A.1",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz","value":"qux"}]"#,
            Some(r#"{"baz":"qux","foo":"bar"}"#),
        ),
        (
            "A.2",
            r#"{"foo":["bar","baz"]}"#,
            r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
            Some(r#"{"foo":["bar","qux","baz"]}"#),
        ),
        ("A.3", r#"{"baz":"qux","foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, Some(r#"{"foo":"bar"}"#)),
        (
            "A.4",
            r#"{"foo":["bar","qux","baz"]}"#,
            r#"[{"op":"remove","path":"/foo/1"}]"#,
            Some(r#"{"foo":["bar","baz"]}"#),
        ),
        (
            "A.5",
            r#"{"baz":"qux","foo":"bar"}"#,
            r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
            Some(r#"{"baz":"boo","foo":"bar"}"#),
        ),
        (
            "A.6",
            r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
            r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
            Some(r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#),
        ),
        (
            "A.7",
            r#"{"foo":["all","grass","cows","eat"]}"#,
            r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
            Some(r#"{"foo":["all","cows","eat","grass"]}"#),
        ),
        (
            "A.8",
            r#"{"baz":"qux","foo":["a",2,"c"]}"#,
            r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
            Some(r#"{"baz":"qux","foo":["a",2,"c"]}"#),
        ),
        ("A.9", r#"{"baz":"qux"}"#, r#"[{"op":"test","path":"/baz","value":"bar"}]"#, None),
        (
            "A.10",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
            Some(r#"{"foo":"bar","child":{"grandchild":{}}}"#),
        ),
        (
            "A.11",
            r#"{"foo":"bar"}"#,
            r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
            Some(r#"{"foo":"bar","baz":"qux"}"#),
        ),
        ("A.12", r#"{"foo":"bar"}"#, r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#, None),
        // A.13 has `op` twice, which the reader refuses.
        ("A.14", r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":10}]"#, Some(r#"{"/":9,"~1":10}"#)),
        ("A.15", r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":"10"}]"#, None),
        (
            "A.16",
            r#"{"foo":["bar"]}"#,
            r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
            Some(r#"{"foo":["bar",["abc","def"]]}"#),
        ),
    ] {
        let patched = applied(document, patch);
        assert_eq!(patched.ok(), expected.map(read), "{section}");
    }
}

#[test]
fn the_examples_of_rfc_7396_come_out_as_they_should() {
    for (document, patch, expected) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        // Section 3's example; and nulls in lists stay.
        (
            r#"{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"x"}"#,
            r#"{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}"#,
            r#"{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"x","phoneNumber":"+01-123-456-7890"}"#,
        ),
        ("{}", r#"{"a":[null,{"b":null}]}"#, r#"{"a":[null,{"b":null}]}"#),
        (r#"{"a":1}"#, "{}", r#"{"a":1}"#),
    ] {
        let merged = merge(&read(document), &read(patch)).expect(patch);
        assert_eq!(merged, read(expected), "{document} and {patch}");
    }
}

#[test]
fn a_mistake_is_told_with_its_operation_its_place_and_what_is_there() {
    let document = r#"{"users":{"bob":{"role":"reader","teams":["a","b"]}}}"#;
    for (operation, expected) in [
        (
            r#"{"op":"test","path":"/users/bob/role","value":"admin"}"#,
            r#"`test` at `/users/bob/role`: expected "admin", found "reader""#,
        ),
        (r#"{"op":"test","path":"/users/bob/x","value":1}"#, "`test` at `/users/bob/x`: nothing at `/users/bob/x`"),
        (r#"{"op":"add","path":"/users/zoe/role","value":1}"#, "`add` at `/users/zoe/role`: nothing at `/users/zoe`"),
        (r#"{"op":"replace","path":"/a","value":1}"#, "`replace` at `/a`: nothing at `/a`"),
        (
            r#"{"op":"add","path":"/users/bob/role/x","value":1}"#,
            "`add` at `/users/bob/role/x`: `/users/bob/role` is a text, and holds nothing",
        ),
        (
            r#"{"op":"add","path":"/users/bob/teams/3","value":1}"#,
            "`add` at `/users/bob/teams/3`: the list at `/users/bob/teams` has 2 items",
        ),
        (
            r#"{"op":"replace","path":"/users/bob/teams/2","value":1}"#,
            "`replace` at `/users/bob/teams/2`: the list at `/users/bob/teams` has 2 items",
        ),
        (
            r#"{"op":"remove","path":"/users/bob/teams/-"}"#,
            "`remove` at `/users/bob/teams/-`: nothing at `/users/bob/teams/-`",
        ),
        (
            r#"{"op":"add","path":"/users/bob/teams/01","value":1}"#,
            "`add` at `/users/bob/teams/01`: `01` is not a position in the list at `/users/bob/teams`",
        ),
        (r#"{"op":"remove","path":""}"#, "`remove` at ``: the whole document cannot be removed"),
        (
            r#"{"op":"move","from":"/users","path":"/users/x"}"#,
            "`move` at `/users/x`: `/users` cannot be moved into itself",
        ),
        (r#"{"op":"move","from":"","path":"/x"}"#, "`move` at `/x`: `` cannot be moved into itself"),
        (r#"{"op":"copy","from":"/x","path":"/y"}"#, "`copy` at `/y`: nothing at `/x`"),
        (r#"{"op":"remove","path":"users"}"#, "`path` is no JSON pointer: `users`"),
        (r#"{"op":"copy","path":"","from":"/~2"}"#, "`from` is no JSON pointer: `/~2`"),
        (r#"{"op":"add","path":"/x"}"#, "`value` is missing"),
        (r#"{"op":"move","path":"/x"}"#, "`from` is missing"),
        (r#"{"op":"add","value":1}"#, "`path` is missing"),
        (r#"{"path":""}"#, "`op` is missing"),
        (r#"{"op":1,"path":""}"#, "`op` must be a text, and is a number"),
        (r#"{"op":"Add","path":""}"#, "there is no operation `Add`"),
        ("3", "an operation is an object, and this is a number"),
    ] {
        let patch = format!(r#"[{{"op":"add","path":"/new","value":1}},{{"op":"remove","path":"/new"}},{operation}]"#);
        assert_eq!(message(document, &patch), format!("operation 2: {expected}"));
    }
    assert_eq!(message(document, "{}"), "a patch is a list of operations, and this is an object");
    let long = format!(r#"[{{"op":"test","path":"/users","value":"{}"}}]"#, "é".repeat(100));
    let message = message(document, &long);
    assert!(message.contains(&format!("expected \"{}…, found", "é".repeat(31))), "{message}");
}

#[test]
fn a_failed_patch_changes_nothing() {
    let document = read(r#"{"a":[1,2]}"#);
    let patch = read(r#"[{"op":"remove","path":"/a/0"},{"op":"remove","path":"/b"}]"#);
    assert!(apply(&document, &patch).is_err());
    assert_eq!(document.root().to_json(), r#"{"a":[1,2]}"#);
    let patch = read(r#"[{"op":"move","from":"/a/0","path":"/x/y"}]"#);
    assert!(apply(&document, &patch).is_err());
    assert_eq!(document.root().to_json(), r#"{"a":[1,2]}"#);
}

#[test]
fn the_root_may_be_replaced_moved_to_and_copied() {
    for (operation, expected) in [
        (r#"{"op":"add","path":"","value":[1]}"#, "[1]"),
        (r#"{"op":"replace","path":"","value":null}"#, "null"),
        (r#"{"op":"move","from":"/a","path":""}"#, r#"{"b":1}"#),
        (r#"{"op":"move","from":"","path":""}"#, r#"{"a":{"b":1}}"#),
        (r#"{"op":"move","from":"/a","path":"/a"}"#, r#"{"a":{"b":1}}"#),
        (r#"{"op":"copy","from":"","path":"/a/c"}"#, r#"{"a":{"b":1,"c":{"a":{"b":1}}}}"#),
    ] {
        let patched = applied(r#"{"a":{"b":1}}"#, &format!("[{operation}]")).expect(operation);
        assert_eq!(patched.root().to_json(), expected);
        assert_eq!(patched.compacted().root().to_json(), expected);
    }
}

#[test]
fn values_are_equal_by_what_they_are_worth() {
    for (left, right, equal) in [
        ("1", "1.0", true),
        ("1e2", "100", true),
        ("-0", "0.0", true),
        ("10000000000000000000000", "1e22", true),
        ("0.1", "1e-1", true),
        ("1", "-1", false),
        ("10000000000000000000001", "1e22", false),
        ("1", r#""1""#, false),
        ("null", "false", false),
        ("true", "true", true),
        ("true", "false", false),
        ("[1,2]", "[2,1]", false),
        ("[1,2]", "[1,2.0]", true),
        ("[]", "{}", false),
        (r#"{"a":1,"b":[{}]}"#, r#"{"b":[{}],"a":1.0}"#, true),
        (r#"{"a":1,"b":null}"#, r#"{"a":1,"c":null}"#, false),
        (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1,"c":1}}"#, false),
    ] {
        // `serde_json` would respell the numbers.
        let number = |text: &str| {
            let builder = crate::document::Builder::new(text.len());
            let span = crate::document::Span::new(0, text.len());
            builder.finish(text.to_owned(), crate::document::Node::number(span))
        };
        let is_number = |text: &str| text.parse::<f64>().is_ok();
        let of = |text: &str| if is_number(text) { number(text) } else { read(text) };
        assert_eq!(of(left) == of(right), equal, "{left} and {right}");
        assert_eq!(of(right) == of(left), equal, "{right} and {left}");
    }
}

#[test]
fn ten_thousand_operations_are_one_patch() {
    let operations: Vec<_> = (0..10_000)
        .map(|number| match number % 4 {
            0 => serde_json::json!({"op": "add", "path": format!("/users/u{number}"), "value": {"role": "reader"}}),
            1 => serde_json::json!({"op": "add", "path": "/list/0", "value": number}),
            2 => serde_json::json!({"op": "replace", "path": format!("/users/u{}/role", number - 2), "value": "admin"}),
            _ => serde_json::json!({"op": "move", "from": "/list/0", "path": "/list/-"}),
        })
        .collect();
    let patch = crate::document::testing::document(&operations.into());
    let patched = apply(&read(r#"{"users":{},"list":[]}"#), &patch).expect("applies");
    assert_eq!(patched.pointer("/users").and_then(Value::len), Some(2500));
    assert_eq!(patched.pointer("/users/u9996/role").and_then(Value::as_str), Some("admin"));
    let list: Vec<_> = patched.pointer("/list").expect("a list").items().map(Value::as_i64).collect();
    assert_eq!(list, (0..2500).map(|number| Some(number * 4 + 1)).collect::<Vec<_>>());
    assert!(patched.needs_compaction());
    let compacted = patched.compacted();
    assert_eq!(json(&compacted), json(&patched));
    assert!(!compacted.needs_compaction() && compacted.size() < patched.size());
}

#[test]
fn copies_of_copies_come_to_an_end() {
    let doubling = r#"{"op":"copy","from":"/a","path":"/a/-"}"#;
    let patch = format!("[{}]", vec![doubling; 60].join(","));
    let message = message(r#"{"a":["a text of some length"]}"#, &patch);
    assert!(message.contains("copies, moves and replaces more than 67108864 bytes altogether"), "{message}");
}

#[test]
fn pointers_may_begin_at_a_value_of_the_document() {
    let users = r#"{"users":{"alice":{"role":"reader"},"list":[1,2]}}"#;
    for (at, patch, expected) in [
        (
            "/users",
            r#"[{"op":"replace","path":"/alice/role","value":"admin"}]"#,
            Some(r#"{"users":{"alice":{"role":"admin"},"list":[1,2]}}"#),
        ),
        (
            "/users",
            r#"[{"op":"move","from":"/alice","path":"/bob"},{"op":"copy","from":"/list/0","path":"/list/-"}]"#,
            Some(r#"{"users":{"list":[1,2,1],"bob":{"role":"reader"}}}"#),
        ),
        (
            "/users/list",
            r#"[{"op":"test","path":"","value":[1,2]},{"op":"remove","path":""}]"#,
            Some(r#"{"users":{"alice":{"role":"reader"}}}"#),
        ),
        ("/users", r#"[{"op":"replace","path":"alice","value":1}]"#, None),
        ("/nobody", r#"[{"op":"replace","path":"/role","value":1}]"#, None),
    ] {
        let found = apply_at(&read(users), at, &read(patch), Bounds::default()).ok().map(|document| json(&document));
        assert_eq!(found, expected.map(|text| json(&read(text))), "{at} {patch}");
    }
    let failed = apply_at(&read(users), "/users", &read(r#"[{"op":"remove","path":"/x"}]"#), Bounds::default())
        .expect_err("nothing");
    assert_eq!(failed.to_string(), "operation 0: `remove` at `/users/x`: nothing at `/users/x`");
    assert!(failed.is_of_document() && !failed.is_test());
    let failed = apply_at(&read(users), "", &read(r#"[{"op":"test","path":"/x","value":1}]"#), Bounds::default())
        .expect_err("nothing");
    assert!(failed.is_of_document() && failed.is_test());
    assert!(!apply_at(&read(users), "", &read("[{}]"), Bounds::default()).expect_err("no operation").is_of_document());
}

#[test]
fn a_merge_may_be_of_a_value_of_the_document() {
    let users = r#"{"users":{"alice":{"role":"reader","note":1}}}"#;
    for (at, patch, expected) in [
        ("/users/alice", r#"{"role":"admin","note":null}"#, Some(r#"{"users":{"alice":{"role":"admin"}}}"#)),
        (
            "/users/bob",
            r#"{"role":"reader","note":null}"#,
            Some(r#"{"users":{"alice":{"role":"reader","note":1},"bob":{"role":"reader"}}}"#),
        ),
        ("/users/alice/note", "[null]", Some(r#"{"users":{"alice":{"role":"reader","note":[null]}}}"#)),
        ("/nobody/x", "1", None),
        ("/users/alice/role/x", "1", None),
        ("users", "1", None),
    ] {
        let found = merge_at(&read(users), at, &read(patch), Bounds::default()).ok().map(|document| json(&document));
        assert_eq!(found, expected.map(|text| json(&read(text))), "{at} {patch}");
    }
}

/// A list of so many operations, all the same.
fn repeated(operation: &str, times: usize) -> Document {
    read(&format!("[{}]", vec![operation; times].join(",")))
}

#[test]
fn what_a_patch_may_go_through_is_counted_whatever_operation_it_is() {
    let large = format!(r#"{{"a":[{}],"b":{{}},"c":[]}}"#, vec!["1234567"; 100_000].join(","));
    let document = read(&large);
    for operation in [
        r#"{"op":"copy","from":"/a","path":"/b"}"#,
        r#"{"op":"move","from":"/a","path":"/b/a"},{"op":"move","from":"/b/a","path":"/a"}"#,
        r#"{"op":"copy","from":"","path":"/b"}"#,
        r#"{"op":"copy","from":"/a","path":"/c/-"},{"op":"remove","path":"/c/0"}"#,
    ] {
        let error = apply(&document, &repeated(operation, 1000)).expect_err(operation);
        let why = error.why().expect(operation);
        assert!(matches!(why, Why::Work { most } if *most == 64 << 20), "{operation}: {error}");
        let few = apply(&document, &repeated(operation, 3));
        assert!(few.is_ok(), "{operation}: {few:?}");
    }
    // Each step of a pointer counts, too.
    let deep = read(&format!("{}1{}", r#"{"a":"#.repeat(120), "}".repeat(120)));
    let pointer = "/a".repeat(120);
    let test = repeated(r#"{"op":"test","path":"","value":1}"#, 40_000);
    let error = apply_at(&deep, &pointer, &test, Bounds::default()).expect_err("too many steps");
    assert!(matches!(error.why(), Some(Why::Work { .. })), "{error}");
}

#[test]
fn a_large_document_may_be_gone_through_a_few_times() {
    let document = read(&format!(r#"{{"a":"{}"}}"#, "x".repeat(80 << 20)));
    let moved = read(r#"[{"op":"copy","from":"/a","path":"/b"},{"op":"remove","path":"/a"}]"#);
    assert!(apply(&document, &moved).is_ok());
}

#[test]
fn what_is_sure_to_be_too_long_is_not_made() {
    let document = read(r#"{"a":["0123456789"]}"#);
    let doubling = repeated(r#"{"op":"copy","from":"/a","path":"/a/-"}"#, 40);
    let bounds = |bytes| Bounds { bytes, ..Bounds::default() };
    let error = apply_at(&document, "", &doubling, bounds(1 << 20)).expect_err("too long");
    assert_eq!(error.why(), Some(&Why::Size { most: 1 << 20 }), "{error}");
    let merged = merge_at(&document, "", &read(r#"{"b":"0123456789"}"#), bounds(10)).expect_err("too long");
    assert_eq!(merged.why, Why::Size { most: 10 });
    // What is replaced makes room.
    let replaced = repeated(r#"{"op":"replace","path":"/a","value":"9876543210"}"#, 1000);
    assert!(apply_at(&document, "", &replaced, bounds(20)).is_ok());
}

#[test]
fn nothing_is_done_for_somebody_who_has_gone() {
    let asked = std::cell::Cell::new(0);
    let is_over = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    let patch = repeated(r#"{"op":"add","path":"/a","value":1}"#, 10);
    let bounds = Bounds { is_over: &is_over, ..Bounds::default() };
    let error = apply_at(&Document::default(), "", &patch, bounds).expect_err("over");
    assert_eq!((error.why(), asked.get()), (Some(&Why::Over), 4));
}
