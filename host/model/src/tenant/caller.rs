//! Who is placed, and what is known of them.

use super::attribute::Attribute;
use crate::request::UnreadableCertificate;
use crate::view::Certificate;

/// Who is to be placed. What a value is, is the implementor's to say: a text that is there and empty fits `*`.
pub trait Caller {
    /// The name of the listener that the call came in by.
    fn listener(&self) -> &str;
    fn user(&self) -> Option<&str>;
    /// A header, whatever the case of its name.
    fn header(&self, name: &str) -> Option<&str>;
    /// The caller's own certificate first, the only one that counts; none at all where there is none. Reading them costs:
    /// they are asked for at most once, and only if the rest of a match that names something of them holds.
    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate>;
}

/// A caller as far as it has been looked at.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    caller: &'a dyn Caller,
    certificate: Reading<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Reading<'a> {
    Unread,
    Read(Option<&'a Certificate>),
}

/// The values that a caller has for one attribute.
#[derive(Clone, Debug)]
pub(super) enum Values<'a> {
    One(Option<&'a str>),
    Many(std::slice::Iter<'a, String>),
}

// === impl Subject ===

impl<'a> Subject<'a> {
    pub(super) fn new(caller: &'a dyn Caller) -> Self {
        Self { caller, certificate: Reading::Unread }
    }

    pub(super) fn read_certificate(&mut self) -> Result<(), UnreadableCertificate> {
        self.certificate = Reading::Read(self.caller.certificates()?.first());
        Ok(())
    }

    /// Whether it is known yet what the caller has for this attribute.
    pub(super) fn knows(&self, attribute: &Attribute) -> bool {
        self.knows_certificate() || !attribute.is_of_certificate()
    }

    pub(super) fn knows_certificate(&self) -> bool {
        matches!(self.certificate, Reading::Read(_))
    }

    /// Nothing for an attribute that is not known yet.
    pub(super) fn values(&self, attribute: &Attribute) -> Values<'a> {
        match attribute {
            Attribute::Listener => Values::One(Some(self.caller.listener())),
            Attribute::AlternativeName => self.of_certificate(|own| &own.alternative_names),
            Attribute::OrganizationalUnit => self.of_certificate(|own| &own.organizational_units),
            Attribute::Organization => self.of_certificate(|own| &own.organizations),
            Attribute::User => Values::One(self.caller.user()),
            Attribute::Header(name) => Values::One(self.caller.header(name.as_str())),
        }
    }

    fn of_certificate(&self, values: fn(&Certificate) -> &[String]) -> Values<'a> {
        match self.certificate {
            Reading::Read(Some(own)) => Values::Many(values(own).iter()),
            Reading::Read(None) | Reading::Unread => Values::One(None),
        }
    }
}

// === impl Values ===

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        match self {
            Self::One(value) => value.take(),
            Self::Many(values) => values.next().map(String::as_str),
        }
    }
}
