use serde_json::json;

use super::*;

const FILE: &str = r#"# who may run what
mode = "observe" # until Monday

grants = ["log"]

[limits]
# slow machine
deadline = "50ms"

[settings]
users = { alice = 1, bob = 2 } # the team
since = 2026-01-01
[settings.deep]
list = [1, 0x10]
[[settings.rules]]
name = "a"
"#;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// What the file says after a change.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut says = Value::Object(read(FILE).expect("TOML"));
    change(&mut says);
    let text = rewrite(FILE, &object(says.clone())).expect("can be written");
    assert_eq!(Value::Object(read(&text).expect("TOML")), says, "{text}");
    text
}

#[test]
fn a_file_is_read_as_json() {
    let says = read(FILE).expect("TOML");
    let expected = json!({
        "mode": "observe",
        "grants": ["log"],
        "limits": { "deadline": "50ms" },
        "settings": {
            "users": { "alice": 1, "bob": 2 }, "since": "2026-01-01", "deep": { "list": [1, 16] }, "rules": [{ "name": "a" }],
        },
    });
    assert_eq!(Value::Object(says), expected);
    assert!(read("mode = ").is_err());
}

#[test]
fn what_stays_is_left_as_it_is_written() {
    assert_eq!(changed(|_| {}), FILE);
    let text = changed(|says| says["mode"] = json!("enforce"));
    assert_eq!(text, FILE.replace("mode = \"observe\" #", "mode = \"enforce\" #"));
    let text = changed(|says| says["settings"]["users"]["carol"] = json!(3));
    assert!(text.contains("carol = 3") && text.contains("# the team") && text.contains("0x10"), "{text}");
    let text = changed(|says| says["limits"]["state_keys"] = json!(5));
    assert!(text.contains("# slow machine\ndeadline = \"50ms\"\nstate_keys = 5\n"), "{text}");
    let text = changed(|says| drop(says.as_object_mut().map(|says| says.remove("limits"))));
    assert!(!text.contains("[limits]") && text.contains("# until Monday"), "{text}");
}

#[test]
fn anything_can_become_anything() {
    let values = [
        json!(1),
        json!(1.5),
        json!(-0.0),
        json!(1e300),
        json!(true),
        json!("multi\nline \"quoted\" \u{7f}"),
        json!([]),
        json!({}),
        json!([{ "a": [{ "b": {} }] }, 1]),
        json!({ "a": { "b": { "c": 1 }, "d": 2 }, "": 3, "x.y": 4, "\n": 5 }),
    ];
    let pointers = ["/mode", "/new", "/limits", "/limits/new", "/settings", "/settings/users", "/settings/users/new"];
    let more = ["/settings/deep", "/settings/deep/new", "/settings/rules", "/settings/since", "/settings/new"];
    for pointer in pointers.iter().chain(&more) {
        for value in &values {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            changed(|says| says.pointer_mut(parent).expect("is there")[key] = value.clone());
        }
    }
}

#[test]
fn dotted_keys_are_kept_where_they_can_be() {
    let file = "limits.deadline = \"5ms\" # quick\nsettings.a.b = 1\n";
    let mut says = Value::Object(read(file).expect("TOML"));
    says["settings"]["a"]["c"] = json!({ "d": [1] });
    says["settings"]["e"] = json!({ "f": 1 });
    says["limits"]["state_keys"] = json!(7);
    let text = rewrite(file, &object(says.clone())).expect("can be written");
    assert_eq!(Value::Object(read(&text).expect("TOML")), says, "{text}");
}

#[test]
fn what_is_no_toml_is_written_anew() {
    let wanted = object(json!({ "mode": "observe", "settings": { "a": 1 } }));
    assert_eq!(rewrite("mode = ", &wanted).as_deref(), Ok("mode = \"observe\"\n\n[settings]\na = 1\n"));
    assert_eq!(rewrite("", &object(json!({ "settings": {} }))).as_deref(), Ok("[settings]\n"));
    assert_eq!(rewrite("", &Map::new()).as_deref(), Ok(""));
}

#[test]
fn what_toml_does_not_have_is_told_all_at_once() {
    let wanted = object(json!({ "settings": { "a": null, "b": [1, null], "c": u64::MAX } }));
    let message = rewrite(FILE, &wanted).expect_err("cannot be written").to_string();
    for part in ["`/settings/a` is null", "`/settings/b/1` is null", "`/settings/c` is a larger number"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(message.lines().count(), 3);
}
