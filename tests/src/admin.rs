//! The admin API by TCP: who asks there, and with what.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sha2::{Digest as _, Sha256};

use crate::error::{Doing, Error, Result};
use crate::http::{Answer, Connection, Stream};
use crate::log::Log;
use crate::portcullis::Portcullis;
use crate::tls::Authority;

const READ_TIMEOUT: Duration = Duration::from_secs(60);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Where a host answers by TCP, and how somebody connects there.
#[derive(Clone, Debug)]
pub struct Door {
    pub address: SocketAddr,
    authority: PathBuf,
    /// A folder with `cert.pem` and `key.pem`.
    certificate: Option<PathBuf>,
    from: IpAddr,
    name: String,
}

/// `[admin]` with a certificate of this authority; more tables may follow.
pub fn listen(authority: &Authority) -> String {
    let (certificate, key) = (authority.path().join("server.pem"), authority.path().join("server.key"));
    format!("[admin]\nlisten = \"127.0.0.1:0\"\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

/// The same, and callers' certificates of this authority are taken.
pub fn listen_to_clients(authority: &Authority) -> String {
    format!("{}client_ca = {:?}\n", listen(authority), authority.path().join("ca.pem"))
}

/// `[[admin.token]]`
pub fn token(name: &str, token: &str, scopes: &[&str], tenant: Option<&str>) -> String {
    let hash: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
    let tenant = tenant.map(|tenant| format!("tenant = {tenant:?}\n")).unwrap_or_default();
    format!("[[admin.token]]\nname = {name:?}\nsha256 = {hash:?}\nscopes = {scopes:?}\n{tenant}")
}

// === impl Door ===

impl Door {
    /// The host's, for callers that trust this authority.
    pub fn of(host: &Portcullis, authority: &Authority) -> Result<Self> {
        let line = host
            .wait_for(Log::START, "the admin API listens", |record| record.message() == "the admin API is listening")?;
        let address = line.text("address");
        let address = address.parse().map_err(|_| Error::Unexpected(format!("`{address}` is no address")))?;
        let authority = authority.path().join("ca.pem");
        Ok(Self { address, authority, certificate: None, from: HERE, name: "127.0.0.1".to_owned() })
    }

    /// The same, with a certificate of the caller's.
    #[must_use]
    pub fn showing(&self, folder: &Path) -> Self {
        Self { certificate: Some(folder.to_owned()), ..self.clone() }
    }

    /// The same, from another address of this machine's.
    #[must_use]
    pub fn from(&self, from: IpAddr) -> Self {
        Self { from, ..self.clone() }
    }

    /// The same, where this host is asked for.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A connection on which nothing was said yet.
    pub fn knock(&self) -> Result<TcpStream> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing("starting a runtime")?;
        let connecting = async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind((self.from, 0).into())?;
            socket.connect(self.address).await?.into_std()
        };
        let stream = runtime.block_on(connecting).doing("connecting to the admin API")?;
        stream.set_nodelay(true).doing("setting a socket's mode")?;
        stream.set_nonblocking(false).doing("setting a socket's mode")?;
        stream.set_read_timeout(Some(READ_TIMEOUT)).doing("setting a timeout")?;
        stream.set_write_timeout(Some(READ_TIMEOUT)).doing("setting a timeout")?;
        Ok(stream)
    }

    /// A connection with TLS agreed on, as far as the caller can tell.
    pub fn connect(&self) -> Result<Connection> {
        let name = ServerName::try_from(self.name.clone()).map_err(|error| Error::Unexpected(error.to_string()))?;
        let tls = ClientConnection::new(Arc::new(self.tls()?), name);
        let mut tls = StreamOwned::new(tls.map_err(|error| Error::Unexpected(error.to_string()))?, self.knock()?);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).doing("agreeing on TLS")?;
        }
        Ok(Connection::over(tls))
    }

    /// Sends these bytes on a new connection and reads one answer.
    pub fn send(&self, bytes: &[u8]) -> Result<Answer> {
        let mut connection = self.connect()?;
        connection.write(bytes)?;
        connection.read()
    }

    fn tls(&self) -> Result<ClientConfig> {
        let bad = |error: &dyn std::fmt::Display| Error::Unexpected(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            roots.add(certificate).map_err(|error| bad(&error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| bad(&error))?;
        let builder = builder.with_root_certificates(roots);
        let Some(folder) = &self.certificate else { return Ok(builder.with_no_client_auth()) };
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).map_err(|error| bad(&error))?;
        builder.with_client_auth_cert(certificates(&folder.join("cert.pem"))?, key).map_err(|error| bad(&error))
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn finish(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.conn.complete_io(&mut self.sock)?;
        self.sock.shutdown(std::net::Shutdown::Write)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    read.map_err(|error| Error::Unexpected(format!("{}: {error}", path.display())))
}
