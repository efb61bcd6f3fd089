use super::{Builder, Document, Kind, MAX_DEPTH, MAX_TEXT, Node, Span, Why, number, testing};
use crate::patch;

/// A reader for tests: builds `{"k0":0,"k1":1,…}`.
fn numbered(count: usize) -> Document {
    let mut text = String::from("{");
    let mut spans = Vec::new();
    for number in 0..count {
        let key = format!("k{number}");
        let digits = number.to_string();
        spans.push((Span::new(text.len() + 1, key.len()), Span::new(text.len() + key.len() + 3, digits.len())));
        text.push_str(&format!("\"{key}\":{digits},"));
    }
    let mut builder = Builder::new(text.len());
    let mark = builder.mark();
    for (key, digits) in spans {
        builder.member(key, Node::number(digits));
    }
    let root = builder.close_object(&text, mark).expect("the keys differ");
    builder.finish(text, root)
}

/// `{"list":["a",null,true,1.0,{}],"a/b":{"~":"x\ny\"z"},"":"e"}`
fn sample() -> Document {
    let text = "list a b ~ 1.0";
    let span = |piece: &str| Span::new(text.find(piece).expect("is there"), piece.len());
    let mut builder = Builder::new(text.len());
    let root = builder.mark();

    let list = builder.mark();
    builder.item(Node::text(span("a")));
    builder.item(Node::NULL);
    builder.item(Node::boolean(true));
    builder.item(Node::number(span("1.0")));
    let empty = builder.mark();
    let empty = builder.close_object(text, empty).expect("nothing repeats");
    builder.item(empty);
    let list = builder.close_list(list);
    builder.member(span("list"), list);

    let inner = builder.mark();
    let value = Node::text(builder.unescaped("x\ny\"z\u{1}"));
    builder.member(span("~"), value);
    let inner = builder.close_distinct_object(text, inner);
    let key = builder.unescaped("a/b");
    builder.member(key, inner);

    let value = Node::text(builder.unescaped("e"));
    let key = builder.unescaped("");
    builder.member(key, value);
    let root = builder.close_object(text, root).expect("nothing repeats");
    builder.finish(text.to_owned(), root)
}

#[test]
fn a_document_is_written_as_it_was_built() {
    let written = sample().root().to_json();
    assert_eq!(written, r#"{"list":["a",null,true,1.0,{}],"a/b":{"~":"x\ny\"z\u0001"},"":"e"}"#);
    assert_eq!(Document::default().root().to_json(), "{}");
}

#[test]
fn pointers_lead_where_rfc_6901_says() {
    let document = sample();
    for (pointer, expected) in [
        ("", Some(document.root().to_json().as_str())),
        ("/list/0", Some(r#""a""#)),
        ("/list/4", Some("{}")),
        ("/list/5", None),
        ("/list/00", None),
        ("/list/+1", None),
        ("/list/-", None),
        ("/list/", None),
        ("/list/99999999999999999999999", None),
        ("/a~1b/~0", Some(r#""x\ny\"z\u0001""#)),
        ("/a/b", None),
        ("/a~1b/~", None),
        ("/a~1b/~2", None),
        ("/", Some(r#""e""#)),
        ("/list/0/0", None),
        ("list", None),
        ("x", None),
    ] {
        assert_eq!(document.pointer(pointer).map(|value| value.to_json()).as_deref(), expected, "{pointer}");
    }
}

#[test]
fn every_question_is_answered_by_its_own_type_only() {
    let document = sample();
    let list = document.pointer("/list").expect("is there");
    assert_eq!((list.kind(), list.len(), list.keys(), list.texts()), (Kind::List, Some(5), None, None));
    let kinds: Vec<Kind> = list.items().map(|item| item.kind()).collect();
    assert_eq!(kinds, [Kind::Text, Kind::Null, Kind::Boolean, Kind::Number, Kind::Object]);
    let item = |position| list.at(position).expect("is there");
    assert_eq!(item(0).as_str(), Some("a"));
    assert_eq!(item(0).as_i64(), None);
    assert_eq!(item(1).as_str(), None);
    assert_eq!(item(1).len(), None);
    assert_eq!(item(2).as_bool(), Some(true));
    assert_eq!((item(3).as_i64(), item(3).as_f64(), item(3).number_text()), (Some(1), Some(1.0), Some("1.0")));
    assert_eq!(document.root().keys(), Some(vec!["list", "a/b", ""]));
    assert_eq!(document.root().items().len(), 0);
    assert_eq!(list.members().len(), 0);
}

#[test]
fn texts_reads_null_as_empty() {
    let text = "ab";
    let mut builder = Builder::new(text.len());
    let mark = builder.mark();
    builder.item(Node::text(Span::new(0, 2)));
    builder.item(Node::NULL);
    let root = builder.close_list(mark);
    let document = builder.finish(text.to_owned(), root);
    assert_eq!(document.root().texts(), Some(vec!["ab", ""]));
}

#[test]
fn a_member_is_found_whatever_the_size_of_its_object() {
    for count in [0, 1, 2, 64, 65, 66, 129, 1000, 20_000] {
        let document = numbered(count);
        assert_eq!(document.root().len(), Some(count));
        for number in 0..count {
            let key = format!("k{number}");
            assert_eq!(document.root().get(&key).and_then(|value| value.as_i64()), Some(number as i64), "{count}");
        }
        for absent in ["", "k", "K0", "k00", &format!("k{count}")] {
            assert!(document.root().get(absent).is_none(), "{absent} among {count}");
        }
    }
}

#[test]
fn a_repeated_key_is_found_whatever_the_size_of_its_object() {
    for (count, first, second) in [(2, 0, 1), (64, 3, 63), (65, 0, 64), (1000, 998, 999)] {
        let text = (0..count).map(|number| format!("{number:04}")).collect::<String>();
        let mut builder = Builder::new(text.len());
        let mark = builder.mark();
        for number in 0..count {
            let number = if number == second { first } else { number };
            builder.member(Span::new(number * 4, 4), Node::NULL);
        }
        let duplicate = builder.close_object(&text, mark).expect_err("a key repeats");
        assert_eq!(duplicate.key, Span::new(first * 4, 4), "{count}");
    }
}

#[test]
fn whole_numbers_are_exact() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("-0.0", Some(0)),
        ("0e999999999999999999999", Some(0)),
        ("5", Some(5)),
        ("1e3", Some(1000)),
        ("1E+3", Some(1000)),
        ("1.0", Some(1)),
        ("1.50e1", Some(15)),
        ("1500e-2", Some(15)),
        ("1.5", None),
        ("15e-2", None),
        ("1e-1", None),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775807.0", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("-922337203685477580.8e1", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("1e19", None),
        ("1e99999999999999999999", None),
        ("1e-99999999999999999999", None),
        ("10000000000000000000000e-19", Some(1000)),
    ] {
        assert_eq!(number::whole(text), expected, "{text}");
    }
}

#[test]
fn a_number_beyond_all_doubles_is_infinite() {
    let text = "1e999999";
    let builder = Builder::new(text.len());
    let document = builder.finish(text.to_owned(), Node::number(Span::new(0, text.len())));
    assert_eq!(document.root().as_f64(), Some(f64::INFINITY));
    assert_eq!(document.root().to_json(), text);
}

#[test]
fn spans_outside_the_text_or_within_a_character_read_as_nothing() {
    for span in [Span::new(1, 1), Span::new(0, 1), Span::new(7, 3), Span::new(usize::MAX, 1), Span::new(0, MAX_TEXT)] {
        let document = Builder::new(2).finish("é".to_owned(), Node::text(span));
        assert_eq!(document.root().as_str(), Some(""), "{span:?}");
    }
}

#[test]
fn writing_needs_no_stack() {
    let mut builder = Builder::new(0);
    let marks: Vec<_> = (0..200_000).map(|_| builder.mark()).collect();
    let mut node = Node::NULL;
    for mark in marks {
        builder.item(node);
        node = builder.close_list(mark);
    }
    let document = builder.finish(String::new(), node);
    assert_eq!(document.root().to_json().len(), 400_004);
}

fn users(count: usize) -> Document {
    let users: serde_json::Map<_, _> = (0..count)
        .map(|number| (format!("user-{number:06}"), serde_json::json!({"role": "reader", "teams": ["a", "b"]})))
        .collect();
    testing::document(&serde_json::json!({ "users": users }))
}

#[test]
fn a_change_shares_all_but_itself() {
    let document = users(10_000);
    let value = testing::read(r#""admin""#);
    let changed = document.set("/users/user-000777/role", &value).expect("is there");
    assert!(changed.size() > document.size(), "it holds all of it");
    let difference = changed.size_beside(&[&document]);
    assert!(difference < 2000, "{difference} bytes");
    assert_eq!(document.size_beside(&[&changed]), size_of::<Document>());
    assert_eq!(changed.pointer("/users/user-000777/role").and_then(|role| role.as_str()), Some("admin"));
    assert_eq!(document.pointer("/users/user-000777/role").and_then(|role| role.as_str()), Some("reader"));

    let mut many = document.clone();
    for number in 0..1000 {
        many = many.set(&format!("/users/user-{:06}/role", number * 7), &value).expect("is there");
    }
    let difference = many.size_beside(&[&document]);
    assert!(difference < 1000 * 1000, "{difference} bytes");
    let more = many.set("/users/user-000001", &value).expect("is there");
    assert!(more.size_beside(&[&many]) < 3000, "{} bytes", more.size_beside(&[&many]));
    let copied = patch::apply(&many, &testing::read(r#"[{"op":"copy","from":"/users","path":"/others"}]"#));
    assert!(copied.expect("is copied").size_beside(&[&many]) < 1000);
}

#[test]
fn many_changes_or_much_that_is_gone_are_worth_a_compaction() {
    let document = users(10_000);
    let value = testing::read("1");
    let mut changed = document.clone();
    // 50,001 members and items.
    for number in 0..12_501 {
        assert!(!changed.needs_compaction(), "after {number}");
        changed = changed.set(&format!("/users/user-{:06}", number % 10_000), &value).expect("is there");
    }
    assert!(changed.needs_compaction());
    let compacted = changed.compacted();
    assert!(compacted == changed && !compacted.needs_compaction());
    assert!(compacted.size() < changed.size() / 3, "{} of {}", compacted.size(), changed.size());
    assert_eq!(compacted.size_beside(&[&changed]), compacted.size(), "nothing is shared");

    let removed = users(30_000).remove("/users").expect("is there");
    assert!(removed.needs_compaction() && removed.size() > 1 << 20);
    assert!(removed.compacted().size() < 1000, "{}", removed.compacted().size());
}

#[test]
fn a_list_of_many_is_changed_anywhere() {
    let items: Vec<usize> = (0..100_000).collect();
    let document = testing::document(&serde_json::json!({ "list": items }));
    let mut changed = document.clone();
    for _ in 0..100 {
        changed = changed.remove("/list/50000").expect("is there");
    }
    assert!(changed.size_beside(&[&document]) < 2000, "{}", changed.size_beside(&[&document]));
    let list = changed.pointer("/list").expect("a list");
    assert_eq!((list.len(), list.at(50_000).and_then(|item| item.as_i64())), (Some(99_900), Some(50_100)));
}

#[test]
fn nothing_nests_deeper_than_can_be_read_and_no_change_needs_stack() {
    let deep = {
        let mut builder = Builder::new(0);
        let marks: Vec<_> = (0..MAX_DEPTH - 1).map(|_| builder.mark()).collect();
        let mut node = Node::NULL;
        for mark in marks {
            let key = builder.unescaped("a");
            builder.member(key, node);
            node = builder.close_object("", mark).expect("the keys differ");
        }
        builder.finish(String::new(), node)
    };
    let pointer = "/a".repeat(MAX_DEPTH - 1);
    let (flat, empty) = (testing::read("1"), testing::read("{}"));
    let changed = deep.set(&pointer, &flat).and_then(|deep| deep.set(&pointer, &empty)).expect("is not too deep");
    let error = changed.set(&pointer, &testing::read("[[]]")).expect_err("is too deep");
    assert_eq!(error.why, Why::Depth);
    assert_eq!(changed.set(&format!("{pointer}/a"), &empty).expect_err("is too deep").why, Why::Depth);
    assert!(changed.set(&format!("{pointer}/a"), &flat).is_ok());

    for (operation, fits) in [
        (r#"{"op":"move","from":"/a","path":"/c"}"#, true),
        (r#"{"op":"move","from":"/a","path":"/b/c"}"#, false),
        (r#"{"op":"move","from":"/a/a","path":"/b/c"}"#, true),
        (r#"{"op":"copy","from":"/a/a","path":"/b/c"}"#, true),
        (r#"{"op":"copy","from":"","path":"/b"}"#, false),
    ] {
        let document = changed.set("/b", &empty).expect("is not too deep");
        let patched = patch::apply(&document, &testing::read(&format!("[{operation}]")));
        assert_eq!(patched.is_ok(), fits, "{operation}");
        if let Err(error) = patched {
            assert!(error.to_string().ends_with("more than 10000 levels would be nested"), "{error}");
        }
    }
    let merged = patch::merge(&changed, &deep).expect("merges");
    // The innermost null took out what was there.
    assert!(merged == changed.remove(&pointer).expect("is there") && merged != changed);
    assert!(merged.compacted().root().to_json() == merged.root().to_json());
    assert!(merged.size_beside(&[&changed]) > MAX_DEPTH);
}

#[test]
fn a_large_document_is_written_in_pieces_and_an_error_ends_it() {
    struct Pieces(Vec<usize>);

    impl std::io::Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0.len() == 3 {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            self.0.push(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let document = users(10_000);
    let mut pieces = Pieces(Vec::new());
    let error = document.root().write_to(&mut pieces).expect_err("is broken");
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    assert!(pieces.0.iter().all(|len| (65_536..66_000).contains(len)), "{:?}", pieces.0);
    let mut written = Vec::new();
    document.root().write_to(&mut written).expect("is written");
    assert!(written == document.root().to_json().into_bytes());
}
