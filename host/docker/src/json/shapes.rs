//! The shapes of the daemon's bodies, made from `data/bodies.json`.

use super::{Counted, Field, Integer, Shape, Structure};

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));
