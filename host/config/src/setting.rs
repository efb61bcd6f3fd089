//! The types that a setting can have, each with what it looks like.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use portcullis_model::TenantName;
use toml::de::DeValue;

/// A value that can be read from TOML. An error continues the sentence that begins with the key's name.
pub(crate) trait Setting: Sized {
    const EXPECTED: &str;

    fn read(value: &DeValue<'_>) -> Result<Self, String>;
}

/// A number of bytes: `512KiB`, `6MiB`, `1GiB`, or a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes(pub(crate) u64);

/// A number that can be large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Count(pub(crate) u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

fn is_not(value: &DeValue<'_>) -> String {
    format!("is {}", article(value))
}

impl Setting for String {
    const EXPECTED: &str = "expected text in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| is_not(value))
    }
}

impl Setting for bool {
    const EXPECTED: &str = "expected `true` or `false`";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| is_not(value))
    }
}

impl Setting for i64 {
    const EXPECTED: &str = "expected a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let integer = value.as_integer().ok_or_else(|| is_not(value))?;
        let digits = integer.as_str().replace('_', "");
        Self::from_str_radix(&digits, integer.radix()).map_err(|_| "is too large a number".to_owned())
    }
}

impl Setting for u32 {
    const EXPECTED: &str = "expected a whole number from 0 to 4294967295";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        i64::read(value)?.try_into().map_err(|_| "is out of range".to_owned())
    }
}

impl Setting for Count {
    const EXPECTED: &str = "expected a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        i64::read(value)?.try_into().map(Self).map_err(|_| "is out of range".to_owned())
    }
}

impl Setting for PathBuf {
    const EXPECTED: &str = "expected an absolute path in quotes";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let path = Self::from(String::read(value)?);
        if path.is_absolute() { Ok(path) } else { Err(format!("is `{}`, which is not absolute", path.display())) }
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &str = "expected an address and a port, such as \"127.0.0.1:9443\" or \"[::1]:9443\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse().map_err(|_| format!("is `{text}`"))
    }
}

impl Setting for TenantName {
    const EXPECTED: &str = "expected a tenant's name, which is its folder's";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        Self::new(&String::read(value)?).map_err(|bad| format!("is wrong: {bad}"))
    }
}

impl Setting for Duration {
    const EXPECTED: &str = "expected a time such as \"20ms\", \"5s\", \"2m\" or \"7d\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        let (number, unit) = split(&text);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(format!("is `{text}`")),
        };
        let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds));
        number.map(Self::from_millis).ok_or_else(|| format!("is `{text}`"))
    }
}

impl Setting for Bytes {
    const EXPECTED: &str = "expected a size such as \"512KiB\", \"6MiB\" or \"1GiB\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        if value.is_integer() {
            return i64::read(value)?.try_into().map(Self).map_err(|_| "is out of range".to_owned());
        }
        let text = String::read(value)?;
        let (number, unit) = split(&text);
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return Err(format!("is `{text}`")),
        };
        let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
        number.map(Self).ok_or_else(|| format!("is `{text}`"))
    }
}

impl<T: Setting> Setting for Vec<T> {
    const EXPECTED: &str = "expected a list, `[…]`";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let items = value.as_array().ok_or_else(|| is_not(value))?;
        items
            .iter()
            .map(|item| T::read(item.get_ref()).map_err(|what| format!("has an item that {what} ({})", T::EXPECTED)))
            .collect()
    }
}

/// One text, or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Texts(pub(crate) Vec<String>);

impl Setting for Texts {
    const EXPECTED: &str = "expected text in quotes, or a list of such texts";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_str() {
            Some(text) => Ok(Self(vec![text.to_owned()])),
            None => Vec::read(value).map(Self),
        }
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

/// What a value is, in words.
pub(crate) fn article(value: &DeValue<'_>) -> String {
    match value.type_str() {
        kind @ ("integer" | "array") => format!("an {kind}"),
        kind => format!("a {kind}"),
    }
}
