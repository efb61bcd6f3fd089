//! The hostile guests of `tests/guests/`: each a text of WebAssembly, made what its name's ending says.
//!
//! | file | becomes |
//! |---|---|
//! | `NAME.wat` | a core module that carries the contract, as a policy's build leaves it |
//! | `NAME.module.wat` | a core module as it is written |
//! | `NAME.component.wat` | a component as it is written |

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::error::{Doing, Error, Result};

/// Where the guests lie.
pub fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

/// The names of all guests, sorted.
pub fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir()).doing_to("listing", &dir())? {
        let name = entry.doing("listing guests")?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".wat").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// A guest's bytes.
pub fn wasm(name: &str) -> Result<Vec<u8>> {
    let path = dir().join(format!("{name}.wat"));
    let text = std::fs::read_to_string(&path).doing_to("reading", &path)?;
    from_text(name, &text)
}

/// A policy that denies everything, and says these words: so a caller is told which policy was asked.
pub fn that_says(words: &str) -> Result<Vec<u8>> {
    let text = format!(
        r#"(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "{words}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (call $drop_request (local.get 0))
    (call $drop_document (local.get 1))
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 16))
    (i32.store (i32.const 8) (i32.const {length}))
    (i32.const 0)))"#,
        length = words.len(),
    );
    from_text("says", &text)
}

const COUNTS: &str = r#"(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  (import "portcullis:policy/state@0.2.0" "add" (func $add (param i32 i32 i64) (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 16) "count 0000000000")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (local $count i64)
    (local $at i32)
    (call $drop_request (local.get 0))
    (call $drop_document (local.get 1))
    (local.set $count (call $add (i32.const 16) (i32.const 5) (i64.const 1)))
    (local.set $at (i32.const 31))
    (loop $digit
      (i32.store8
        (local.get $at)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $count) (i64.const 10)))))
      (local.set $count (i64.div_u (local.get $count) (i64.const 10)))
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (br_if $digit (i32.gt_u (local.get $at) (i32.const 21))))
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 16))
    (i32.store (i32.const 8) (i32.const 16))
    (i32.const 0)))"#;

/// A policy that counts how often it is asked, denies, and says `count` and ten digits. It needs to be granted state.
pub fn that_counts() -> Result<Vec<u8>> {
    from_text("counts", COUNTS)
}

/// The same, and it keeps each count under a long key of its own, so that what it keeps grows.
pub fn that_hoards() -> Result<Vec<u8>> {
    let keeps =
        "(drop (call $add (i32.const 16) (i32.const 500) (i64.const 1))) (i32.store8 (i32.const 0) (i32.const 1))";
    from_text("hoards", &COUNTS.replace("(i32.store8 (i32.const 0) (i32.const 1))", keeps))
}

/// A policy that allows, and demands by these functions of `obligations`: `("label", &["owner", "alice"])`. It needs the grant.
pub fn that_demands(demands: &[(&str, &[&str])]) -> Result<Vec<u8>> {
    let (mut imports, mut calls, mut data) = (BTreeSet::new(), String::new(), Vec::new());
    for (function, texts) in demands {
        let types = " i32 i32".repeat(texts.len());
        imports.insert(format!(
            "(import \"portcullis:policy/obligations@0.2.0\" \"{function}\" (func ${function} (param{types})))"
        ));
        let mut arguments = String::new();
        for text in *texts {
            arguments += &format!(" (i32.const {}) (i32.const {})", 16 + data.len(), text.len());
            data.extend(text.bytes());
        }
        calls += &format!("(call ${function}{arguments})");
    }
    let data: String = data.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  {imports}
  (memory (export "memory") 2)
  (data (i32.const 16) "{data}")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (call $drop_request (local.get 0))
    (call $drop_document (local.get 1))
    {calls}
    (i32.store8 (i32.const 0) (i32.const 0))
    (i32.const 0)))"#,
        imports = imports.into_iter().collect::<Vec<_>>().join("\n  "),
    );
    from_text("demands", &text)
}

/// What such a policy counted, from what the caller is told.
pub fn counted(told: &str) -> Option<u64> {
    let (_, rest) = told.split_once("count ")?;
    rest.get(..10)?.parse().ok()
}

/// A policy's bytes from its text, as [`wasm`] makes them of a file with this name.
pub fn from_text(name: &str, text: &str) -> Result<Vec<u8>> {
    let failed = |error: String| Error::Unexpected(format!("guest `{name}`: {error}"));
    let mut bytes = wat::parse_str(text).map_err(|error| failed(error.to_string()))?;
    if !name.contains('.') {
        let mut resolve = Resolve::default();
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let (package, _) = resolve.push_dir(&contract).map_err(|error| failed(format!("{error:#}")))?;
        let world = resolve.select_world(&[package], Some("policy")).map_err(|error| failed(format!("{error:#}")))?;
        embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8)
            .map_err(|error| failed(format!("{error:#}")))?;
    }
    Ok(bytes)
}
