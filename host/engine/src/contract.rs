//! The bindings that wasmtime makes of `wit/policy.wit`.
//!
//! Both resources are only numbers here: there is one request, and three documents, in any instance's life, so no
//! table of handles is needed.

/// The one request of an instance.
#[derive(Clone, Copy, Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct RequestHandle;

/// One of the documents of an instance; [`crate::host::Held`] says which.
#[derive(Clone, Copy, Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct DocumentHandle;

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "policy",
    imports: {
        "portcullis:policy/state": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "portcullis:policy/types.request": RequestHandle,
        "portcullis:policy/types.document": DocumentHandle,
    },
});
