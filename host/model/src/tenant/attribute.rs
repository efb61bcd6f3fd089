//! What a caller can be known by.

use std::fmt;

/// What a caller can be known by: the strongest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// The name of the listener that the call came in by.
    Listener,
    /// A subject alternative name of the caller's own certificate, with its type: `URI:spiffe://example/ci`.
    AlternativeName,
    /// An organizational unit (OU) of the caller's own certificate.
    OrganizationalUnit,
    /// An organization (O) of the caller's own certificate.
    Organization,
    /// Whom dockerd says the caller is.
    User,
    /// A header of the call. Each name is an attribute of its own; all of them are equally strong.
    Header(HeaderName),
}

/// A header's name, whatever its case: kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderName(Box<str>);

/// Which attributes a match names, the strongest as the highest bit: the greater, the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mask(u8);

// === impl Attribute ===

impl Attribute {
    /// Whether the caller's certificate must be read to know it.
    pub fn is_of_certificate(&self) -> bool {
        match self {
            Self::AlternativeName | Self::OrganizationalUnit | Self::Organization => true,
            Self::Listener | Self::User | Self::Header(_) => false,
        }
    }

    fn bit(&self) -> u8 {
        match self {
            Self::Listener => 1 << 5,
            Self::AlternativeName => 1 << 4,
            Self::OrganizationalUnit => 1 << 3,
            Self::Organization => 1 << 2,
            Self::User => 1 << 1,
            Self::Header(_) => 1,
        }
    }
}

/// As it is written in `tenant.toml`; a header with its name.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listener => f.write_str("listener"),
            Self::AlternativeName => f.write_str("alternative_name"),
            Self::OrganizationalUnit => f.write_str("organizational_unit"),
            Self::Organization => f.write_str("organization"),
            Self::User => f.write_str("user"),
            Self::Header(name) => write!(f, "header {}", name.as_str()),
        }
    }
}

// === impl HeaderName ===

impl HeaderName {
    pub fn new(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// === impl Mask ===

impl Mask {
    pub(super) fn of<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> Self {
        Self(attributes.into_iter().fold(0, |mask, attribute| mask | attribute.bit()))
    }
}
