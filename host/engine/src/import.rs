//! What a policy imports, and the grant that it takes.

use wasmtime::component::types::ComponentItem;

use crate::grants::Grants;

/// The contract's package; its version follows the `@`.
const PACKAGE: &str = "portcullis:policy/";

/// One interface that a policy imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub name: String,
    /// The grant that it needs; none where every policy has it.
    pub grant: Option<&'static str>,
    /// Whether the host has it at all.
    pub known: bool,
}

// === impl Import ===

impl Import {
    pub(crate) fn new(name: &str) -> Self {
        let (grant, known) = match Self::interface(name) {
            Some("log") => (Some("log"), true),
            Some("state") => (Some("state"), true),
            Some(_) => (None, true),
            None => (None, false),
        };
        Self { name: name.to_owned(), grant, known }
    }

    /// `log` for `portcullis:policy/log@0.2.0`; none for what is not the contract's.
    fn interface(name: &str) -> Option<&str> {
        let (interface, _version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
        Grants::ALL.allow(interface).then_some(interface)
    }

    pub(crate) fn is_granted(&self, grants: Grants) -> bool {
        Self::interface(&self.name).is_some_and(|interface| grants.allow(interface))
    }
}

/// Whether an import gives something that can be called. The contract's world also names two of its types.
pub(crate) fn gives(item: &ComponentItem) -> bool {
    !matches!(item, ComponentItem::Type(_) | ComponentItem::Resource(_))
}
