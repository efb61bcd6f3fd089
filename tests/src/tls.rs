//! Certificates for dockerd and for its callers, made with the `openssl` command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::artifacts;
use crate::command::Finished;
use crate::error::{Doing, Result};
use crate::scratch::Scratch;

const SERVER: &str = "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n";
const CLIENT: &str = "extendedKeyUsage=clientAuth\n";
/// What `openssl ca` needs to know, which alone can say when a certificate was good.
const CA_CONFIG: &str = "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n\
                         rand_serial=yes\nunique_subject=no\n[p]\ncommonName=supplied\n";

/// A certificate authority, with a server certificate for 127.0.0.1.
#[derive(Debug)]
pub struct Authority {
    scratch: Scratch,
}

// === impl Authority ===

impl Authority {
    pub fn new() -> Result<Self> {
        artifacts::installed("openssl")?;
        let authority = Self { scratch: Scratch::new()? };
        let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        authority.openssl(&[&key[..], &["-subj", "/CN=throwaway", "-keyout", "ca.key", "-out", "ca.pem"]].concat())?;
        authority.sign("server", "/CN=localhost", SERVER)?;
        Ok(authority)
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A folder with `ca.pem`, `cert.pem` and `key.pem`, as `DOCKER_CERT_PATH` wants it, for a caller of this subject
    /// (`/O=ops/CN=alice`).
    pub fn client(&self, subject: &str) -> Result<PathBuf> {
        let name = subject.replace(['/', '=', ' '], "_");
        let folder = self.scratch.folder(&format!("client{name}"))?;
        self.sign(&name, subject, CLIENT)?;
        self.fill(&name, &folder)?;
        Ok(folder)
    }

    /// The same for one whose time was in the year 2020.
    pub fn expired_client(&self, subject: &str) -> Result<PathBuf> {
        self.sign_expired("expired-client", subject, CLIENT)?;
        let folder = self.scratch.folder("expired-client")?;
        self.fill("expired-client", &folder)?;
        Ok(folder)
    }

    /// A folder like a caller's, with a server certificate whose time was in the year 2020.
    pub fn expired_server(&self) -> Result<PathBuf> {
        self.sign_expired("expired-server", "/CN=localhost", SERVER)?;
        let folder = self.scratch.folder("expired-server")?;
        self.fill("expired-server", &folder)?;
        Ok(folder)
    }

    fn sign_expired(&self, name: &str, subject: &str, extensions: &str) -> Result<()> {
        self.sign(name, subject, extensions)?;
        for (file, text) in [("ca.cnf", CA_CONFIG), ("index.txt", "")] {
            let path = self.path().join(file);
            fs::write(&path, text).doing_to("writing", &path)?;
        }
        let (request, certificate, config) = (format!("{name}.csr"), format!("{name}.pem"), format!("{name}.ext"));
        let authority = ["ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-notext"];
        let time = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
        self.openssl(&[&authority[..], &time, &["-extfile", &config, "-in", &request, "-out", &certificate]].concat())
    }

    fn fill(&self, name: &str, folder: &Path) -> Result<()> {
        let files =
            [("ca.pem".to_owned(), "ca.pem"), (format!("{name}.pem"), "cert.pem"), (format!("{name}.key"), "key.pem")];
        for (from, to) in files {
            fs::copy(self.path().join(from), folder.join(to)).doing_to("filling", folder)?;
        }
        Ok(())
    }

    /// A caller's certificate as PEM, as dockerd shows it to a plugin; `alternative_names` as openssl has them
    /// (`URI:spiffe://example/ci,DNS:ci.example`).
    pub fn certificate(&self, subject: &str, alternative_names: &str) -> Result<String> {
        let extensions = match alternative_names {
            "" => String::new(),
            names => format!("subjectAltName={names}\n"),
        };
        self.sign("shown", subject, &extensions)?;
        let path = self.path().join("shown.pem");
        fs::read_to_string(&path).doing_to("reading", &path)
    }

    fn sign(&self, name: &str, subject: &str, extensions: &str) -> Result<()> {
        let file = |extension: &str| format!("{name}.{extension}");
        let (key, request, certificate, config) = (file("key"), file("csr"), file("pem"), file("ext"));
        let path = self.path().join(&config);
        fs::write(&path, extensions).doing_to("writing", &path)?;
        let new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject];
        self.openssl(&[&new[..], &["-keyout", &key, "-out", &request]].concat())?;
        let sign =
            ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        self.openssl(&[&sign[..], &["-extfile", &config, "-out", &certificate]].concat())
    }

    fn openssl(&self, arguments: &[&str]) -> Result<()> {
        Finished::well(Command::new("openssl").args(arguments).current_dir(self.path())).map(drop)
    }
}
