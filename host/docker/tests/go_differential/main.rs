//! The readers beside Go's own packages: what Go reads is read to the same or refused, and what Go refuses is refused.
//!
//! Needs `go` (Debian: `golang-go`). `PORTCULLIS_SKIP_GO=1` leaves it out; `PORTCULLIS_GO_SEED` and `PORTCULLIS_GO_COUNT`
//! choose other inputs, and how many.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is a test, and ends where it fails"
)]

mod bodies;
mod generate;
mod go;
mod project;
mod random;
mod targets;
