//! Puts the files of `openapi/` together to one document, as JSON.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use serde_json::{Map, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What every operation of the document has, beside what it says itself.
const EVERY: &str = "x-every-operation";
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
    let every = document.remove(EVERY).unwrap_or_default();
    each_operation(&mut document, &every);
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

fn each_operation(document: &mut Map<String, Value>, every: &Value) {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    for path in paths.filter_map(Value::as_object_mut) {
        for (_, operation) in path.iter_mut().filter(|(method, _)| METHODS.contains(&method.as_str())) {
            add(operation, every);
        }
    }
}

/// Adds what is not there.
fn add(into: &mut Value, more: &Value) {
    let (Some(into), Some(more)) = (into.as_object_mut(), more.as_object()) else { return };
    for (key, value) in more {
        match into.get_mut(key) {
            Some(there) => add(there, value),
            None => drop(into.insert(key.clone(), value.clone())),
        }
    }
}
