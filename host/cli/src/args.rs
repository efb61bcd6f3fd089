//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use portcullis_daemon::decision_log::filter::{AnswerIs, Filter, Moment};
use portcullis_model::TenantName;

use crate::help;

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

`portcullis help COMMAND` explains a command, with examples.

Exit codes:
  0  done; of `decide`: allowed; of `ready`: it is
  1  could not be done
  2  the command line or the configuration is wrong; nothing was started
  3  of `decide`: denied; of `explain`: refused by a host rule; of `replay`: something would change";

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
    /// Tell the story of one decision
    #[command(after_long_help = help::WHY)]
    Why(Why),
    /// Say what a running host has in force, what it has not and why, and what became of its calls
    #[command(after_long_help = help::STATUS)]
    Status(Status),
    /// Say whether a running host decides calls as it should; with 1 as exit code where it does not
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
    /// Have a running host read everything again, trying what was broken
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

What policies keep is read and stays as it is, and nobody's figures count the question.";

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
    /// Wait until it is, so many seconds at most
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    pub(crate) wait: u64,
    #[arg(from_global)]
    pub(crate) json: bool,
}

/// Which decisions are meant; everything that is given must hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Decisions {
    /// Only of this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Only of this user: the common name of the caller's certificate
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Only of this operation of the Engine API, such as ContainerCreate
    #[arg(long, value_name = "ID")]
    pub(crate) operation: Option<String>,
    /// Only with this answer: `allow`, `deny`, or `would-deny`, which was allowed because something is only observed
    #[arg(long, value_name = "ANSWER")]
    pub(crate) answer: Option<AnswerIs>,
    /// Only those that this policy denied or failed on, also where it is only observed
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// Only from this time on: `2026-11-25T08:00:00Z`, `2026-11-25`, or how long ago, such as `2h`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
}

impl Decisions {
    pub(crate) fn filter(&self) -> Filter {
        let Self { tenant, user, operation, answer, policy, since, until } = self;
        Filter {
            tenant: tenant.clone(),
            user: user.clone(),
            operation: operation.clone(),
            answer: *answer,
            policy: policy.clone(),
            since: since.clone(),
            until: until.clone(),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// Decision logs, rotated ones in any order; `-` is stdin
    #[arg(value_name = "LOG", required = true)]
    pub(crate) logs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) dir: ConfigDir,
    #[command(flatten)]
    pub(crate) filter: Decisions,
    /// What policies keep when the replay begins: nothing, or a copy of what the store of the configuration has
    #[arg(long, value_enum, value_name = "STATE", default_value = "empty")]
    pub(crate) state: ReplayState,
    /// How many kinds of changes are shown
    #[arg(long, value_name = "N", default_value = "20")]
    pub(crate) limit: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReplayState {
    Empty,
    Copy,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) host: Host,
    #[command(flatten)]
    pub(crate) filter: Decisions,
    /// Begin with so many of the last decisions: 20 of a running host, and all of a log, unless said
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
    /// End when the last decisions were shown
    #[arg(long)]
    pub(crate) no_follow: bool,
    /// Show the decisions of this log, and ask no host; `-` is stdin. Can be given several times
    #[arg(long, value_name = "LOG")]
    pub(crate) file: Vec<PathBuf>,
    /// Print JSON, as is done where stdout is no terminal
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Why {
    /// The decision's ID, or the last ten characters of it, which the caller was shown
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) host: Host,
    /// Look into this log, and ask no host; `-` is stdin. Can be given several times
    #[arg(long, value_name = "LOG")]
    pub(crate) file: Vec<PathBuf>,
    /// Print the record as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List policies: host-wide ones, or a tenant's
    Ls(PolicyLs),
    /// Put a policy into the folder; it is in force when this ends
    Put(PolicyPut),
    /// Fetch a policy's file
    Get(PolicyGet),
    /// Remove a policy, and the settings beside it
    Rm(PolicyRm),
    /// Show or change what NAME.toml beside a policy says, as JSON
    #[command(subcommand)]
    Config(PolicyConfig),
    /// Have a policy enforced, or only observed
    Mode(PolicyMode),
    /// Show a policy's settings, or replace them
    Settings(PolicySettings),
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyConfig {
    /// Print what is written: mode, grants, limits and settings
    Get(PolicyConfigGet),
    /// Replace what is written, or change it; comments of what stays are kept
    Set(PolicyConfigSet),
    /// Remove the file
    Rm(PolicyConfigRm),
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyConfigGet {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// With everything that is not written and holds
    #[arg(long)]
    pub(crate) effective: bool,
}

const POLICY_CONFIG_SET_AFTER_HELP: &str = "\
Examples:
  echo '{\"grants\": [\"state\"]}' | portcullis policy config set say-hello -
  echo '{\"limits\": {\"deadline\": \"50ms\"}}' | portcullis policy config set seccomp - --merge

It can be set before the policy is put: a policy that needs a grant can be put afterwards.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = POLICY_CONFIG_SET_AFTER_HELP)]
pub(crate) struct PolicyConfigSet {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it should say, as JSON; `-` reads it from stdin
    #[arg(value_name = "FILE.json")]
    pub(crate) file: PathBuf,
    /// Change only what the file names; what is null there is taken away (a JSON merge patch)
    #[arg(long)]
    pub(crate) merge: bool,
    /// Only if what is written has this tag, which the last change printed
    #[arg(long, value_name = "TAG")]
    pub(crate) if_match: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyConfigRm {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Only if what is written has this tag, which the last change printed
    #[arg(long, value_name = "TAG")]
    pub(crate) if_match: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyMode {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// `observe`: it is asked and logged, and does not count
    #[arg(value_enum, value_name = "MODE")]
    pub(crate) mode: Mode,
    /// Only if what is written has this tag, which the last change printed
    #[arg(long, value_name = "TAG")]
    pub(crate) if_match: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    Enforce,
    Observe,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicySettings {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The new settings, as JSON; `-` reads them from stdin. Without this, those that are written are printed
    #[arg(value_name = "FILE.json")]
    pub(crate) file: Option<PathBuf>,
    /// Only if what is written has this tag, which the last change printed
    #[arg(long, value_name = "TAG", requires = "file")]
    pub(crate) if_match: Option<String>,
}

/// Whose policies are meant.
#[derive(Debug, clap::Args)]
pub(crate) struct Whose {
    #[command(flatten)]
    pub(crate) host: Host,
    /// A tenant's own policies; without this, the host-wide ones
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyLs {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyPut {
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// The policy's file
    #[arg(value_name = "FILE.wasm")]
    pub(crate) file: PathBuf,
    /// The policy's name; without this, the file's without `.wasm`
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only if the policy that is there has this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) if_match: Option<String>,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyGet {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Where to put it; `-` is stdout
    #[arg(long, short, value_name = "FILE.wasm")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyRm {
    #[command(flatten)]
    pub(crate) whose: Whose,
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Only if the policy that is there has this digest
    #[arg(long, value_name = "DIGEST")]
    pub(crate) if_match: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List documents: host-wide ones, or a tenant's own
    Ls(DataLs),
    /// Print what is at a pointer, as JSON
    Get(DataGet),
    /// Put a document, or a value into one; it is on the disk and in force when this ends
    Put(DataPut),
    /// Change a document by a JSON Patch, or by example with --merge
    Patch(DataPatch),
    /// Remove a document, or a value of one
    Rm(DataRm),
}

/// Whose documents are meant.
#[derive(Debug, clap::Args)]
pub(crate) struct WhoseData {
    #[command(flatten)]
    pub(crate) host: Host,
    /// A tenant's own documents; without this, the host-wide ones
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
}

/// Which place is changed, and how that is told.
#[derive(Debug, clap::Args)]
pub(crate) struct DataPlace {
    #[command(flatten)]
    pub(crate) whose: WhoseData,
    /// The place: `/users` is the document data/users.json, `/users/alice` a member of it, `/list/-` the end of a list
    #[arg(value_name = "POINTER")]
    pub(crate) pointer: String,
    /// Only if the document still has this tag, which `ls --json` and each change tell
    #[arg(long, value_name = "TAG")]
    pub(crate) if_match: Option<String>,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DataLs {
    #[command(flatten)]
    pub(crate) whose: WhoseData,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DataGet {
    #[command(flatten)]
    pub(crate) whose: WhoseData,
    /// The place: `/users` is the document data/users.json, `/users/alice` a member of it; without it, all documents
    #[arg(value_name = "POINTER", default_value = "")]
    pub(crate) pointer: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DataPut {
    #[command(flatten)]
    pub(crate) place: DataPlace,
    /// The value, as JSON, or as YAML where its name ends in .yaml or .yml; `-` is JSON from stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DataPatch {
    #[command(flatten)]
    pub(crate) place: DataPlace,
    /// The patch: a list of operations (RFC 6902) whose paths begin at POINTER; `-` is stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The file is an example: its members replace those at POINTER, and null removes (RFC 7396)
    #[arg(long)]
    pub(crate) merge: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DataRm {
    #[command(flatten)]
    pub(crate) place: DataPlace,
}

#[derive(Debug, Subcommand)]
pub(crate) enum State {
    /// List what is kept: by tenant and policy, with keys and bytes; of policies and tenants that are gone, too
    Ls(StateLs),
    /// Show what a policy keeps under one key
    Get(StateGet),
    /// Clear what is kept for a tenant, or only what one policy keeps for it, or only one key of that
    Clear(StateClear),
    /// Give up a damaged store that was set aside, and begin with an empty one
    Reset(StateReset),
}

#[derive(Debug, clap::Args)]
pub(crate) struct StateLs {
    #[command(flatten)]
    pub(crate) host: Host,
    /// Only this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// The keys that this policy keeps, for the tenant that is named or `default`
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// Whose the policy is: the host's, or the tenant's own
    #[arg(long, value_enum, value_name = "WHOSE", default_value = "host", requires = "policy")]
    pub(crate) origin: Origin,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StateGet {
    #[command(flatten)]
    pub(crate) host: Host,
    /// For which tenant; that of installations without tenants is `default`
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) tenant: String,
    /// Which policy keeps it
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: String,
    /// Whose the policy is: the host's, or the tenant's own
    #[arg(long, value_enum, value_name = "WHOSE", default_value = "host")]
    pub(crate) origin: Origin,
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StateClear {
    #[command(flatten)]
    pub(crate) host: Host,
    /// For which tenant; that of installations without tenants is `default`
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: String,
    /// Only what this policy keeps
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// Whose the policy is: the host's, or the tenant's own
    #[arg(long, value_enum, value_name = "WHOSE", default_value = "host", requires = "policy")]
    pub(crate) origin: Origin,
    /// Only this key
    #[arg(long, value_name = "KEY", requires = "policy")]
    pub(crate) key: Option<String>,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Origin {
    Host,
    Tenant,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StateReset {
    #[command(flatten)]
    pub(crate) host: Host,
    #[arg(from_global)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) host: Host,
}

/// Which running host is meant, and how it is reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Host {
    /// Where the host answers its operator; without this, what portcullis.toml of --config says
    #[arg(long, value_name = "PATH", env = "PORTCULLIS_ADMIN_SOCKET")]
    pub(crate) admin_socket: Option<PathBuf>,
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
