//! What commands begin with: the configuration, where the host answers, and a runtime.

use std::path::{Path, PathBuf};

use portcullis_config::{Config, Problems};

use crate::exit::Exit;
use crate::out::{fail, note};

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
        note!("{problems}");
        fail(Exit::Usage, format_args!("{} in the configuration; nothing was started", problems.count()))
    })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| fail(Exit::Failed, format_args!("no runtime: {error}")))
}
