//! `[admin]`: where the host answers by TCP, and who may ask there.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_model::TenantName;
use toml::de::DeValue;

use crate::reader::Table;
use crate::setting::Setting;

/// The admin API by TCP, always with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminListener {
    pub listen: SocketAddr,
    pub files: TlsFiles,
    pub tokens: Vec<Token>,
    pub clients: Vec<Client>,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The host's own certificate, and those between it and its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Whose certificates callers may show.
    pub client_ca: Option<PathBuf>,
}

/// Who holds a bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub sha256: [u8; 32],
    pub rights: Arc<Rights>,
}

/// Who holds a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub proof: Proof,
    pub rights: Arc<Rights>,
}

/// By what a certificate is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// SHA-256 of the certificate, as DER.
    Fingerprint([u8; 32]),
    CommonName(String),
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// For the log.
    pub name: String,
    pub scopes: Vec<Scope>,
    /// The one tenant for which; none is the host and every tenant.
    pub tenant: Option<TenantName>,
}

/// What somebody may do with the admin API, and what a call to it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Looks at anything.
    Read,
    /// Changes documents.
    Data,
    /// Changes policies, their settings, and what they keep.
    Policies,
}

type Line = Option<usize>;

pub(crate) fn read(file: &mut Table<'_, '_, '_>) -> Option<AdminListener> {
    let line = file.line_of("admin");
    file.table("admin", |table| listener(table, line)).flatten()
}

fn listener(table: &mut Table<'_, '_, '_>, line: Line) -> Option<AdminListener> {
    let listen = needed(table, "listen", line, "say where to listen, such as `listen = \"0.0.0.0:9443\"`");
    let certificate = needed(table, "certificate", line, "name the PEM file; there is no listening without TLS");
    let key = needed(table, "key", line, "name the PEM file of the certificate's private key");
    let client_ca = table.get::<PathBuf>("client_ca");
    let is_said = ["token", "client"].map(|key| table.line_of(key).is_some());
    let (tokens, clients) = (tokens(table), clients(table));
    match (is_said, table.line_of("client_ca").is_some()) {
        ([false, false], _) => table.problem(
            line,
            "`[admin]` has no `[[admin.token]]` and no `[[admin.client]]`, so nobody could use it",
            "`portcullis token --name NAME --scope read` makes a token, and says what to write here",
        ),
        ([_, true], false) => table.problem(
            line,
            "`[[admin.client]]` needs `[admin] client_ca`, without which no certificate is taken",
            "name the PEM file of the authority that issues the callers' certificates",
        ),
        ([true, false], true) => table.problem(
            line,
            "`[admin] client_ca` is there and no `[[admin.client]]`, so no certificate would allow anything",
            "say with `[[admin.client]]` who may do what, or leave `client_ca` out",
        ),
        ([_, true], true) | ([true, false], false) => {}
    }
    let files = TlsFiles { certificate: certificate?, key: key?, client_ca };
    Some(AdminListener { listen: listen?, files, tokens, clients })
}

fn tokens(table: &mut Table<'_, '_, '_>) -> Vec<Token> {
    let read = |table: &mut Table<'_, '_, '_>, line| {
        let name = needed(table, "name", line, "give it a name, by which the log tells whose calls are whose");
        let sha256 = needed::<Sha256Hex>(table, "sha256", line, "`portcullis token` prints it; never the token itself");
        let rights = rights(table, line, name.unwrap_or_default());
        (Token { sha256: sha256.map(|hash| hash.0).unwrap_or_default(), rights }, line)
    };
    let mut seen: Vec<Token> = Vec::new();
    for (token, line) in table.tables("token", read).unwrap_or_default() {
        if seen.iter().any(|other| other.sha256 == token.sha256 && other.sha256 != [0; 32]) {
            table.problem(line, "two tokens have the same `sha256`", "make a token for each with `portcullis token`");
        }
        unique(table, line, seen.iter().map(|other| &other.rights), &token.rights);
        seen.push(token);
    }
    seen
}

fn clients(table: &mut Table<'_, '_, '_>) -> Vec<Client> {
    let read = |table: &mut Table<'_, '_, '_>, line| {
        let fingerprint = table.get::<Sha256Hex>("fingerprint");
        let common_name = table.get_checked("common_name", not_empty);
        let said = ["fingerprint", "common_name"].map(|key| table.line_of(key).is_some());
        if said[0] == said[1] {
            let what = "`[[admin.client]]` needs one of `fingerprint` and `common_name`";
            table.problem(line, what, "`openssl x509 -noout -fingerprint -sha256 -in FILE` prints the fingerprint");
        }
        let shown = common_name.clone().or_else(|| fingerprint.map(|print| print.short())).unwrap_or_default();
        let name = table.get_checked("name", not_empty).unwrap_or(shown);
        let proof = fingerprint.map(|print| Proof::Fingerprint(print.0)).or(common_name.map(Proof::CommonName));
        let rights = rights(table, line, name);
        proof.map(|proof| (Client { proof, rights }, line))
    };
    let mut seen: Vec<Client> = Vec::new();
    for (client, line) in table.tables("client", read).unwrap_or_default().into_iter().flatten() {
        if seen.iter().any(|other| other.proof == client.proof) {
            table.problem(line, "two `[[admin.client]]` name the same certificate", "write all its scopes into one");
        }
        unique(table, line, seen.iter().map(|other| &other.rights), &client.rights);
        seen.push(client);
    }
    seen
}

fn rights(table: &mut Table<'_, '_, '_>, line: Line, name: String) -> Arc<Rights> {
    let scopes = needed::<Vec<Scope>>(table, "scopes", line, "say what it may do, such as `scopes = [\"read\"]`");
    if scopes.as_ref().is_some_and(Vec::is_empty) {
        let at = table.line_of("scopes");
        table.problem(
            at,
            "`scopes` is empty, so it could do nothing",
            format!("{}, or leave the table out", Scope::EXPECTED),
        );
    }
    Arc::new(Rights { name, scopes: scopes.unwrap_or_default(), tenant: table.get("tenant") })
}

/// The log tells people apart by their names.
fn unique<'r>(
    table: &mut Table<'_, '_, '_>,
    line: Line,
    mut seen: impl Iterator<Item = &'r Arc<Rights>>,
    rights: &Rights,
) {
    if !rights.name.is_empty() && seen.any(|other| other.name == rights.name) {
        let what = format!("two entries have the name `{}`", rights.name);
        table.problem(line, what, "give each a `name` of its own: the log tells them apart by it");
    }
}

/// A key that must be there.
fn needed<T: Setting>(table: &mut Table<'_, '_, '_>, key: &'static str, line: Line, help: &str) -> Option<T> {
    let value = table.get(key);
    if table.line_of(key).is_none() {
        table.problem(line, format!("`{key}` is missing"), help);
    }
    value
}

#[expect(clippy::ptr_arg, reason = "`get_checked` hands over what it read")]
fn not_empty(text: &String) -> Result<(), (String, String)> {
    if text.is_empty() { Err(("is empty".into(), "write a name".into())) } else { Ok(()) }
}

// === impl Scope ===

impl Scope {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Data, Self::Policies];

    /// As `scopes` in `portcullis.toml` says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Data => "data",
            Self::Policies => "policies",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// 64 hex digits, with or without colons.
#[derive(Clone, Copy)]
struct Sha256Hex([u8; 32]);

// === impl Sha256Hex ===

impl Sha256Hex {
    fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = <[u8; 2]>::try_from(pair).ok()?.map(|digit| char::from(digit).to_digit(16));
            *byte = u8::try_from(high? << 4 | low?).ok()?;
        }
        Some(Self(hash))
    }

    /// Enough of it to know one.
    fn short(self) -> String {
        self.0.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Setting for Sha256Hex {
    const EXPECTED: &str = "expected a SHA-256 as 64 hex digits in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        // Not repeated: somebody may have put the token itself here.
        Self::parse(&text)
            .ok_or_else(|| format!("is no SHA-256: it has {} characters, or others than 0-9 and a-f", text.len()))
    }
}

impl Setting for Scope {
    const EXPECTED: &str = "expected \"read\", \"data\" or \"policies\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| format!("is `{text}`, which is not a scope"))
    }
}

#[cfg(test)]
mod tests;
