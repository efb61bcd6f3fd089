//! The request target, read once as the daemon reads it.
//!
//! The plugin is shown the raw target. Go's `net/url` takes a scheme and host off it and decodes the path once; gorilla/mux
//! answers an unclean path with a redirect and routes the rest; `url.ParseQuery` decodes the query. What the daemon
//! would not carry out is refused here.

#[cfg(test)]
mod tests;
mod version;

use std::borrow::Cow;

pub use self::version::{ApiVersion, NotAVersion};

/// A target in the parts that the daemon uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Decoded, without version.
    pub path: String,
    /// None where the path has none; the daemon then takes its newest.
    pub version: Option<ApiVersion>,
    /// Decoded, in the order of the call.
    pub query: Vec<(String, String)>,
}

/// Why the daemon would not carry out a target, or why what a plugin is shown does not tell what it would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("it is neither a path nor an absolute URL")]
    NotAPath,
    #[error("`%` is not followed by two hexadecimal digits")]
    Escape,
    #[error("a control character stands in it")]
    Control,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("the path has empty segments, `.` or `..`")]
    Unclean,
    #[error("the version is none that a daemon has")]
    Version,
    #[error("`;` stands in the query")]
    Semicolon,
}

// === impl Target ===

impl Target {
    pub fn parse(uri: &str) -> Result<Self, TargetError> {
        // The daemon's JSON encoder writes U+FFFD for what is not UTF-8: the target is not what was sent.
        if uri.contains(char::REPLACEMENT_CHARACTER) {
            return Err(TargetError::NotUtf8);
        }
        if uri.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(TargetError::Control);
        }
        let (before, query) = uri.split_once('?').unwrap_or((uri, ""));
        let path = unescape(path_of(before)?, Plus::Stays)?;
        if path.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(TargetError::Control);
        }
        if !is_clean(&path) {
            return Err(TargetError::Unclean);
        }
        let (version, path) = match split_version(&path) {
            Some((version, path)) => {
                (Some(version.parse().map_err(|NotAVersion| TargetError::Version)?), path.to_owned())
            }
            None => (None, path.into_owned()),
        };
        Ok(Self { path, version, query: parse_query(query)? })
    }
}

/// The path of a target: all of it, or what follows the host of an absolute URL.
fn path_of(target: &str) -> Result<&str, TargetError> {
    if target.starts_with('/') {
        return Ok(target);
    }
    let (scheme, rest) = target.split_once("://").ok_or(TargetError::NotAPath)?;
    let mut characters = scheme.chars();
    let is_scheme = characters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && characters.all(|other| other.is_ascii_alphanumeric() || matches!(other, '+' | '-' | '.'));
    if !is_scheme {
        return Err(TargetError::NotAPath);
    }
    let (authority, path) = rest.split_at(rest.find('/').ok_or(TargetError::Unclean)?);
    if is_authority(authority) { Ok(path) } else { Err(TargetError::NotAPath) }
}

/// A host and maybe a port. Go takes more, but no client of Docker sends any.
fn is_authority(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether gorilla/mux's `cleanPath` leaves it as it is: one trailing slash may stand.
fn is_clean(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    path == "/" || rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// `/v1.44/info` is `1.44` and `/info`.
fn split_version(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v")?;
    let (version, path) = rest.split_at_checked(rest.find('/')?)?;
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_version.then_some((version, path))
}

fn parse_query(query: &str) -> Result<Vec<(String, String)>, TargetError> {
    if query.contains(';') {
        return Err(TargetError::Semicolon);
    }
    let decode = |text| unescape(text, Plus::IsSpace).map(Cow::into_owned);
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Stays,
    IsSpace,
}

/// Percent-decodes once.
fn unescape(text: &str, plus: Plus) -> Result<Cow<'_, str>, TargetError> {
    if !text.contains('%') && (plus == Plus::Stays || !text.contains('+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next())? << 4 | hex_digit(bytes.next())?,
            b'+' if plus == Plus::IsSpace => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| TargetError::NotUtf8)
}

fn hex_digit(byte: Option<u8>) -> Result<u8, TargetError> {
    let digit = byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(TargetError::Escape)?;
    Ok(digit as u8)
}
