//! When certificates end.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// From so many days before its end on, a certificate is warned of.
pub(crate) const SOON_DAYS: i64 = 30;
const DAY: i64 = 24 * 60 * 60;

/// Of one of the files that `[admin]` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// `certificate` or `client_ca`.
    pub key: &'static str,
    path: PathBuf,
    /// Of the certificate that ends first.
    subject: String,
    /// Unix time in seconds.
    pub at: i64,
    shown: String,
}

// === impl End ===

impl End {
    /// The first of these; none where none can be read.
    pub fn first(key: &'static str, path: &Path, chain: &[CertificateDer<'_>]) -> Option<Self> {
        let ends = chain.iter().filter_map(|certificate| {
            let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
            let until = certificate.validity().not_after;
            let subject = certificate.subject().to_string();
            Some(Self { key, path: path.to_owned(), subject, at: until.timestamp(), shown: until.to_string() })
        });
        ends.min_by_key(|end| end.at)
    }

    /// What the operator is to do about it; none where it is far off.
    pub fn warning(&self) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.warning_at(i64::try_from(now).unwrap_or(i64::MAX))
    }

    fn warning_at(&self, now: i64) -> Option<String> {
        let Self { path, subject, at, shown, .. } = self;
        let left = at - now;
        if left > SOON_DAYS * DAY {
            return None;
        }
        let when = if left < 0 {
            format!("ended at {shown}, and is refused")
        } else {
            format!("ends at {shown}, in {} days", left / DAY)
        };
        Some(format!(
            "{}: the certificate of `{subject}` {when}; renew it, and then `portcullis reload`",
            path.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_in_its_last_days_and_after() {
        let at = 1_000 * DAY;
        let end = End { key: "certificate", path: "/x.pem".into(), subject: "CN=x".into(), at, shown: "then".into() };
        for (days, expected) in
            [(31, None), (30, Some("ends at then, in 30 days")), (0, Some("in 0 days")), (-1, Some("ended at then"))]
        {
            let warning = end.warning_at(at - days * DAY);
            match expected {
                None => assert_eq!(warning, None, "{days}"),
                Some(expected) => {
                    assert!(warning.as_ref().is_some_and(|text| text.contains(expected)), "{days}: {warning:?}")
                }
            }
        }
    }
}
