//! From a file's bytes to a component: components are taken as they are, core modules are made one.

use portcullis_model::TenantName;
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::load::LoadError;

/// Bytes 4 to 8: the binary format's version and, for components, its layer.
const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT_LAYER: &[u8] = &[1, 0];
/// What the names of the sections begin with in which `wit-bindgen` puts the contract.
const CONTRACT_SECTION: &str = "component-type";

/// The custom section that says who had a component compiled.
const PAYER_SECTION: &[u8] = b"portcullis-owner";
/// Sizes below this are one byte in WebAssembly.
const LONG: usize = 0x80;

/// Gives the bytes of a component. A core module must carry the contract in a custom section, where `wit-bindgen` has
/// put it; `cargo build --target wasm32-unknown-unknown` leaves such modules.
pub(crate) fn componentize(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, LoadError> {
    let (Some(magic), Some(version)) = (bytes.get(..4), bytes.get(4..8)) else {
        return Err(LoadError::NotWasm { size: bytes.len() });
    };
    if magic != MAGIC {
        return Err(LoadError::NotWasm { size: bytes.len() });
    }
    if version == CORE_MODULE {
        return encode(bytes).map(Into::into);
    }
    if version.get(2..) == Some(COMPONENT_LAYER) {
        return Ok(bytes.into());
    }
    Err(LoadError::Invalid("a version of WebAssembly that this host does not know".into()))
}

fn encode(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    // The encoder takes a file's sections to be whole, and panics where one is cut off.
    let mut carries_contract = false;
    for section in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(custom) = section.map_err(|error| LoadError::Invalid(error.to_string()))? {
            carries_contract |= custom.name().starts_with(CONTRACT_SECTION);
        }
    }
    if !carries_contract {
        return Err(LoadError::NoContract);
    }
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| LoadError::Module(format!("{error:#}")))
}

/// Adds a custom section with the name of who has the component compiled: it means nothing to who runs it, and is other
/// bytes to who caches it.
pub(crate) fn signed(component: &[u8], payer: &str) -> Result<Vec<u8>, LoadError> {
    const { assert!(1 + PAYER_SECTION.len() + TenantName::MAX < LONG) };
    let size = 1 + PAYER_SECTION.len() + payer.len();
    let (Ok(size), Ok(name_size)) = (i8::try_from(size), i8::try_from(PAYER_SECTION.len())) else {
        return Err(LoadError::Invalid("its owner's name is too long".into()));
    };
    let head = [0, size.unsigned_abs(), name_size.unsigned_abs()];
    Ok([component, &head, PAYER_SECTION, payer.as_bytes()].concat())
}
