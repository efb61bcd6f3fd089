//! Commands that look at decisions.

use std::path::PathBuf;

use portcullis_decision_log::filter::{AnswerIs, Filter, Moment, operation};

use super::{ConfigDir, Host};

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
    #[arg(long, value_name = "ID", value_parser = operation)]
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
