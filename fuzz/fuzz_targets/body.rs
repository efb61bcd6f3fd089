//! A JSON body: the first byte chooses the operation, the rest is the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_docker::json::{self, Shape};
use portcullis_docker::operation::{Body, OPERATIONS};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, body)) = bytes.split_first() else { return };
    let shapes = OPERATIONS
        .iter()
        .filter_map(|operation| if let Body::Json(shape) = operation.body { Some(shape) } else { None });
    let shapes: Vec<Shape> = shapes.chain([Shape::Any]).collect();
    let shape = shapes[usize::from(*choice) % shapes.len()];
    let Ok(document) = json::read(body, shape) else { return };

    // What is written is in the documented spelling, so reading it changes nothing, as this shape and as any.
    let written = document.root().to_json();
    assert_eq!(json::read(written.as_str(), shape).expect("is read again").root().to_json(), written);
    assert_eq!(json::read(written.as_str(), Shape::Any).expect("is JSON").root().to_json(), written);

    for (key, value) in document.root().members() {
        let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        let found = document.pointer(&pointer).expect("is found by its pointer");
        assert_eq!(found.to_json(), value.to_json());
    }
});
