//! What holds for every text.

use proptest::prelude::*;

use super::shapes::{ALL, CONTAINERCREATEBODY};
use super::{Problem, Shape, read};

const CREATE: Shape = Shape::Structure(&CONTAINERCREATEBODY);

/// Any JSON value whose objects have no key twice.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        // `serde_json` reads only such as these exactly.
        any::<i32>().prop_map(|number| (f64::from(number) / 8.0).into()),
        ".{0,12}".prop_map(Into::into),
    ];
    scalar.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map("[a-c]{0,2}|.{0,4}", inner, 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Pieces of JSON in any order, so that many texts are nearly JSON.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"HostConfig\":",
        "\"hostconfig\":{",
        "\"Binds\":[",
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "1e9",
        "1e999",
        " ",
        "\n",
        "\\",
        "\\u0041",
        "\\ud800",
        "\\u",
        "\"\\ud83d\\ude00\"",
        "é",
        "\u{0}",
        "\"Memory\":",
        "\"Labels\":{",
        "\"\":",
        "nul",
        "-",
        "ſ",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(value in value()) {
        let text = value.to_string();
        let document = read(text.as_str(), Shape::Any).expect("is JSON");
        let written = document.root().to_json();
        prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&written).expect("is JSON"), &value);
        let again = read(written.as_str(), Shape::Any).expect("is JSON").root().to_json();
        prop_assert_eq!(again, written);
    }

    #[test]
    fn space_changes_nothing(value in value()) {
        let text = serde_json::to_string_pretty(&value).expect("is JSON");
        let document = read(text, Shape::Any).expect("is JSON");
        let compact = read(value.to_string(), Shape::Any).expect("is JSON");
        prop_assert_eq!(document.root().to_json(), compact.root().to_json());
    }

    #[test]
    fn every_value_is_found_by_its_pointer(value in value()) {
        let document = read(value.to_string(), Shape::Any).expect("is JSON");
        let mut open = vec![(String::new(), &value)];
        while let Some((pointer, value)) = open.pop() {
            let found = document.pointer(&pointer).expect("is there");
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&found.to_json()).expect("is JSON"), value);
            match value {
                serde_json::Value::Array(items) => {
                    open.extend(items.iter().enumerate().map(|(at, item)| (format!("{pointer}/{at}"), item)));
                }
                serde_json::Value::Object(members) => open.extend(members.iter().map(|(key, member)| {
                    (format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), member)
                })),
                serde_json::Value::Null
                | serde_json::Value::Bool(_)
                | serde_json::Value::Number(_)
                | serde_json::Value::String(_) => {}
            }
        }
    }

    /// A second opinion: what `serde_json` refuses is refused, but for what Go is known to read.
    #[test]
    fn what_is_read_is_json(text in pieces()) {
        let ours = read(text.as_str(), Shape::Any);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&ours.root().to_json()).expect("is JSON"), theirs);
            }
            (Ok(_), Err(error)) => prop_assert!(text.contains("\\ud8") || error.to_string().contains("number out of range")),
            (Err(error), Ok(_)) => prop_assert!(matches!(error.problem, Problem::Repeated(_)), "{error}"),
            (Err(_), Err(_)) => {}
        }
    }

    /// The source text of a document that says so is its JSON, on one line.
    #[test]
    fn what_is_verbatim_is_the_documents_json(value in value(), text in pieces()) {
        let compact = value.to_string();
        for (text, shape) in [(&compact, Shape::Any), (&text, Shape::Any), (&text, CREATE), (&text, Shape::Texts)] {
            let Ok(document) = read(text.as_str(), shape) else { continue };
            let Some(verbatim) = document.verbatim() else { continue };
            prop_assert_eq!(verbatim, text.trim_end());
            prop_assert!(!verbatim.contains('\n'));
            match (serde_json::from_str::<serde_json::Value>(text), serde_json::from_str(&document.root().to_json())) {
                (Ok(theirs), Ok::<serde_json::Value, _>(ours)) => prop_assert_eq!(ours, theirs),
                // A number that only Go reads.
                (Err(_), Err(_)) => {}
                (theirs, ours) => prop_assert!(false, "{theirs:?} {ours:?}"),
            }
        }
        prop_assert!(read(compact, Shape::Any).expect("is JSON").verbatim().is_some());
    }

    #[test]
    fn what_is_read_as_a_structure_is_read_as_anything(text in pieces()) {
        if read(text.as_str(), CREATE).is_ok() {
            prop_assert!(read(text.as_str(), Shape::Any).is_ok());
        }
    }

    /// Keys in any of Go's spellings are read as the documented ones.
    #[test]
    fn spellings_of_a_structure_do_not_matter(structure in prop::sample::select(ALL), choices in prop::collection::vec(0..4_u8, 1..9)) {
        let mut choices = choices.iter().cycle();
        let spell = |character: char| match (choices.next(), character.to_ascii_lowercase()) {
            (Some(1), _) => character.to_ascii_uppercase().to_string(),
            (Some(2), 's') => "ſ".to_owned(),
            (Some(2), 'k') => "\u{212a}".to_owned(),
            (Some(3), _) => format!("\\u{:04x}", u32::from(character)),
            _ => character.to_ascii_lowercase().to_string(),
        };
        let mut spell = spell;
        let names = || structure.fields.iter().filter(|field| !field.stray).map(|field| field.name);
        let spelt: Vec<String> = names().map(|name| format!("\"{}\":null", name.chars().map(&mut spell).collect::<String>())).collect();
        let document = read(format!("{{{}}}", spelt.join(",")), Shape::Structure(structure)).expect("is read");
        prop_assert_eq!(document.root().keys().expect("is an object"), names().collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in pieces()) {
        for shape in [Shape::Any, Shape::Unknown, CREATE] {
            _ = read(bytes.as_slice(), shape);
            _ = read(text.as_str(), shape);
        }
    }
}
