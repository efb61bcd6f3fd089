//! `NAME.toml`, which lies beside `NAME.wasm`: how the operator wants this policy to be asked.

use std::path::Path;
use std::sync::Arc;

use portcullis_engine::Grants;
use portcullis_model::decision::Mode;
use portcullis_model::{Document, Limits, TenantLimits};

use crate::config::limits;
use crate::config::problem::Problems;
use crate::config::reader::{File, Table};
use crate::document;

/// What a policy's file says, with everything that it leaves out.
#[derive(Clone, Debug, Default)]
pub struct PolicyFile {
    pub mode: Mode,
    pub grants: Grants,
    pub limits: Limits,
    pub settings: Arc<Document>,
}

/// What the policies of one folder may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What a policy has whose file does not say otherwise.
    pub limits: Limits,
    /// Whether that is also the most that it can have.
    pub is_most: bool,
    pub grants: Grants,
    /// How many there may be, and the bytes of one file.
    pub policies: usize,
    pub policy_bytes: u64,
    /// Bytes of all documents.
    pub data_bytes: u64,
}

// === impl Terms ===

impl Terms {
    /// What the operator's own policies may have.
    pub fn of_host() -> Self {
        Self {
            limits: Limits::default(),
            is_most: false,
            grants: Grants::ALL,
            policies: 4096,
            policy_bytes: 256 << 20,
            data_bytes: 1 << 30,
        }
    }

    /// What the policies of a tenant may have who is not in force.
    pub fn of_nobody() -> Self {
        Self::of_tenant(&TenantLimits::default(), Grants::default())
    }

    /// What a tenant's policies may have.
    pub fn of_tenant(limits: &TenantLimits, grants: Grants) -> Self {
        Self {
            limits: limits.policy.clone(),
            is_most: true,
            grants,
            policies: limits.policies,
            policy_bytes: limits.policy_bytes,
            data_bytes: limits.data_bytes,
        }
    }
}

// === impl PolicyFile ===

impl PolicyFile {
    /// What holds where there is no file.
    pub fn with_terms(terms: &Terms) -> Self {
        Self { limits: terms.limits.clone(), ..Self::default() }
    }

    /// Reads the file's text. A limit that it sets higher than its terms is an error.
    pub fn read(path: &Path, text: &str, terms: &Terms) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let file = File::read(path, text, &mut problems, |file| Self {
            mode: read_mode(file),
            grants: grants(file, terms),
            limits: file.table("limits", |table| limits::policy(table, terms)).unwrap_or_else(|| terms.limits.clone()),
            settings: settings(file),
        });
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }
}

/// The key `mode`, of a policy's file or a tenant's.
pub(crate) fn read_mode(file: &mut Table<'_, '_, '_>) -> Mode {
    let check = |mode: &String| match mode.as_str() {
        "enforce" | "observe" => Ok(()),
        other => Err((format!("is `{other}`"), "expected \"enforce\" or \"observe\"".to_owned())),
    };
    match file.get_checked("mode", check).as_deref() {
        Some("observe") => Mode::Observe,
        _ => Mode::Enforce,
    }
}

fn grants(file: &mut Table<'_, '_, '_>, terms: &Terms) -> Grants {
    let granted = read_grants(file);
    let beyond = [("log", granted.log && !terms.grants.log), ("state", granted.state && !terms.grants.state)];
    for (name, _) in beyond.into_iter().filter(|(_, is_beyond)| *is_beyond) {
        let line = file.line_of("grants");
        let help = format!("ask the operator to put `{name}` into `grants` of tenant.toml");
        file.problem(line, format!("`grants` has `{name}`, which the tenant is not granted"), help);
    }
    granted
}

/// The key `grants`, of a policy's file or a tenant's.
pub(crate) fn read_grants(file: &mut Table<'_, '_, '_>) -> Grants {
    let mut granted = Grants::default();
    file.get_checked("grants", |names: &Vec<String>| {
        granted = Grants::from_names(names.iter().map(String::as_str)).map_err(|unknown| {
            (format!("names `{}`, which is no grant", unknown.0), "there are: log, state".to_owned())
        })?;
        Ok(())
    });
    granted
}

fn settings(file: &mut Table<'_, '_, '_>) -> Arc<Document> {
    let Some(settings) = file.free("settings") else {
        return Arc::default();
    };
    match document::from_value(&settings) {
        Ok(document) => Arc::new(document),
        Err(what) => {
            let line = file.line_of("settings");
            file.problem(line, format!("`[settings]` {what}"), "a policy sees its settings as JSON");
            Arc::default()
        }
    }
}
