//! Decisions of logs and of a running host, one way or the other.

use std::path::PathBuf;

use portcullis_decision_log::archive::{Content, Line, Logs};
use portcullis_decision_log::record::DecisionRecord;

use crate::exit::Exit;
use crate::out::{fail, note};

/// Every decision of these logs, in the order in which they were made; damaged lines are told on stderr.
pub(crate) fn of_logs(paths: &[PathBuf], mut each: impl FnMut(DecisionRecord<'static>) -> bool) -> Result<(), Exit> {
    let logs = Logs::open(paths).map_err(|error| fail(Exit::Failed, error))?;
    for line in logs.lines() {
        let Line { file, number, content, .. } = line.map_err(|error| fail(Exit::Failed, error))?;
        match content {
            Content::Decision(record) => {
                if !each(*record) {
                    break;
                }
            }
            Content::Other => {}
            Content::Damaged(problem) => {
                let file = logs.files().get(file).map(|path| path.display().to_string()).unwrap_or_default();
                note!("portcullis: {file}:{number}: {problem}");
            }
        }
    }
    Ok(())
}
