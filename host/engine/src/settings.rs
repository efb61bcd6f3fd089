//! What those who compile and those who run agree on.

use wasmtime::Config;

const WASM_STACK: usize = 512 << 10;
const ASYNC_STACK: usize = 1 << 20;

/// Of an engine, whatever it is for.
pub(crate) fn settings() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // A policy decides one call and is gone: nothing in it runs beside anything else.
        .concurrency_support(false)
        .wasm_relaxed_simd(false);
    config
}

/// Has instructions counted.
pub(crate) fn count_instructions(config: &mut Config) -> &Config {
    config.consume_fuel(true)
}
