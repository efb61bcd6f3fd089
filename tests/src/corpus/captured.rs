//! Calls that real clients made, in `tests/cases/ordinary/clients/RELEASE/CLIENT.jsonl`: one call a line, as this release of dockerd
//! showed it to its plugin.
//!
//! `make capture-clients` writes them anew. What differs from run to run is replaced: the name of the folder that the clients worked
//! in by `{folder}`, IDs by one ID. Of calls of the same shape the first is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_docker::{NoResolve, Reader, Rules, wire};
use portcullis_model::Request as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Doing, Error, Result};
use crate::recorder::Seen;
use crate::release::Release;

const FOLDER: &str = "{folder}";
/// In place of where the tests lie: compose sends it as a label.
const HERE: &str = "/home/alice/portcullis/tests";
/// The lengths of IDs, whole and short.
const ID_LENGTHS: [usize; 2] = [64, 12];
const DIGITS: &str = "0123456789abcdef";

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    pub method: String,
    pub uri: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

// === impl Captured ===

impl Captured {
    /// What a client made of the calls that were seen, in a folder of this name.
    pub fn of(seen: &[Seen], folder: &str) -> Result<Vec<Self>> {
        let mut shapes = BTreeSet::new();
        let mut kept = Vec::new();
        for seen in seen {
            let call = Self::of_call(&seen.call, folder)?;
            if shapes.insert(call.shape()) {
                kept.push(call);
            }
        }
        Ok(kept)
    }

    fn of_call(call: &Value, folder: &str) -> Result<Self> {
        let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default();
        let settled = |text: &str| settle(&text.replace(folder, FOLDER).replace(env!("CARGO_MANIFEST_DIR"), HERE));
        let headers = call.get("RequestHeaders").and_then(Value::as_object).into_iter().flatten();
        let headers = headers.map(|(name, value)| (name.clone(), settled(value.as_str().unwrap_or_default())));
        let body = base64_simd::STANDARD.decode_to_vec(text("RequestBody"));
        let body = body.map_err(|error| Error::Unexpected(format!("`RequestBody`: {error}")))?;
        let body = (!body.is_empty()).then(|| settled(&String::from_utf8_lossy(&body)));
        Ok(Self {
            method: text("RequestMethod").to_owned(),
            uri: settled(text("RequestUri")),
            headers: headers.collect(),
            body,
        })
    }

    /// The plugin call that dockerd makes of it, of a user who works in a folder of this name.
    pub fn plugin_call(&self, user: &str, folder: &str) -> Value {
        let there = |text: &str| text.replace(FOLDER, folder);
        let body = self.body.as_deref().map(there).unwrap_or_default();
        let headers = self.headers.iter().map(|(name, value)| {
            let is_length = name.eq_ignore_ascii_case("Content-Length") && !body.is_empty();
            (name.clone(), if is_length { body.len().to_string() } else { there(value) })
        });
        json!({
            "User": user,
            "UserAuthNMethod": "TLS",
            "RequestMethod": self.method,
            "RequestUri": there(&self.uri),
            "RequestHeaders": headers.collect::<BTreeMap<_, _>>(),
            "RequestBody": base64_simd::STANDARD.encode_to_string(&body),
        })
    }

    /// Its operation in the Engine API.
    pub fn operation(&self) -> Result<String> {
        let bytes = self.plugin_call("", "").to_string();
        let refused = |error: &dyn Display| Error::Unexpected(format!("{} {}: {error}", self.method, self.uri));
        let call = wire::read_call(bytes.as_bytes()).map_err(|error| refused(&error))?;
        let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
        Ok(reader.read(call).map_err(|refusal| refused(&refusal))?.operation().to_owned())
    }

    /// What two calls have in common that say the same about different things.
    fn shape(&self) -> String {
        let (path, query) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        let mut names: Vec<_> = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
        names.sort_unstable();
        let headers: Vec<_> = self.headers.keys().collect();
        let body = self
            .body
            .as_deref()
            .map(|body| serde_json::from_str(body).map_or_else(|_| body.to_owned(), |value: Value| shape_of(&value)));
        format!("{} {path} {names:?} {headers:?} {body:?}", self.method)
    }
}

/// Every client that has been captured, with its calls to all releases.
pub fn captured() -> Result<BTreeMap<String, Vec<Captured>>> {
    let mut clients: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for release in entries(&folder())? {
        for path in entries(&release)? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            clients.entry(name).or_default().extend(read(&path)?);
        }
    }
    Ok(clients)
}

/// Writes a client's calls to this release in place of those that it had.
pub fn write(release: Release, client: &str, calls: &[Captured]) -> Result<()> {
    let folder = folder().join(release.name());
    fs::create_dir_all(&folder).doing_to("making", &folder)?;
    let path = folder.join(format!("{client}.jsonl"));
    let mut text = String::new();
    for call in calls {
        let line = serde_json::to_string(call).map_err(|error| Error::Unexpected(error.to_string()))?;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    }
    fs::write(&path, text).doing_to("writing", &path)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/ordinary/clients")
}

/// What is in a folder, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).doing_to("listing", folder)?;
    let mut paths: Vec<_> = listed.map(|entry| Ok(entry.doing_to("listing", folder)?.path())).collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<Captured>> {
    let text = fs::read_to_string(path).doing_to("reading", path)?;
    let calls = text.lines().enumerate().map(|(number, line)| {
        let wrong = |error| Error::Unexpected(format!("`{}`, line {}: {error}", path.display(), number + 1));
        serde_json::from_str(line).map_err(wrong)
    });
    calls.collect()
}

/// Replaces IDs: runs of letters and digits that are hexadecimal, and as long as an ID.
fn settle(text: &str) -> String {
    let mut settled = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let is_id = ID_LENGTHS.contains(&run.len()) && run.chars().all(|c| DIGITS.contains(c));
        settled.extend(DIGITS.chars().cycle().take(if is_id { run.len() } else { 0 }));
        settled.push_str(if is_id { "" } else { run });
        let mut between = after.chars();
        settled.extend(between.next());
        rest = between.as_str();
    }
    settled
}

/// The value without what it says: names, types, and whether there is anything.
fn shape_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => if number.as_f64() == Some(0.0) { "0" } else { "number" }.to_owned(),
        Value::String(text) => if text.is_empty() { "''" } else { "text" }.to_owned(),
        Value::Array(items) => format!("{:?}", items.iter().map(shape_of).collect::<BTreeSet<_>>()),
        Value::Object(members) => {
            format!("{:?}", members.iter().map(|(name, value)| (name, shape_of(value))).collect::<BTreeMap<_, _>>())
        }
    }
}
