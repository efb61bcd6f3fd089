//! One file for each subcommand.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod data;
pub(crate) mod decide;
pub(crate) mod explain;
pub(crate) mod logs;
pub(crate) mod policy;
mod policy_config;
pub(crate) mod ready;
pub(crate) mod reload;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod version;
pub(crate) mod why;

use std::io::Read;
use std::path::{Path, PathBuf};

use portcullis_config::{Config, Problems};

use crate::exit::{Exit, fail};
use crate::out::note;

/// Reads the configuration, or says everything that is wrong with it.
pub(crate) fn read_config(dir: &Path) -> Result<Config, Exit> {
    checked(Config::read(dir))
}

/// Where the host of a folder answers, whatever else is wrong in the folder.
pub(crate) fn admin_socket(dir: &Path) -> Result<PathBuf, Exit> {
    Config::read_admin_socket(dir).map_err(|problems| {
        fail(Exit::Usage, format_args!("{problems}\nportcullis: or `--admin-socket` says where the host answers"))
    })
}

/// Says everything that is wrong with a configuration.
pub(crate) fn checked(config: Result<Config, Problems>) -> Result<Config, Exit> {
    config.map_err(|problems| {
        let count = problems.0.len();
        let mistakes = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
        note!("{problems}");
        fail(Exit::Usage, format_args!("{mistakes} in the configuration; nothing was started"))
    })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| fail(Exit::Failed, format_args!("no runtime: {error}")))
}

/// A captured call; `-` is stdin.
fn read_request(path: &Path) -> Result<Vec<u8>, Exit> {
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    bytes.map_err(|error| fail(Exit::Failed, format_args!("{}: {error}", path.display())))
}
