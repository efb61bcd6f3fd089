use portcullis_model::view::Certificate;

use super::{certificates, name};

const ALICE: &str = include_str!("alice.pem");
const CI: &str = include_str!("ci.pem");

#[test]
fn a_certificate_says_who_is_calling() {
    let read = certificates(&[ALICE.to_owned(), CI.to_owned()]).expect("are certificates");
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        read[0],
        Certificate {
            subject: "CN=älice,CN=first,1.2.840.113549.1.9.1=#160d61406578616d706c652e636f6d,DC=example,OU=ops\\+sec,\
                      OU=dev,O=Second O,O=Example\\, Inc.,C=DE"
                .to_owned(),
            common_name: Some("älice".to_owned()),
            organizations: texts(&["Example, Inc.", "Second O"]),
            organizational_units: texts(&["dev", "ops+sec"]),
            alternative_names: texts(&[
                "DNS:a.example",
                "DNS:*.b.example",
                "IP:10.0.0.1",
                "IP:2001:db8::1",
                "email:alice@example.com",
                "URI:spiffe://example/alice",
                "DirName:O=x,CN=dir name",
            ]),
            fingerprint: "7764c9f0f4eeb632c4a9e3eba28207224de9bb2304bd1bf9e217b023ad0aa94c".to_owned(),
            not_after: 2_110_761_141,
        }
    );
    assert_eq!((read[1].subject.as_str(), read[1].common_name.as_deref()), ("CN=ci", Some("ci")));
    assert!(read[1].organizations.is_empty() && read[1].alternative_names.is_empty());
    assert_eq!(certificates(&[]), Ok(Vec::new()));
}

#[test]
fn what_is_no_certificate_is_told_by_its_place() {
    let key = CI.replace("CERTIFICATE", "PRIVATE KEY");
    let cut = CI.replacen("MII", "MIJ", 1);
    let twice = format!("{CI}{CI}");
    for (text, problem) in [
        ("", "there is no PEM block"),
        ("hello", "there is no PEM block"),
        (key.as_str(), "the text is not one certificate"),
        (twice.as_str(), "the text is not one certificate"),
        (cut.as_str(), ""),
        ("-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n", ""),
    ] {
        let error = certificates(&[CI.to_owned(), text.to_owned()]).expect_err(text);
        assert_eq!(error.position, 2);
        assert!(error.problem.starts_with(problem), "{text}: {error}");
    }
}

/// Alice's certificate with the tag of a value changed.
fn with_tag(value: &str, tag: u8) -> String {
    let body: String = ALICE.lines().filter(|line| !line.starts_with("-----")).collect();
    let mut der = base64_simd::STANDARD.decode_to_vec(body).expect("is base64");
    let at = der.windows(value.len()).rposition(|window| window == value.as_bytes()).expect("is there");
    der[at - 2] = tag;
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64_simd::STANDARD.encode_to_string(der))
}

/// Without it, the caller would be somebody else: of two common names the other, or of no unit.
#[test]
fn what_cannot_be_read_of_a_certificate_is_an_error_and_not_left_out() {
    /// A `BMPString`, which is UTF-16.
    const WIDE: u8 = 30;
    const IP_ADDRESS: u8 = 0x87;
    for (value, tag, problem) in [
        ("\u{e4}lice", WIDE, "an attribute of the subject, 2.5.4.3, is not text that can be read"),
        ("dev", WIDE, "an attribute of the subject, 2.5.4.11, is not text that can be read"),
        ("Second O", WIDE, "an attribute of the subject, 2.5.4.10, is not text that can be read"),
        ("a.example", IP_ADDRESS, "an IP address among the alternative names has a wrong length"),
    ] {
        let read = certificates(&[with_tag(value, tag)]);
        assert_eq!(read.map_err(|error| error.problem), Err(problem.to_owned()), "{value}");
    }
}

#[test]
fn names_are_escaped_as_rfc_4514_says() {
    for (text, escaped) in [
        ("plain", "plain"),
        ("", ""),
        (" a b ", "\\ a b\\ "),
        (" ", "\\ "),
        ("#a#", "\\#a#"),
        ("a,b+c\"d\\e<f>g;h=i", "a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h=i"),
        ("a\0b", "a\\00b"),
        ("é ", "é\\ "),
    ] {
        assert_eq!(name::escape(text), escaped, "{text:?}");
    }
}
