//! The releases of Docker that Portcullis is tested with: the installed one, and newer ones below the target folder.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use crate::artifacts;
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Release {
    /// Of Debian 12, and installed.
    #[default]
    #[serde(rename = "20.10")]
    V20_10,
    /// Of Debian 13.
    #[serde(rename = "26.1")]
    V26_1,
    /// Of Debian's unstable suite.
    #[serde(rename = "28.5")]
    V28_5,
}

/// Makes a test of each release, `NAME::docker_RELEASE`, that calls a function of the file with it.
#[macro_export]
macro_rules! for_each_release {
    ($name:ident, $play:ident) => {
        mod $name {
            use $crate::{Release, Result};

            #[test]
            fn docker_20_10() -> Result<()> {
                super::$play(Release::V20_10)
            }

            #[test]
            fn docker_26_1() -> Result<()> {
                super::$play(Release::V26_1)
            }

            #[test]
            fn docker_28_5() -> Result<()> {
                super::$play(Release::V28_5)
            }
        }
    };
}

// === impl Release ===

impl Release {
    pub const ALL: [Self; 3] = [Self::V20_10, Self::V26_1, Self::V28_5];

    pub fn name(self) -> &'static str {
        match self {
            Self::V20_10 => "20.10",
            Self::V26_1 => "26.1",
            Self::V28_5 => "28.5",
        }
    }

    pub(crate) fn dockerd(self) -> Result<PathBuf> {
        match self {
            Self::V20_10 => artifacts::installed("dockerd"),
            Self::V26_1 | Self::V28_5 => artifacts::docker(self.name(), "usr/sbin/dockerd"),
        }
    }

    /// A plugin of the `docker` command, of the newest release.
    pub fn cli_plugin(name: &str) -> Result<PathBuf> {
        artifacts::docker(Self::V28_5.name(), &format!("usr/libexec/docker/cli-plugins/{name}"))
    }

    /// The `PATH` on which this dockerd finds what it starts: its own `docker-proxy` and `docker-init`, and the containerd and
    /// runc that are installed.
    pub(crate) fn programs(self) -> Result<OsString> {
        let dockerd = self.dockerd()?;
        let usr = dockerd.parent().and_then(Path::parent).unwrap_or(Path::new("/usr"));
        let own = [usr.join("sbin"), usr.join("bin")];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = own.into_iter().chain(std::env::split_paths(&path)).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
        std::env::join_paths(all).map_err(|error| Error::Unexpected(format!("`PATH`: {error}")))
    }
}

impl FromStr for Release {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|release| release.name() == name);
        found.ok_or_else(|| Error::Unexpected(format!("expected a release of Docker ({known}), and not `{name}`")))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Docker {}", self.name())
    }
}
