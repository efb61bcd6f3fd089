//! What `wit-bindgen` makes of the contract, and the step between its handles and this crate's types.
//!
//! The records and enums are this crate's public types on every target. The resources and functions mean something in
//! a sandbox only; elsewhere `native.rs` stands in for them.

wit_bindgen::generate!({
    path: "../../wit/policy.wit",
    world: "prepared-policy",
    pub_export_macro: true,
    export_macro_name: "export",
    additional_derives: [PartialEq, Eq],
});

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "two transparent casts")]
mod handles {
    use super::portcullis::policy::types;

    impl crate::Request {
        pub(crate) fn wrap(handle: &types::Request) -> &Self {
            // SAFETY: `Self` is a transparent wrapper of `types::Request`.
            unsafe { &*std::ptr::from_ref(handle).cast() }
        }
    }

    impl crate::Document {
        pub(crate) fn wrap(handle: &types::Document) -> &Self {
            // SAFETY: `Self` is a transparent wrapper of `types::Document`.
            unsafe { &*std::ptr::from_ref(handle).cast() }
        }
    }
}
