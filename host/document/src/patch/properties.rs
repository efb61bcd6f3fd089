//! Random patches against what the RFCs say, written down plainly over `serde_json`.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::document::testing;

// === the RFCs, plainly ===

fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
}

fn index(token: &str, most: usize) -> Option<usize> {
    let index: usize = token.parse().ok()?;
    (index <= most && token == index.to_string()).then_some(index)
}

fn holder<'a>(json: &'a mut Json, tokens: &[String]) -> Option<&'a mut Json> {
    tokens.iter().try_fold(json, |json, token| match json {
        Json::Object(members) => members.get_mut(token),
        Json::Array(items) => index(token, items.len()).and_then(|index| items.get_mut(index)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    })
}

fn add(json: &mut Json, pointer: &str, value: Json) -> Option<()> {
    let tokens = tokens(pointer);
    let Some((last, leading)) = tokens.split_last() else {
        *json = value;
        return Some(());
    };
    match holder(json, leading)? {
        Json::Object(members) => _ = members.insert(last.clone(), value),
        Json::Array(items) if last == "-" => items.push(value),
        Json::Array(items) => items.insert(index(last, items.len())?, value),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return None,
    }
    Some(())
}

fn remove(json: &mut Json, pointer: &str) -> Option<Json> {
    let tokens = tokens(pointer);
    let (last, leading) = tokens.split_last()?;
    match holder(json, leading)? {
        Json::Object(members) => members.remove(last),
        Json::Array(items) => {
            let index = index(last, items.len()).filter(|index| *index < items.len())?;
            Some(items.remove(index))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    }
}

fn get(json: &Json, pointer: &str) -> Option<Json> {
    holder(&mut json.clone(), &tokens(pointer)).cloned()
}

fn apply_plainly(json: &Json, patch: &[Json]) -> Option<Json> {
    let mut json = json.clone();
    for operation in patch {
        let path = operation["path"].as_str()?;
        let from = operation["from"].as_str();
        match operation["op"].as_str()? {
            "add" => add(&mut json, path, operation["value"].clone())?,
            "remove" => _ = remove(&mut json, path)?,
            "replace" => {
                get(&json, path)?;
                if !path.is_empty() {
                    remove(&mut json, path)?;
                }
                add(&mut json, path, operation["value"].clone())?;
            }
            "move" if from == Some(path) => _ = get(&json, path)?,
            "move" => {
                if path.starts_with(&format!("{}/", from?)) {
                    return None;
                }
                let value = remove(&mut json, from?)?;
                add(&mut json, path, value)?;
            }
            "copy" => {
                let value = get(&json, from?)?;
                add(&mut json, path, value)?;
            }
            _ if get(&json, path)? == operation["value"] => {}
            _ => return None,
        }
    }
    Some(json)
}

fn merge_plainly(target: Option<Json>, patch: &Json) -> Json {
    let Json::Object(patch) = patch else { return patch.clone() };
    let mut members = match target {
        Some(Json::Object(members)) => members,
        _ => Map::new(),
    };
    for (key, value) in patch {
        let old = members.remove(key);
        if !value.is_null() {
            members.insert(key.clone(), merge_plainly(old, value));
        }
    }
    Json::Object(members)
}

// === random ones ===

fn key() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[a-d]", 1 => "[0-3]", 1 => Just(String::new()), 1 => "[/~é\"]{1,2}"]
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3..3_i64).prop_map(Json::from),
        "[a-c\\n\"\\\\é\u{1}]{0,4}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::hash_map(key(), inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Objects and lists large enough to have an index.
fn large() -> impl Strategy<Value = Json> {
    (value(), value(), 0..200_usize).prop_map(|(first, second, count)| {
        let members: Map<_, _> = (0..count).map(|number| (number.to_string(), first.clone())).collect();
        json!({"a": members, "b": vec![second; count], "c": first})
    })
}

fn pointer() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        5 => key().prop_map(|key| key.replace('~', "~0").replace('/', "~1")),
        4 => (0..5_u32).prop_map(|index| index.to_string()),
        1 => (0..200_u32).prop_map(|index| index.to_string()),
        1 => Just("-".to_owned()),
        1 => Just("00".to_owned()),
    ];
    prop::collection::vec(token, 0..4)
        .prop_map(|tokens| tokens.iter().map(|token| format!("/{token}")).collect::<String>())
}

/// An operation, with pointers that mostly lead somewhere in `json` where there is somewhere to go.
fn operation() -> impl Strategy<Value = Json> {
    let pointers = || (pointer(), pointer());
    prop_oneof![
        4 => (pointer(), value()).prop_map(|(path, value)| json!({"op": "add", "path": path, "value": value})),
        2 => pointer().prop_map(|path| json!({"op": "remove", "path": path})),
        2 => (pointer(), value()).prop_map(|(path, value)| json!({"op": "replace", "path": path, "value": value})),
        2 => pointers().prop_map(|(from, path)| json!({"op": "move", "from": from, "path": path})),
        2 => pointers().prop_map(|(from, path)| json!({"op": "copy", "from": from, "path": path})),
        1 => (pointer(), value()).prop_map(|(path, value)| json!({"op": "test", "path": path, "value": value})),
    ]
}

/// Everything that a reader may ask is as it is in a document that was read.
fn check(patched: &Document, expected: &Json) -> Result<(), TestCaseError> {
    let fresh = testing::document(expected);
    prop_assert_eq!(&testing::json(patched), expected);
    prop_assert!(*patched == fresh);
    prop_assert!(fresh == *patched);
    check_value(patched.root(), fresh.root())?;
    let compacted = patched.compacted();
    prop_assert_eq!(compacted.root().to_json(), patched.root().to_json(), "compaction keeps the order too");
    prop_assert!(!compacted.needs_compaction());
    let mut written = Vec::new();
    patched.root().write_to(&mut written).expect("is written");
    prop_assert_eq!(written, patched.root().to_json().into_bytes());
    Ok(())
}

fn check_value(patched: Value<'_>, fresh: Value<'_>) -> Result<(), TestCaseError> {
    prop_assert_eq!(patched.kind(), fresh.kind());
    prop_assert_eq!(patched.len(), fresh.len());
    prop_assert_eq!(patched.as_str(), fresh.as_str());
    prop_assert_eq!(patched.texts(), fresh.texts());
    prop_assert_eq!(patched.items().len(), fresh.items().count());
    prop_assert_eq!(patched.items().count(), fresh.items().len());
    prop_assert_eq!(patched.members().len(), fresh.members().count());
    prop_assert_eq!(patched.members().count(), fresh.members().len());
    for (index, (item, other)) in patched.items().zip(fresh.items()).enumerate() {
        prop_assert!(patched.at(index) == Some(other));
        check_value(item, other)?;
    }
    for (key, value) in patched.members() {
        let other = fresh.get(key);
        prop_assert!(patched.get(key) == other && other == Some(value));
        if let Some(other) = other {
            check_value(value, other)?;
        }
    }
    for (key, _) in fresh.members() {
        prop_assert!(patched.get(key).is_some());
    }
    prop_assert!(patched.get("never").is_none() && patched.at(1_000_000).is_none());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn operations_do_what_rfc_6902_says(
        json in prop_oneof![value(), large()],
        patch in prop::collection::vec(operation(), 1..20),
    ) {
        let mut json = json;
        let mut document = testing::document(&json);
        // One by one, so that those that fail do not hide what comes after them.
        let mut done = Vec::new();
        let first = (document.clone(), json.clone());
        for operation in patch {
            let one = std::slice::from_ref(&operation);
            let patched = apply(&document, &testing::document(&one.into()));
            let expected = apply_plainly(&json, one);
            prop_assert_eq!(patched.is_ok(), expected.is_some(), "{}: {:?}", operation, patched);
            let (Ok(patched), Some(expected)) = (patched, expected) else { continue };
            check(&patched, &expected)?;
            prop_assert_eq!(&testing::json(&document), &json, "the one before is what it was");
            (document, json) = (patched, expected);
            done.push(operation);
        }
        let together = apply(&first.0, &testing::document(&done.into())).expect("applied one by one");
        check(&together, &json)?;
        prop_assert_eq!(testing::json(&first.0), first.1);
    }

    #[test]
    fn whole_patches_do_what_rfc_6902_says(json in value(), patch in prop::collection::vec(operation(), 1..4)) {
        let patched = apply(&testing::document(&json), &testing::document(&patch.clone().into()));
        prop_assert_eq!(patched.ok().map(|document| testing::json(&document)), apply_plainly(&json, &patch));
    }

    #[test]
    fn merging_does_what_rfc_7396_says(
        json in prop_oneof![value(), large()],
        patches in prop::collection::vec(prop_oneof![value(), large()], 1..5),
    ) {
        let mut json = json;
        let mut document = testing::document(&json);
        for patch in patches {
            let merged = merge(&document, &testing::document(&patch)).expect("is not too large");
            let expected = merge_plainly(Some(json.clone()), &patch);
            check(&merged, &expected)?;
            prop_assert_eq!(&testing::json(&document), &json, "the one before is what it was");
            (document, json) = (merged, expected);
        }
    }

    #[test]
    fn one_place_is_set_and_removed(json in prop_oneof![value(), large()], pointer in pointer(), value in value()) {
        let document = testing::document(&json);
        if let Ok(set) = document.set(&pointer, &testing::document(&value)) {
            let at = match pointer.strip_suffix("/-") {
                Some(list) if get(&json, list).is_some_and(|list| list.is_array()) => {
                    format!("{list}/{}", get(&json, list).and_then(|list| Some(list.as_array()?.len())).expect("a list"))
                }
                _ => pointer.clone(),
            };
            prop_assert_eq!(get(&testing::json(&set), &at), Some(value));
            let again = set.set(&at, &testing::document(&Json::Null)).expect("is there");
            prop_assert_eq!(get(&testing::json(&again), &at), Some(Json::Null));
            if !at.is_empty() && get(&json, &at).is_none() {
                prop_assert_eq!(&testing::json(&set.remove(&at).expect("is there")), &json);
            }
        } else if !pointer.is_empty() {
            let mut json = json.clone();
            prop_assert_eq!(add(&mut json, &pointer, value), None);
        }
        let mut expected = json;
        let removed = remove(&mut expected, &pointer).map(|_| expected);
        prop_assert_eq!(document.remove(&pointer).ok().map(|document| testing::json(&document)), removed);
    }
}
