//! A host that is reached by TCP, with TLS always.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::Uri;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::args;

/// Where Debian and its kin keep the authorities that the system trusts.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The token itself; an argument could be read by every user of the machine.
const TOKEN: &str = "PORTCULLIS_ADMIN_TOKEN";

pub(crate) struct Remote {
    /// As the `Host` header has it: with the port.
    authority: String,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    authorities: PathBuf,
    token: Option<String>,
}

// === impl Remote ===

impl Remote {
    /// None where no URL is given.
    pub(crate) fn of(args: &args::Remote) -> Result<Option<Self>, String> {
        let Some(url) = &args.admin_url else { return Ok(None) };
        let (authority, name) = place(url)?;
        let authorities = args.admin_ca.clone().unwrap_or_else(|| SYSTEM_AUTHORITIES.into());
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let builder = builder.with_root_certificates(roots(&authorities, args.admin_ca.is_some())?);
        let mut tls = match (&args.admin_cert, &args.admin_key) {
            (Some(certificate), Some(key)) => {
                let (chain, private) = (certificates(certificate)?, private_key(key)?);
                let unusable =
                    |error| format!("{}: cannot be used with {}: {error}", key.display(), certificate.display());
                builder.with_client_auth_cert(chain, private).map_err(unusable)?
            }
            _ => builder.with_no_client_auth(),
        };
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self {
            authority,
            name,
            tls: Arc::new(tls),
            authorities,
            token: token(args.admin_token_file.as_deref())?,
        }))
    }

    pub(crate) fn host(&self) -> &str {
        &self.authority
    }

    pub(crate) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>, String> {
        let reached = TcpStream::connect(&self.authority).await;
        let stream = reached.map_err(|error| format!("the host cannot be reached: {error}"))?;
        // What is sent after the handshake need not wait for it to be acknowledged.
        let _ = stream.set_nodelay(true);
        let connected = TlsConnector::from(Arc::clone(&self.tls)).connect(self.name.clone(), stream).await;
        connected.map_err(|error| self.refused(&error))
    }

    /// Why there is no TLS with this host.
    fn refused(&self, error: &std::io::Error) -> String {
        let Some(rustls::Error::InvalidCertificate(problem)) = tls_error(error) else { return broken(error) };
        let (name, authorities) = (self.name.to_str(), self.authorities.display());
        use CertificateError as Problem;
        if matches!(problem, Problem::UnknownIssuer | Problem::BadSignature) {
            format!(
                "the host's certificate is not from an authority in `{authorities}`\n  \
                 help: `--admin-ca` names the one that is meant"
            )
        } else if matches!(problem, Problem::Expired | Problem::ExpiredContext { .. }) {
            "the host's certificate has expired\n  help: renew what `[admin] certificate` of the host names, and \
             `portcullis reload` there"
                .to_owned()
        } else if matches!(problem, Problem::NotValidYet | Problem::NotValidYetContext { .. }) {
            "the host's certificate is not valid yet; are the clocks of both machines right?".to_owned()
        } else if matches!(problem, Problem::NotValidForName | Problem::NotValidForNameContext { .. }) {
            format!("the host's certificate is not for `{name}`\n  help: `--admin-url` must have a name that it is for")
        } else {
            format!("the host's certificate is refused: {problem}")
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority)
    }
}

/// Why a connection ended before there was an answer. What a host says of a client certificate comes with TLS 1.3 only
/// then.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> String {
    let Some(rustls::Error::AlertReceived(alert)) = tls_error(error) else {
        return format!("the connection broke: {}", deepest(error));
    };
    use AlertDescription as Alert;
    let help = "`--admin-cert` and `--admin-key` name the client's";
    if *alert == Alert::CertificateExpired {
        format!("the host says that the client's certificate has expired; {help}")
    } else if matches!(alert, Alert::UnknownCA | Alert::DecryptError) {
        format!("the host does not take certificates of this authority; {help}")
    } else if matches!(alert, Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate) {
        format!("the host refuses the client's certificate ({alert:?}); {help}")
    } else {
        format!("the host ended TLS: {alert:?}")
    }
}

/// What rustls says, however deep it is.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(error);
        }
        // The source of an I/O error is that of what it holds, and not what it holds.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = held.map(|held| held as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

fn deepest<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest
}

/// Host and port of a URL, and the name that the certificate must have.
fn place(url: &str) -> Result<(String, ServerName<'static>), String> {
    let wrong = || format!("`--admin-url` is `{url}`\n  help: expected `https://HOST:PORT`, without a path");
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    let is_whole = uri.scheme_str() == Some("https") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    if !is_whole {
        return Err(wrong());
    }
    let (host, port) = (authority.host(), authority.port_u16().unwrap_or(443));
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| wrong())?;
    Ok((format!("{host}:{port}"), name))
}

fn roots(path: &Path, is_named: bool) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let read = certificates(path);
    let read = if is_named {
        read
    } else {
        read.map_err(|error| format!("{error}\n  help: `--admin-ca` names the host's authority"))
    };
    let (added, _) = roots.add_parsable_certificates(read?);
    if added == 0 {
        return Err(format!("{}: holds no certificate of an authority", path.display()));
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| format!("{}: cannot be read as PEM: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!("{}: holds no certificate (`-----BEGIN CERTIFICATE-----`)", path.display()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let without = |error| format!("{}: holds no private key without a password: {error}", path.display());
    PrivateKeyDer::from_pem_slice(&bytes).map_err(without)
}

/// From the file, or else the environment.
fn token(file: Option<&Path>) -> Result<Option<String>, String> {
    let (text, whence) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            (text, path.display().to_string())
        }
        None => match std::env::var(TOKEN) {
            Ok(text) => (text, TOKEN.to_owned()),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => return Err(format!("{TOKEN}: is not UTF-8 text")),
        },
    };
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{whence}: holds no token: expected one word, as `portcullis token` makes it"));
    }
    Ok(Some(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_port() {
        let cases = [
            ("https://admin.example:9443", Some("admin.example:9443")),
            ("https://admin.example", Some("admin.example:443")),
            ("https://192.0.2.1:9443/", Some("192.0.2.1:9443")),
            ("https://[2001:db8::1]:9443", Some("[2001:db8::1]:9443")),
            ("http://admin.example:9443", None),
            ("admin.example:9443", None),
            ("https://user@admin.example", None),
            ("https://admin.example/v1", None),
            ("https://admin.example/?x", None),
            ("https://", None),
            ("", None),
        ];
        for (url, expected) in cases {
            let found = place(url);
            assert_eq!(found.as_ref().map(|(authority, _)| authority.as_str()).ok(), expected, "{url}");
            assert!(found.is_ok() || found.is_err_and(|error| error.contains("expected `https://HOST:PORT`")), "{url}");
        }
    }

    #[test]
    fn what_rustls_says_is_found_in_what_holds_it() {
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
        let nested = std::io::Error::other(std::io::Error::other(alert));
        assert!(broken(&nested).contains("has expired"), "{}", broken(&nested));
        assert_eq!(broken(&std::io::Error::other("reset")), "the connection broke: reset");
    }
}
