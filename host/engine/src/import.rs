//! What a policy imports, and the grant that it takes.

use wasmtime::component::types::ComponentItem;

use crate::grants::{Grant, Grants};

/// The contract's package; its version follows the `@`.
const PACKAGE: &str = "portcullis:policy/";
/// The interfaces that every policy has.
const GIVEN: [&str; 3] = ["types", "settings", "fault"];

/// One interface that a policy imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub name: String,
    /// The grant that it needs; none where every policy has it.
    pub grant: Option<Grant>,
    /// Whether the host has it at all.
    pub known: bool,
}

// === impl Import ===

impl Import {
    pub(crate) fn new(name: &str) -> Self {
        let interface = Self::interface(name);
        let grant = interface.and_then(Grant::named);
        let known = grant.is_some() || interface.is_some_and(|interface| GIVEN.contains(&interface));
        Self { name: name.to_owned(), grant, known }
    }

    /// `log` for `portcullis:policy/log@0.2.0`; none for another package's.
    fn interface(name: &str) -> Option<&str> {
        let (interface, _version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
        Some(interface)
    }

    pub(crate) fn is_granted(&self, grants: Grants) -> bool {
        self.known && self.grant.is_none_or(|grant| grants.has(grant))
    }
}

/// Whether an import gives something that can be called. The contract's world also names two of its types.
pub(crate) fn gives(item: &ComponentItem) -> bool {
    !matches!(item, ComponentItem::Type(_) | ComponentItem::Resource(_))
}
