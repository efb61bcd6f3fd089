//! Puts the files of `openapi/` together to one document, as JSON.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The answers of every operation, beside those that it names itself; and of every one that needs to know who asks.
const EVERY: &str = "x-answers-of-all";
const OF_KNOWN: &str = "x-answers-of-all-that-ask-who";
/// The scope of an operation that does not.
const OPEN: &str = "nobody";
const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "head"];

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=openapi");
    let mut files: Vec<_> = fs::read_dir("openapi")?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let mut document = Map::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
        let read = fs::read_to_string(file)?;
        let part: Map<String, Value> =
            serde_yaml_ng::from_str(&read).map_err(|error| format!("{}: {error}", file.display()))?;
        merge(&mut document, part, "").map_err(|twice| format!("{}: {twice}", file.display()))?;
    }
    let (every, of_known) = (document.remove(EVERY).unwrap_or_default(), document.remove(OF_KNOWN).unwrap_or_default());
    each_operation(&mut document, &every, &of_known);
    if let Some(Value::Object(info)) = document.get_mut("info") {
        info.insert("version".to_owned(), env::var("CARGO_PKG_VERSION")?.into());
    }
    let out = Path::new(&env::var("OUT_DIR")?).join("openapi.json");
    Ok(fs::write(out, serde_json::to_string(&document)?)?)
}

/// Lays one part over the others. What both have must be an object in both: nothing is said twice.
fn merge(into: &mut Map<String, Value>, part: Map<String, Value>, place: &str) -> Result<()> {
    for (key, value) in part {
        let place = format!("{place}/{key}");
        match (into.get_mut(&key), value) {
            (None, value) => drop(into.insert(key, value)),
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new, &place)?,
            (Some(_), _) => return Err(format!("`{place}` is in another file, too").into()),
        }
    }
    Ok(())
}

/// Gives every operation the answers that all have, and those of callers who are known where it needs to know them.
fn each_operation(document: &mut Map<String, Value>, every: &Value, of_known: &Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for path in paths.filter_map(Value::as_object_mut) {
        for (_, operation) in path.iter_mut().filter(|(method, _)| METHODS.contains(&method.as_str())) {
            let is_open = operation.get("x-scope").is_some_and(|scope| scope == OPEN);
            let Some(Value::Object(responses)) = operation.get_mut("responses") else { continue };
            for more in [Some(every), Some(of_known).filter(|_| !is_open)].into_iter().flatten() {
                for (status, response) in more.as_object().into_iter().flatten() {
                    responses.entry(status).or_insert_with(|| response.clone());
                }
            }
        }
    }
}
