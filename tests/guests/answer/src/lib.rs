//! Says which code, settings and data it was asked with, so that a test can tell whether they belong together. With the
//! setting `panic`, it panics.

use std::hint::black_box;

use portcullis_policy::{Document, Request, Verdict, settings};

portcullis_policy::policy!(decide);

/// A test writes its own number over the digits of the built file.
static CODE: &[u8; 15] = b"code 0000000000";

/// Makes the component about 100 KB large.
static WEIGHT: [u8; 70_000] = weight();

#[expect(clippy::panic, reason = "a test asks for it")]
pub fn decide(_request: &Request, data: &Document) -> Verdict {
    let settings = settings();
    if let Some(message) = settings.text("/panic") {
        panic!("{message}");
    }
    black_box(&WEIGHT);
    let code = String::from_utf8_lossy(black_box(CODE)).into_owned();
    let number = |document: &Document, pointer| document.integer(pointer).unwrap_or(-1);
    let (set, given) = (number(&settings, "/version"), number(data, "/version/number"));
    Verdict::deny(format!("{code} settings {set} data {given}"))
}

/// Bytes that do not compress into a few instructions.
#[expect(clippy::indexing_slicing, reason = "a constant function has no iterators, and is run by the compiler")]
const fn weight() -> [u8; 70_000] {
    let (mut bytes, mut seed, mut position) = ([0; 70_000], 1_u32, 0);
    while position < bytes.len() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes[position] = (seed >> 24) as u8;
        position += 1;
    }
    bytes
}
