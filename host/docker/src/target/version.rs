//! Versions of the Engine API, compared as the daemon compares them: number by number.

use std::fmt;
use std::str::FromStr;

/// A version in one spelling: `1.044` and `1.44.0` are `1.44`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion {
    numbers: [u64; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a version such as `1.44`")]
pub struct NotAVersion;

// === impl ApiVersion ===

impl ApiVersion {
    pub const fn new(major: u64, minor: u64) -> Self {
        Self { numbers: [major, minor, 0, 0] }
    }
}

impl FromStr for ApiVersion {
    type Err = NotAVersion;

    /// Digits and dots; what stands between two dots counts as 0, as in the daemon.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| match digits {
            "" => Ok(0),
            _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().map_err(|_| NotAVersion),
            _ => Err(NotAVersion),
        };
        if text.is_empty() {
            return Err(NotAVersion);
        }
        let mut numbers = [0; 4];
        let mut places = numbers.iter_mut();
        for digits in text.split('.') {
            let number = number(digits)?;
            match places.next() {
                Some(place) => *place = number,
                None if number == 0 => {}
                None => return Err(NotAVersion),
            }
        }
        Ok(Self { numbers })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, rest @ ..] = self.numbers;
        write!(f, "{major}.{minor}")?;
        match rest {
            [0, 0] => Ok(()),
            [third, 0] => write!(f, ".{third}"),
            [third, fourth] => write!(f, ".{third}.{fourth}"),
        }
    }
}
