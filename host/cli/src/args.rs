//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

const ABOUT: &str = "Guards a Docker daemon with WebAssembly policies";

const LONG_ABOUT: &str = "\
Guards a Docker daemon with WebAssembly policies.

dockerd asks an authorization plugin about every call to its API. Portcullis is such a plugin: it asks policies, each a \
.wasm file in a sandbox of its own, and answers allow or deny. A policy file that is dropped into the folder is in force \
at once, with no restart and no call lost. When anything goes wrong, the answer is deny.";

const AFTER_HELP: &str = "\
Getting started:
  mkdir -p /etc/portcullis/policies && touch /etc/portcullis/portcullis.toml
  cp seccomp.wasm /etc/portcullis/policies/
  portcullis serve &
  echo '{\"authorization-plugins\": [\"portcullis\"]}' > /etc/docker/daemon.json   # then restart dockerd

Exit codes:
  0  done; of `decide`: allowed
  1  could not be done
  2  the command line or the configuration is wrong; nothing was started
  3  of `decide`: denied; of `explain`: refused by a host rule";

/// What the command line says.
#[derive(Debug, Parser)]
#[command(name = "portcullis", about = ABOUT, long_about = LONG_ABOUT, after_long_help = AFTER_HELP, version)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the plugin sockets, until SIGTERM; SIGHUP reads the folder again
    Serve(Serve),
    /// Say whether a file would load as a policy, and what it imports and exports
    Check(Check),
    /// Say what would be answered to a captured plugin call, without a daemon; what policies keep stays as it is
    Decide(Decide),
    /// Show a captured plugin call as policies see it, and which host rules refuse it
    Explain(Explain),
    /// Say what a running host has in force, what it has not and why, and what became of its calls
    Status(Status),
    /// Say which version this is, and of which contract and sandbox
    Version(Version),
}

/// The folder's layout is the same for every command that takes it.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigDir {
    /// The folder with portcullis.toml, policies/*.wasm (each with an optional NAME.toml), data/*.json and tenants/NAME
    #[arg(long, value_name = "DIR", default_value = "/etc/portcullis", env = "PORTCULLIS_CONFIG")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) dir: ConfigDir,
    /// How log lines are written: text on a terminal and JSON otherwise, unless said
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The policy: a component, or the core module that `cargo build --target wasm32-unknown-unknown` leaves
    #[arg(value_name = "FILE.wasm")]
    pub(crate) file: PathBuf,
    /// What it would be granted; without this, everything that a policy can be granted
    #[arg(long, value_name = "GRANT", value_delimiter = ',')]
    pub(crate) grant: Option<Vec<String>>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Decide {
    #[command(flatten)]
    pub(crate) dir: ConfigDir,
    /// The call, as dockerd posts it to /AuthZPlugin.AuthZReq; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// The listener that the call came in by, which can say whose it is; without this, the first one
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The folder whose portcullis.toml says which host rules hold; without it, all do
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// The call, as dockerd posts it to /AuthZPlugin.AuthZReq; `-` reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) request: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) host: Host,
    /// Only this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which running host is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Host {
    /// Where the host answers its operator; without this, what portcullis.toml of --config says
    #[arg(long, value_name = "PATH", env = "PORTCULLIS_ADMIN_SOCKET")]
    pub(crate) admin_socket: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dir: ConfigDir,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Version {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
