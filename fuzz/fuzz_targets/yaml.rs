//! YAML of a tenant's: whatever it is, JSON is made of it that a strict reader takes, within its bounds, or an error that says where.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../host/config/src/document/yaml.rs"]
mod yaml;

const MOST: u64 = 1 << 20;

fuzz_target!(|text: &[u8]| {
    match yaml::to_json(text, MOST) {
        Ok(json) => {
            assert!(json.len() as u64 <= MOST);
            let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            // JSON is YAML: what was made of it is made of it again.
            if json.len() <= 1 << 16 && !has_long_key(&value) {
                let again = yaml::to_json(json.as_bytes(), MOST).expect("JSON is YAML");
                assert_eq!(serde_json::from_str::<serde_json::Value>(&again).expect("JSON"), value);
            }
        }
        Err(problem) => assert!(!problem.is_empty()),
    }
});

/// YAML takes keys of up to 1,024 characters.
fn has_long_key(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Object(members) => {
            members.iter().any(|(key, value)| key.len() > 100 || has_long_key(value))
        }
        serde_json::Value::Array(items) => items.iter().any(has_long_key),
        _ => false,
    }
}
