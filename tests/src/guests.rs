//! The hostile guests of `tests/guests/`: each a text of WebAssembly, made what its name's ending says.
//!
//! | file | becomes |
//! |---|---|
//! | `NAME.wat` | a core module that carries the contract, as a policy's build leaves it |
//! | `NAME.module.wat` | a core module as it is written |
//! | `NAME.component.wat` | a component as it is written |

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
