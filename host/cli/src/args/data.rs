//! Commands for data.

use std::path::PathBuf;

use clap::Subcommand;

use super::Host;

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    /// List documents: host-wide ones, or a tenant's own
    Ls(DataLs),
    /// Print what is at a pointer, as JSON
    Get(DataGet),
    /// Put a document, or a value into one; it is on the disk and active when this ends
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
pub(crate) struct DataTarget {
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
    pub(crate) place: DataTarget,
    /// The value, as JSON, or as YAML where its name ends in .yaml or .yml; `-` is JSON from stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DataPatch {
    #[command(flatten)]
    pub(crate) place: DataTarget,
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
    pub(crate) place: DataTarget,
}
