//! The certificate that the host shows by TCP, and those that it takes.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use portcullis_config::{Problems, TlsFiles};
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::end::End;

/// More than any certificate, chain or bundle of authorities.
const MAX_FILE: u64 = 4 << 20;
/// Of a key's file: whoever is neither its owner nor in its group.
const OTHERS: u32 = 0o007;

type Mistake = (String, &'static str);

/// What the files come to.
#[derive(Debug)]
pub struct Loaded {
    pub config: Arc<ServerConfig>,
    /// Of each file, when the first of its certificates ends.
    pub ends: Vec<End>,
}

/// Reads the files, or says everything that is wrong with them.
pub fn load(files: &TlsFiles) -> Result<Loaded, Problems> {
    let mut problems = Problems::default();
    let chain = message(certificates(&files.certificate, "certificate"), &files.certificate, &mut problems);
    let key = message(key(&files.key), &files.key, &mut problems);
    let roots = files.client_ca.as_ref().map(|path| message(authorities(path), path, &mut problems));
    if let (Some(chain), Some(key), None | Some(Some(_))) = (chain, key, &roots) {
        let ends = ends(files, &chain);
        match config(chain, key, roots.flatten()) {
            Ok(config) => return Ok(Loaded { config, ends }),
            Err((what, help)) => problems.add(&files.key, None, what, help),
        }
    }
    Err(problems)
}

fn message<T>(read: Result<T, Mistake>, path: &Path, problems: &mut Problems) -> Option<T> {
    read.map_err(|(what, help)| problems.add(path, None, what, help)).ok()
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: Option<RootCertStore>,
) -> Result<Arc<ServerConfig>, Mistake> {
    let provider = Arc::new(ring::default_provider());
    let unusable = |what: String| (what, "the certificate and its key are named by `[admin] certificate` and `key`");
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(error.to_string()))?;
    let builder = match roots {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            // Who shows none may still have a token.
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.allow_unauthenticated().build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        if matches!(error, rustls::Error::InconsistentKeys(_)) {
            let what = "does not fit the certificate of `[admin] certificate`".to_owned();
            return (what, "name the key with which that certificate was asked for");
        }
        unusable(format!("cannot be used with the certificate: {error}"))
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would bring a certificate that nobody looks at again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn certificates(path: &Path, key: &'static str) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let help = if key == "certificate" {
        "`[admin] certificate` names the host's certificate as PEM, with those between it and its authority"
    } else {
        "`[admin] client_ca` names the authority of the callers' certificates, as PEM"
    };
    let bytes = read(path, help)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| (not_pem(&error), help))?;
    if found.is_empty() {
        return Err(("holds no certificate (`-----BEGIN CERTIFICATE-----`)".to_owned(), help));
    }
    for certificate in &found {
        X509Certificate::from_der(certificate)
            .map_err(|error| (format!("holds a broken certificate: {error}"), help))?;
    }
    Ok(found)
}

fn authorities(path: &Path) -> Result<RootCertStore, Mistake> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "client_ca")? {
        let help = "`[admin] client_ca` names the authority of the callers' certificates, as PEM";
        roots
            .add(certificate)
            .map_err(|error| (format!("holds a certificate that is no authority's: {error}"), help))?;
    }
    Ok(roots)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Mistake> {
    let help = "`[admin] key` names the private key as PEM, without a password: \
                `openssl pkey -in KEY -out NEW` takes the password away";
    let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & OTHERS != 0) {
        return Err(("the key can be read or written by others".to_owned(), "`chmod 600` it, and make a new key"));
    }
    let bytes = read(path, help)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let is_absent = matches!(error, PemError::NoItemsFound);
        let what = if is_absent { "holds no private key that can be read".to_owned() } else { not_pem(&error) };
        (what, help)
    })
}

fn not_pem(error: &PemError) -> String {
    format!("cannot be read as PEM: {error}")
}

fn read(path: &Path, help: &'static str) -> Result<Vec<u8>, Mistake> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match read {
        Ok(count) if count as u64 > MAX_FILE => Err((format!("is larger than {MAX_FILE} bytes"), help)),
        Ok(_) => Ok(bytes),
        Err(error) => Err((format!("cannot be read: {error}"), help)),
    }
}

/// A certificate that is out of date is no reason not to guard the daemon.
fn ends(files: &TlsFiles, chain: &[CertificateDer<'_>]) -> Vec<End> {
    let own = End::first("certificate", &files.certificate, chain);
    let authorities = files.client_ca.as_ref().and_then(|path| {
        let found = certificates(path, "client_ca").ok()?;
        End::first("client_ca", path, &found)
    });
    own.into_iter().chain(authorities).collect()
}

#[cfg(test)]
mod tests;
