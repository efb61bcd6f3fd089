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
use std::path::Path;

use crate::exit::Exit;
use crate::out::fail;

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
