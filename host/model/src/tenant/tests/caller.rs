//! Tenants and callers, written shortly: `user=ci-* user=build X-Team=ci`, a key that comes twice has two values.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::name::TenantName;
use crate::request::UnreadableCertificate;
use crate::tenant::{Attribute, Caller, HeaderName, Match, Pattern};
use crate::view::Certificate;

/// The attribute of `tenant.toml`'s key; any other is a header.
pub(super) fn key(name: &str) -> Attribute {
    match name {
        "listener" => Attribute::Listener,
        "alternative_name" => Attribute::AlternativeName,
        "organizational_unit" => Attribute::OrganizationalUnit,
        "organization" => Attribute::Organization,
        "user" => Attribute::User,
        header => Attribute::Header(HeaderName::new(header)),
    }
}

fn pairs(text: &str) -> BTreeMap<Attribute, Vec<String>> {
    let mut pairs: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (name, value) in text.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        pairs.entry(key(name)).or_default().push(value.to_owned());
    }
    pairs
}

pub(super) fn matching(text: &str) -> Match {
    let pattern = |text: &String| Pattern::new(text).expect("is a pattern");
    let wanted = pairs(text).into_iter().map(|(attribute, values)| (attribute, values.iter().map(pattern).collect()));
    Match::new(wanted).expect("is a match")
}

/// Named `t0`, `t1`, … in the order of their numbers.
pub(super) fn named(tenants: &[Vec<Match>]) -> Vec<(TenantName, Vec<Match>)> {
    let name = |number| TenantName::new(&format!("t{number}")).expect("is a name");
    tenants.iter().enumerate().map(|(number, matches)| (name(number), matches.clone())).collect()
}

pub(super) fn tenants(tenants: &[&[&str]]) -> Vec<(TenantName, Vec<Match>)> {
    let tenants: Vec<_> = tenants.iter().map(|matches| matches.iter().map(|text| matching(text)).collect()).collect();
    named(&tenants)
}

#[derive(Debug, Clone)]
pub(super) struct Someone {
    values: BTreeMap<Attribute, Vec<String>>,
    certificates: Result<Vec<Certificate>, UnreadableCertificate>,
    readings: Cell<usize>,
}

// === impl Someone ===

impl Someone {
    /// Comes in by the listener `docker`, unless said otherwise.
    pub(super) fn new(text: &str) -> Self {
        Self::with(pairs(text))
    }

    /// There is a certificate where a value of one is named.
    pub(super) fn with(values: BTreeMap<Attribute, Vec<String>>) -> Self {
        let of = |attribute| values.get(&attribute).cloned().unwrap_or_default();
        let certificate = Certificate {
            subject: String::new(),
            common_name: None,
            organizations: of(Attribute::Organization),
            organizational_units: of(Attribute::OrganizationalUnit),
            alternative_names: of(Attribute::AlternativeName),
            fingerprint: String::new(),
            not_after: 0,
        };
        let has_certificate = values.keys().any(Attribute::is_of_certificate);
        let certificates = Ok(if has_certificate { vec![certificate] } else { Vec::new() });
        Self { values, certificates, readings: Cell::new(0) }
    }

    pub(super) fn put_certificate_before(&mut self, text: &str) {
        let other = Self::new(text).certificates.expect("is readable");
        self.certificates = self.certificates.clone().map(|own| other.into_iter().chain(own).collect());
    }

    pub(super) fn make_unreadable(&mut self) {
        self.certificates = Err(UnreadableCertificate { position: 1, problem: "torn".to_owned() });
    }

    pub(super) fn is_unreadable(&self) -> bool {
        self.certificates.is_err()
    }

    /// How often the certificates were asked for.
    pub(super) fn readings(&self) -> usize {
        self.readings.get()
    }

    pub(super) fn values(&self, attribute: &Attribute) -> &[String] {
        self.values.get(attribute).map_or(&[], Vec::as_slice)
    }

    fn value(&self, attribute: &Attribute) -> Option<&str> {
        self.values(attribute).first().map(String::as_str)
    }
}

impl Caller for Someone {
    fn listener(&self) -> &str {
        self.value(&Attribute::Listener).unwrap_or("docker")
    }

    fn user(&self) -> Option<&str> {
        self.value(&Attribute::User)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.value(&key(name))
    }

    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate> {
        self.readings.set(self.readings.get() + 1);
        self.certificates.as_deref().map_err(Clone::clone)
    }
}
