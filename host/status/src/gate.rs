//! The way in by TCP: the active certificate, and who is known. Read again at a reload.

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use portcullis_config::{AdminListener, Client, Config, Problems, Proof, Rights, Token};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tracing::{info, warn};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::end::End;
use crate::tls::{self, Loaded};

/// Who may come in by TCP, and how.
#[derive(Debug)]
pub struct Gate {
    pub listen: SocketAddr,
    keys: ArcSwap<Keys>,
}

#[derive(Debug)]
struct Keys {
    tls: Arc<ServerConfig>,
    ends: Vec<End>,
    tokens: Vec<Token>,
    clients: Vec<Client>,
}

/// What is known of a certificate that a caller proved to hold.
#[derive(Debug)]
pub struct Shown {
    fingerprint: [u8; 32],
    /// None where there is none, or more than one.
    common_name: Option<String>,
}

// === impl Gate ===

impl Gate {
    /// None where nothing is to listen.
    pub fn open(config: &Config) -> Result<Option<Arc<Self>>, Problems> {
        let Some(listener) = &config.admin else { return Ok(None) };
        let keys = ArcSwap::from_pointee(Keys::of(listener)?);
        Ok(Some(Arc::new(Self { listen: listener.listen, keys })))
    }

    /// What a new connection is met with.
    pub fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.keys.load().tls)
    }

    /// When certificates end.
    pub fn ends(&self) -> Vec<End> {
        self.keys.load().ends.clone()
    }

    /// Whose token this is. Each is compared to its end, whichever fits.
    pub fn holder(&self, token: &[u8]) -> Option<Arc<Rights>> {
        let hash = Sha256::digest(token);
        let keys = self.keys.load();
        let fits = |known: &&Token| bool::from(known.sha256.ct_eq(&hash));
        keys.tokens.iter().filter(fits).fold(None, |_, known| Some(Arc::clone(&known.rights)))
    }

    /// Whose certificate this is: by its fingerprint before by its name.
    pub fn client(&self, shown: &Shown) -> Option<Arc<Rights>> {
        let keys = self.keys.load();
        let by = |fits: &dyn Fn(&Proof) -> bool| keys.clients.iter().find(|client| fits(&client.proof));
        let by_print = by(&|proof| *proof == Proof::Fingerprint(shown.fingerprint));
        let by_name =
            || by(&|proof| matches!(proof, Proof::CommonName(name) if shown.common_name.as_ref() == Some(name)));
        by_print.or_else(by_name).map(|client| Arc::clone(&client.rights))
    }

    /// Takes certificates, tokens and clients; where something is wrong with them, what is active stays.
    pub fn take(&self, listener: Option<&AdminListener>) -> Result<(), Problems> {
        let keys = match listener {
            Some(listener) => Keys::of(listener)?,
            None => {
                warn!(address = %self.listen, "`[admin]` was removed: its address now refuses everybody, and closes at the next start");
                Keys { tls: self.tls(), ends: self.ends(), tokens: Vec::new(), clients: Vec::new() }
            }
        };
        self.keys.store(Arc::new(keys));
        info!("the admin API's certificates and callers were read again");
        Ok(())
    }
}

// === impl Keys ===

impl Keys {
    fn of(listener: &AdminListener) -> Result<Self, Problems> {
        let Loaded { config: tls, ends } = tls::load(&listener.files)?;
        ends.iter().filter_map(End::warning).for_each(|problem| warn!(problem, "a certificate ends soon"));
        Ok(Self { tls, ends, tokens: listener.tokens.clone(), clients: listener.clients.clone() })
    }
}

// === impl Shown ===

impl Shown {
    /// Of a certificate as DER.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let common_name = X509Certificate::from_der(certificate).ok().and_then(|(_, certificate)| {
            let mut names = certificate.subject().iter_common_name();
            let only = names.next().filter(|_| names.next().is_none())?;
            only.as_str().ok().map(str::to_owned)
        });
        Self { fingerprint: Sha256::digest(certificate).into(), common_name }
    }
}
