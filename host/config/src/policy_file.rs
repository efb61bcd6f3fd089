//! `NAME.toml`, which lies beside `NAME.wasm`: how the operator wants this policy to be asked.

use std::path::Path;
use std::sync::Arc;

use portcullis_document::Document;
use portcullis_engine::{Grant, Grants};
use portcullis_model::decision::Mode;
use portcullis_model::{Limits, Reason};

use crate::problem::Problems;
use crate::quota::Quota;
use crate::reader::{File, Table};
use crate::{document, limits};

/// The most bytes of `message`, and of `help`.
const MAX_REMARK: usize = 160;

/// What a policy's file says, with everything that it leaves out.
#[derive(Clone, Debug, Default)]
pub struct PolicyFile {
    pub mode: Mode,
    pub grants: Grants,
    pub limits: Limits,
    pub settings: Arc<Document>,
    /// What callers are told whom the policy denies, and where they find help, as they are written.
    pub message: Option<String>,
    pub help: Option<String>,
    /// Both, as they follow a denial's reason.
    pub remark: Option<Arc<Reason>>,
}

// === impl PolicyFile ===

impl PolicyFile {
    /// What holds where there is no file.
    pub fn with_quota(quota: &Quota) -> Self {
        Self { limits: quota.limits.clone(), ..Self::default() }
    }

    /// Reads the file's text. A limit that it sets higher than its terms is an error.
    pub fn read(path: &Path, text: &str, quota: &Quota) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let file = File::read(path, text, &mut problems, |file| {
            let (message, help) = (file.get_checked("message", one_line), file.get_checked("help", one_line));
            Self {
                mode: read_mode(file),
                grants: grants(file, quota),
                limits: file
                    .table("limits", |table| limits::policy(table, quota))
                    .unwrap_or_else(|| quota.limits.clone()),
                settings: settings(file),
                remark: remark(message.as_deref(), help.as_deref()),
                message,
                help,
            }
        });
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }
}

/// What a caller is told must be one line, and leave room for the reason.
fn one_line(text: &String) -> Result<(), (String, String)> {
    let help = format!("expected one line of text, of at most {MAX_REMARK} bytes");
    if text.len() > MAX_REMARK {
        return Err((format!("is {} bytes long", text.len()), help));
    }
    // A reason is one printable line; whatever it would change is refused.
    if text.is_empty() || Reason::new(text).as_str() != text {
        return Err((
            "is empty, or has line ends, control characters or spaces that would not be shown".to_owned(),
            help,
        ));
    }
    Ok(())
}

fn remark(message: Option<&str>, help: Option<&str>) -> Option<Arc<Reason>> {
    let help = help.map(|help| format!("help: {help}"));
    let parts: Vec<&str> = message.into_iter().chain(help.as_deref()).collect();
    (!parts.is_empty()).then(|| Arc::new(Reason::new(&parts.join("; "))))
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

fn grants(file: &mut Table<'_, '_, '_>, quota: &Quota) -> Grants {
    let granted = read_grants(file);
    for name in granted.iter().filter(|grant| !quota.grants.has(*grant)).map(Grant::name) {
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
            (format!("names `{}`, which is not a grant", unknown.0), format!("there are: {}", Grants::ALL))
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
