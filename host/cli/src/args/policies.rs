//! Commands for policies and their configuration.

use std::path::PathBuf;

use clap::Subcommand;

use super::Host;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List policies: host-wide ones, or a tenant's
    Ls(PolicyLs),
    /// Put a policy into the folder; it is active when this ends
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
