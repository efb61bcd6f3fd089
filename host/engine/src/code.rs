//! From a policy's file to machine code. Nothing here runs in the process that answers calls, but in tests.

use wasmtime::{Engine, OptLevel};

use crate::bounds::{self, Contents};
use crate::component::componentize;
use crate::error::LoadError;
use crate::settings::{count_instructions, settings};

/// As wasmtime's own cache does.
const COMPRESSION: i32 = 3;
/// What machine code may come to, as a base and for each byte of the file. Real files come to four to eight times.
const CODE: usize = 32 << 20;
const CODE_FOR_EACH_BYTE: usize = 16;

/// The machine code of a file, as wasmtime's cache keeps it. `begin` is told what there is to be compiled.
pub(crate) fn compile(
    bytes: &[u8],
    is_metered: bool,
    begin: impl FnOnce(Contents) -> Result<(), LoadError>,
) -> Result<Vec<u8>, LoadError> {
    begin(bounds::check(bytes)?)?;
    let engine = engine(is_metered).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
    let encoded = componentize(bytes)?;
    let code = engine.precompile_component(&encoded);
    let code = code.map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
    let most = most(bytes.len());
    if code.len() > most {
        let what = "bytes of machine code".to_owned();
        return Err(LoadError::TooMuch { what, found: code.len() as u64, most: most as u64 });
    }
    zstd::encode_all(&*code, COMPRESSION).map_err(|error| LoadError::Store(error.to_string()))
}

/// The most that [`compile`] makes of a file.
pub(crate) fn most(file: usize) -> usize {
    CODE.saturating_add(file.saturating_mul(CODE_FOR_EACH_BYTE))
}

/// An engine that compiles and runs nothing.
pub(crate) fn engine(is_metered: bool) -> wasmtime::Result<Engine> {
    let mut config = settings();
    config
        .cranelift_opt_level(OptLevel::Speed)
        // The same question gets the same answer, on every machine.
        .cranelift_nan_canonicalization(true)
        // A decision is one short run: one core compiles, the others go on deciding.
        .parallel_compilation(false);
    if is_metered {
        count_instructions(&mut config);
    }
    Engine::new(&config)
}
