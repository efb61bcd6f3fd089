//! The command line.

mod data;
mod decisions;
mod policies;
mod state;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use portcullis_model::TenantName;

pub(crate) use self::data::*;
pub(crate) use self::decisions::*;
pub(crate) use self::policies::*;
pub(crate) use self::state::*;
use crate::help;

const ABOUT: &str = "Guards a Docker daemon with WebAssembly policies";

const LONG_ABOUT: &str = "\
Guards a Docker daemon with WebAssembly policies.

dockerd asks an authorization plugin about every call to its API. Portcullis is such a plugin: it asks policies, each a \
.wasm file in a sandbox of its own, and answers allow or deny. A policy file that is dropped into the folder is active \
at once, with no restart and no call lost. When anything goes wrong, the answer is deny.";

const AFTER_HELP: &str = "\
Getting started:
  mkdir -p /etc/portcullis/policies && touch /etc/portcullis/portcullis.toml
  cp seccomp.wasm /etc/portcullis/policies/
  portcullis serve &
  echo '{\"authorization-plugins\": [\"portcullis\"]}' > /etc/docker/daemon.json   # then restart dockerd

`portcullis help COMMAND` explains a command, with examples.

Exit codes:
  0  success; `decide`: allowed; `ready`: ready; `config check`: no mistake; `replay`: nothing would change
  1  failure: no host answers, nothing of that name, the host refused; `ready`: not ready; `reload`: something was refused;
     `check`: the file would not load
  2  the command line or the configuration is wrong; nothing was started; `config check`: at least one mistake
  3  `decide`: denied; `explain`: refused by a host rule; `replay`: something would change";

/// What the command line says.
#[derive(Debug, Parser)]
#[command(name = "portcullis", about = ABOUT, long_about = LONG_ABOUT, after_long_help = AFTER_HELP, version)]
#[command(max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the plugin sockets, until SIGTERM; SIGHUP reads the folder again
    #[command(after_long_help = help::SERVE)]
    Serve(Serve),
    /// Say whether a file would load as a policy, and what it imports and exports
    #[command(after_long_help = help::CHECK)]
    Check(Check),
    /// Say what is wrong with a folder, before a host is started or restarted with it
    #[command(subcommand)]
    #[command(after_long_help = help::CONFIG)]
    Config(Config),
    /// Say what would be answered to a call, by the policies of a folder or by a running host; nothing is changed
    #[command(after_long_help = help::DECIDE)]
    Decide(Decide),
    /// Show a captured plugin call as policies see it, and which host rules refuse it
    #[command(after_long_help = help::EXPLAIN)]
    Explain(Explain),
    /// Say what another configuration would have answered to the calls of a decision log, and what would change
    #[command(after_long_help = help::REPLAY)]
    Replay(Replay),
    /// Show decisions as they are made, or those of a log
    #[command(after_long_help = help::LOGS)]
    Logs(Logs),
    /// Explain one decision: who called what, which policies were asked, what they said, and why that gave the answer
    #[command(after_long_help = help::WHY)]
    Why(Why),
    /// Say what is active in a running host, what is not and why, and what became of its calls
    #[command(after_long_help = help::STATUS)]
    Status(Status),
    /// Say whether a running host decides calls as it should; the exit code is 1 if it does not
    #[command(after_long_help = help::READY)]
    Ready(Ready),
    /// List, fetch, put, configure and remove the policies of a running host
    #[command(subcommand)]
    #[command(after_long_help = help::POLICY)]
    Policy(Policy),
    /// Read and change the documents that policies of a running host decide with
    #[command(subcommand)]
    #[command(after_long_help = help::DATA)]
    Data(Data),
    /// List and clear what policies keep
    #[command(subcommand)]
    #[command(after_long_help = help::STATE)]
    State(State),
    /// Have a running host read everything again, trying what was broken; the exit code is 1 if it refuses something
    #[command(after_long_help = help::RELOAD)]
    Reload(Reload),
    /// Make a token for callers who ask a host by TCP, and say what to write into its portcullis.toml
    #[command(after_long_help = help::TOKEN)]
    Token(Token),
    /// Print what makes a shell complete commands, options and their values
    #[command(after_long_help = help::COMPLETIONS)]
    Completions(Completions),
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
    /// Take the place of the host that runs with this `admin_socket`, without a call being lost; start as usual if none runs
    #[arg(long)]
    pub(crate) take_over: bool,
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
    #[arg(from_global)]
    pub(crate) json: bool,
}

const DECIDE_AFTER_HELP: &str = "\
Examples:
  portcullis decide --user bob POST /v1.44/containers/create --body create.json
  portcullis decide --live --user bob --explain GET /v1.44/containers/json
  portcullis decide --live --tenant ci --request call.json

What policies keep is read and not changed, and the question does not appear in any statistics.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = DECIDE_AFTER_HELP)]
pub(crate) struct Decide {
    /// The call's method: GET, POST, …
    #[arg(value_name = "METHOD", requires = "path", required_unless_present = "request", conflicts_with = "request")]
    pub(crate) method: Option<String>,
    /// The call's path, with its query: /v1.44/containers/json?all=1
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// The caller's name, as a certificate would have it
    #[arg(long, value_name = "NAME", requires = "method")]
    pub(crate) user: Option<String>,
    /// A header of the call; may be given more than once
    #[arg(long, value_name = "NAME: VALUE", requires = "method")]
    pub(crate) header: Vec<String>,
    /// A certificate of the caller (PEM), its own first; may be given more than once
    #[arg(long, value_name = "FILE", requires = "method")]
    pub(crate) certificate: Vec<PathBuf>,
    /// The call's body (JSON); `-` reads it from stdin
    #[arg(long, value_name = "FILE", requires = "method")]
    pub(crate) body: Option<PathBuf>,
    /// The whole call instead: as dockerd posts it to /AuthZPlugin.AuthZReq, or described as for `POST /v1/decide`; `-`
    /// reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) request: Option<PathBuf>,
    /// Ask the running host at its admin socket; without this, what lies in the folder of --config is asked
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) host: Host,
    /// The listener that the call came in by, which can say whose it is; without this, the first one
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// Take the call for one of this tenant's, whoever makes it
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Show the call as policies see it, too
    #[arg(long)]
    pub(crate) explain: bool,
    #[arg(from_global)]
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
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) host: Host,
    /// Only this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ready {
    #[command(flatten)]
    pub(crate) host: Host,
    /// Ask again and again until the host is ready, for so many seconds in all; it need not run yet. Each question takes
    /// at most --timeout of that, and the last one a second at least
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    pub(crate) wait: u64,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) host: Host,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say everything that is wrong with a folder: portcullis.toml, certificates, tenants, policies with what lies beside
    /// them, data. Nothing is started, and no host is asked
    #[command(after_long_help = help::CONFIG)]
    Check(ConfigCheck),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigCheck {
    /// The folder; without it, that of --config
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dir: ConfigDir,
    #[arg(from_global)]
    pub(crate) json: bool,
}

/// Which running host is meant, and how it is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Host {
    /// Where the host answers its operator; without this, what portcullis.toml of --config says
    #[arg(long, value_name = "PATH", env = "PORTCULLIS_ADMIN_SOCKET")]
    pub(crate) admin_socket: Option<PathBuf>,
    /// Give up when the host has said nothing for so long; without this, 10 to 300 seconds, by what it is asked. While
    /// something of the answer comes, it does not count
    #[arg(long, value_name = "SECONDS", env = "PORTCULLIS_TIMEOUT", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: Option<u64>,
    #[command(flatten)]
    pub(crate) dir: ConfigDir,
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// A host that is reached by TCP, as its `[admin]` allows.
#[derive(Debug, clap::Args)]
pub(crate) struct Remote {
    /// Ask there, by TLS, and not at the unix socket: `https://HOST:PORT`, as [admin] of the host's portcullis.toml has it
    #[arg(long, value_name = "URL", env = "PORTCULLIS_ADMIN_URL")]
    pub(crate) admin_url: Option<String>,
    /// The authority of the host's certificate, as PEM; without this, those that the system trusts
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_ADMIN_CA")]
    pub(crate) admin_ca: Option<PathBuf>,
    /// A file with the token that says who asks; the environment variable PORTCULLIS_ADMIN_TOKEN can hold the token itself
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_ADMIN_TOKEN_FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// A client certificate that says who asks, as PEM
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_ADMIN_CERT", requires = "admin_key")]
    pub(crate) admin_cert: Option<PathBuf>,
    /// The key of the client certificate, as PEM
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_ADMIN_KEY", requires = "admin_cert")]
    pub(crate) admin_key: Option<PathBuf>,
}

/// What the token is to allow.
#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    /// Whose it is, for the log
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// What it may do: `read` looks at anything, `data` changes documents, `policies` changes policies and what they keep
    #[arg(long, value_name = "SCOPE", value_delimiter = ',', required = true, value_parser = ["read", "data", "policies"])]
    pub(crate) scope: Vec<String>,
    /// The one tenant for which; without this, for the host and every tenant
    #[arg(long, value_name = "NAME", value_parser = tenant)]
    pub(crate) tenant: Option<TenantName>,
    /// Where to put the token itself, with mode 0600; without this, it is printed. The file must not be there yet
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

fn tenant(name: &str) -> Result<TenantName, String> {
    TenantName::new(name).map_err(|bad| bad.to_string())
}

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Version {
    #[arg(from_global)]
    pub(crate) json: bool,
}
