//! Who is calling: the certificates that the caller proved to hold.

mod name;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use portcullis_model::request::UnreadableCertificate;
use portcullis_model::view::Certificate;
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The certificates that a caller proved to hold: PEM texts, which are read when they are first asked for.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    texts: Vec<String>,
    read: OnceLock<Result<Vec<Certificate>, UnreadableCertificate>>,
}

// === impl Certificates ===

impl Certificates {
    /// PEM, as they were sent; the caller's own first.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The caller's own first.
    pub fn read(&self) -> Result<&[Certificate], UnreadableCertificate> {
        self.read.get_or_init(|| certificates(&self.texts)).as_deref().map_err(Clone::clone)
    }
}

impl From<Vec<String>> for Certificates {
    fn from(texts: Vec<String>) -> Self {
        Self { texts, read: OnceLock::new() }
    }
}

impl PartialEq for Certificates {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Certificates {}

/// The certificates of these PEM texts.
fn certificates(texts: &[String]) -> Result<Vec<Certificate>, UnreadableCertificate> {
    let unreadable = |position, problem| UnreadableCertificate { position: position + 1, problem };
    texts.iter().enumerate().map(|(at, text)| certificate(text).map_err(|problem| unreadable(at, problem))).collect()
}

fn certificate(text: &str) -> Result<Certificate, String> {
    let mut blocks = Pem::iter_from_buffer(text.as_bytes());
    let pem = blocks.next().ok_or("there is no PEM block")?.map_err(|error| error.to_string())?;
    if pem.label != "CERTIFICATE" || blocks.next().is_some() {
        return Err("the text is not one certificate".to_owned());
    }
    let (rest, certificate) = X509Certificate::from_der(&pem.contents).map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err("something follows the certificate".to_owned());
    }
    let subject = certificate.subject();
    Ok(Certificate {
        subject: name::rfc4514(subject),
        // The last one, which is the one that dockerd takes for the user.
        common_name: name::texts(subject.iter_common_name())?.pop(),
        organizations: name::texts(subject.iter_organization())?,
        organizational_units: name::texts(subject.iter_organizational_unit())?,
        alternative_names: alternative_names(&certificate)?,
        fingerprint: hex(&Sha256::digest(&pem.contents)),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Result<Vec<String>, String> {
    let extension = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
    let names = extension.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    names.iter().filter_map(|name| alternative_name(name).transpose()).collect()
}

/// None for the kinds that have no text form here.
fn alternative_name(name: &GeneralName<'_>) -> Result<Option<String>, String> {
    Ok(match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::RFC822Name(name) => Some(format!("email:{name}")),
        GeneralName::URI(name) => Some(format!("URI:{name}")),
        GeneralName::DirectoryName(name) => Some(format!("DirName:{}", name::rfc4514(name))),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
            let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| Ipv6Addr::from(bytes).to_string());
            let address = v4.or(v6).map_err(|_| "an IP address among the alternative names has a wrong length")?;
            Some(format!("IP:{address}"))
        }
        GeneralName::Invalid(..) => return Err("an alternative name cannot be read".to_owned()),
        GeneralName::OtherName(..)
        | GeneralName::X400Address(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::RegisteredID(_) => None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}
