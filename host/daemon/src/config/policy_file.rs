//! `NAME.toml`, which lies beside `NAME.wasm`: how the operator wants this policy to be asked.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_engine::Grants;
use portcullis_model::decision::Mode;
use portcullis_model::limits::StateLimits;
use portcullis_model::{Document, Limits};

use crate::config::problem::Problems;
use crate::config::reader::{File, Table};
use crate::config::setting::{Bytes, Count};
use crate::document;

type Objection = Result<(), (String, String)>;

/// What a policy's file says, with everything that it leaves out.
#[derive(Clone, Debug, Default)]
pub struct PolicyFile {
    pub mode: Mode,
    pub grants: Grants,
    pub limits: Limits,
    pub settings: Arc<Document>,
}

impl PolicyFile {
    /// Reads the file's text.
    pub fn read(path: &Path, text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let file = File::read(path, text, &mut problems, |file| Self {
            mode: mode(file),
            grants: grants(file),
            limits: file.table("limits", limits).unwrap_or_default(),
            settings: settings(file),
        });
        if problems.is_empty() { Ok(file) } else { Err(problems) }
    }
}

fn mode(file: &mut Table<'_, '_, '_>) -> Mode {
    let check = |mode: &String| match mode.as_str() {
        "enforce" | "observe" => Ok(()),
        other => Err((format!("is `{other}`"), "expected \"enforce\" or \"observe\"".to_owned())),
    };
    match file.get_checked("mode", check).as_deref() {
        Some("observe") => Mode::Observe,
        _ => Mode::Enforce,
    }
}

fn grants(file: &mut Table<'_, '_, '_>) -> Grants {
    let mut granted = Grants::default();
    file.get_checked("grants", |names: &Vec<String>| {
        granted = Grants::from_names(names.iter().map(String::as_str))
            .map_err(|unknown| (format!("names {unknown}"), "grant only what the policy imports".to_owned()))?;
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

fn limits(table: &mut Table<'_, '_, '_>) -> Limits {
    let default = Limits::default();
    Limits {
        deadline: table.get_checked("deadline", deadline).unwrap_or(default.deadline),
        memory: table.get_checked("memory", memory).map_or(default.memory, |bytes| bytes.0 as usize),
        table_elements: table
            .get_checked("table_elements", table_elements)
            .map_or(default.table_elements, |elements| elements as usize),
        log_lines: table.get("log_lines").unwrap_or(default.log_lines),
        instructions: table.get("instructions").map(|instructions: Count| instructions.0).or(default.instructions),
        state: StateLimits {
            keys: table.get("state_keys").unwrap_or(default.state.keys),
            bytes: table.get("state_bytes").map_or(default.state.bytes, |bytes: Bytes| bytes.0),
        },
    }
}

fn deadline(time: &Duration) -> Objection {
    if !time.is_zero() && *time <= Limits::MAX_DEADLINE {
        return Ok(());
    }
    Err((format!("is {} ms", time.as_millis()), format!("expected 1 ms to {} s", Limits::MAX_DEADLINE.as_secs())))
}

fn memory(bytes: &Bytes) -> Objection {
    if (Bytes(64 << 10)..=Bytes(Limits::MAX_MEMORY as u64)).contains(bytes) {
        return Ok(());
    }
    Err((format!("is {} bytes", bytes.0), format!("expected 64KiB to {}MiB", Limits::MAX_MEMORY >> 20)))
}

fn table_elements(elements: &u32) -> Objection {
    if *elements as usize <= Limits::MAX_TABLE_ELEMENTS {
        return Ok(());
    }
    Err((format!("is {elements}"), format!("expected at most {}", Limits::MAX_TABLE_ELEMENTS)))
}
