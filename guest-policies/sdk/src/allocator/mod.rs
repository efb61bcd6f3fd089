//! The allocator of an instance that lives for one decision.
//!
//! It gives out a fixed arena from one end to the other and takes back only what it gave last: the instance is dropped
//! after its verdict, and the rest with it. The arena lies in the initial memory because growing the memory costs the
//! host more than most decisions do; only what does not fit in there grows it.

mod bump;
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "a global allocator cannot do without")]
mod global;
