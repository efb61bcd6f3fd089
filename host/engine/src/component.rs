//! From a file's bytes to a component: components are taken as they are, core modules are made one.

use portcullis_model::{Digest, TenantName};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::error::LoadError;

/// Bytes 4 to 8: the binary format's version and, for components, its layer.
const MAGIC: &[u8] = b"\0asm";
const CORE_MODULE: &[u8] = &[1, 0, 0, 0];
const COMPONENT_LAYER: &[u8] = &[1, 0];
/// What the names of the sections begin with in which `wit-bindgen` puts the contract.
const CONTRACT_SECTION: &str = "component-type";

/// A component in which nothing is.
pub(crate) const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
const TICKET_SECTION: &[u8] = b"portcullis";
/// Changes whenever other code is made of the same file: what was compiled before is then not used any longer.
const RECIPE: &[u8] = b"1:";
/// Sizes below this are one byte in WebAssembly.
const LONG: usize = 0x80;

/// What wasmtime is asked for in a file's stead: a component that says which file is meant, and for whom it is compiled.
#[derive(Clone, Debug)]
pub(crate) struct Ticket(pub(crate) Vec<u8>);

/// Whether a file is a core module, told by its first bytes; an error where it is not WebAssembly at all.
pub(crate) fn is_core_module(bytes: &[u8]) -> Result<bool, LoadError> {
    let (Some(magic), Some(version)) = (bytes.get(..4), bytes.get(4..8)) else {
        return Err(LoadError::NotWasm { size: bytes.len() });
    };
    if magic != MAGIC {
        return Err(LoadError::NotWasm { size: bytes.len() });
    }
    if version == CORE_MODULE {
        return Ok(true);
    }
    if version.get(2..) == Some(COMPONENT_LAYER) {
        return Ok(false);
    }
    Err(LoadError::Invalid("a version of WebAssembly that this host does not know".into()))
}

/// Gives the bytes of a component. A core module must carry the contract in a custom section, where `wit-bindgen` has
/// put it; `cargo build --target wasm32-unknown-unknown` leaves such modules.
pub(crate) fn componentize(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, LoadError> {
    if is_core_module(bytes)? { encode(bytes).map(Into::into) } else { Ok(bytes.into()) }
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

/// What stands for a file in the cache on disk: an empty component with a section that says which file, compiled how, and
/// who pays for it.
pub(crate) fn ticket(digest: &Digest, payer: &str) -> Result<Ticket, LoadError> {
    const { assert!(1 + TICKET_SECTION.len() + RECIPE.len() + 32 + TenantName::MAX < LONG) };
    let size = 1 + TICKET_SECTION.len() + RECIPE.len() + digest.0.len() + payer.len();
    let (Ok(size), Ok(name_size)) = (i8::try_from(size), i8::try_from(TICKET_SECTION.len())) else {
        return Err(LoadError::Invalid("its owner's name is too long".into()));
    };
    let head = [0, size.unsigned_abs(), name_size.unsigned_abs()];
    Ok(Ticket([EMPTY, &head, TICKET_SECTION, RECIPE, &digest.0, payer.as_bytes()].concat()))
}
