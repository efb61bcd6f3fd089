//! Commands for what policies keep.

use std::path::PathBuf;

use clap::Subcommand;

use super::{ConfigDir, Host};

#[derive(Debug, Subcommand)]
pub(crate) enum State {
    /// List what is kept: by tenant and policy, with keys and bytes; of policies and tenants that are gone, too
    Ls(StateLs),
    /// Show what a policy keeps under one key
    Get(StateGet),
    /// Copy the store into a file, as it is at one moment, also while a host uses it
    Backup(StateBackup),
    /// Clear what is kept for a tenant, or only what one policy keeps for it, or only one key of that
    Clear(StateClear),
    /// Give up a damaged store that was set aside, and begin with an empty one
    Reset(StateReset),
}

#[derive(Debug, clap::Args)]
pub(crate) struct StateBackup {
    #[command(flatten)]
    pub(crate) dir: ConfigDir,
    /// The new file, which must not be there yet
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
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
