//! Distinguished names as RFC 4514 text.

use x509_parser::der_parser::asn1_rs::{Tag, ToDer as _};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::hex;

/// The last RDN of the certificate first, `CN=alice,OU=dev,O=Example`.
pub(super) fn rfc4514(name: &X509Name<'_>) -> String {
    let mut rdns: Vec<String> =
        name.iter().map(|rdn| rdn.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    rdns.reverse();
    rdns.join(",")
}

/// The values. One that is not text is an error: without it, the caller would be somebody else.
pub(super) fn texts<'a>(
    attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>,
) -> Result<Vec<String>, String> {
    let text = |attribute: &AttributeTypeAndValue<'_>| match text(attribute) {
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("an attribute of the subject, {}, is not text that can be read", attribute.attr_type())),
    };
    attributes.map(text).collect()
}

/// A value whose bytes are its text in UTF-8, as they are for Go's `crypto/x509`.
fn text<'a>(attribute: &'a AttributeTypeAndValue<'_>) -> Option<&'a str> {
    let is_text = matches!(
        attribute.attr_value().tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::T61String
    );
    attribute.as_str().ok().filter(|_| is_text)
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let short = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        _ => return format!("{oid}={}", hexadecimal(attribute)),
    };
    match text(attribute) {
        Some(text) => format!("{short}={}", escape(text)),
        None => format!("{short}={}", hexadecimal(attribute)),
    }
}

/// The BER of a value of which the text form is not defined.
fn hexadecimal(attribute: &AttributeTypeAndValue<'_>) -> String {
    format!("#{}", hex(&attribute.attr_value().to_der_vec_raw().unwrap_or_default()))
}

pub(super) fn escape(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (position, character) in text.chars().enumerate() {
        match character {
            '\0' => escaped.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', character]),
            '#' if position == 0 => escaped.push_str("\\#"),
            ' ' if position == 0 || position == last => escaped.push_str("\\ "),
            _ => escaped.push(character),
        }
    }
    escaped
}
