//! Records, out of files that were rotated, or out of a pipe.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::record::DecisionRecord;

/// A line that is longer is no record: those are bounded.
const MAX_LINE: u64 = 4 << 20;
/// What is read of a file to know when it begins: the lines before the first decision.
const MAX_HEAD: u64 = 1 << 20;

/// Logs that can be read, in the order in which they were written.
#[derive(Debug)]
pub struct Logs {
    files: Vec<PathBuf>,
    /// Bytes of all of them; none where one is a pipe.
    size: Option<u64>,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{}` is compressed: `zcat {}` writes it to a pipe, and `-` reads that", path.display(), path.display())]
    Compressed { path: PathBuf },
}

/// A line of a log, numbered from 1.
#[derive(Debug)]
pub struct Line {
    /// The place of its file among all.
    pub file: usize,
    pub number: u64,
    pub content: Content,
    /// Bytes, with its end.
    pub size: u64,
}

/// What a line is.
#[derive(Debug)]
pub enum Content {
    Decision(Box<DecisionRecord<'static>>),
    /// Of a policy, or of the host.
    Other,
    /// It says that it is a decision, or is no JSON.
    Damaged(String),
}

/// Reads a log, line by line.
struct Lines {
    file: usize,
    reader: BufReader<Box<dyn Read + Send>>,
    number: u64,
    buffer: Vec<u8>,
}

/// As much of a line as tells whether it is the one that is looked for.
#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// As much of a line as tells what it is.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
}

// === impl Logs ===

impl Logs {
    /// Looks at files, `-` being stdin, and puts them into the order of their first decisions: however rotated files are
    /// named, a shell lists the newest first or in the middle.
    pub fn open(paths: &[PathBuf]) -> Result<Self, LogError> {
        let mut files = Vec::with_capacity(paths.len());
        let mut size = Some(0);
        for path in paths {
            if is_stdin(path) {
                // A pipe can be read once, so it comes last.
                files.push((None, path.clone()));
                size = None;
                continue;
            }
            let unreadable = |source| LogError::Unreadable { path: path.clone(), source };
            let length = std::fs::metadata(path).map_err(unreadable)?.len();
            size = size.map(|size| size + length);
            files.push((Some(begins(path)?), path.clone()));
        }
        // A file without a decision has no time, and comes first; it holds nothing that could be out of order.
        files.sort_by(|(one, _), (other, _)| match (one, other) {
            (Some(one), Some(other)) => one.cmp(other),
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, None) => std::cmp::Ordering::Equal,
        });
        Ok(Self { files: files.into_iter().map(|(_, path)| path).collect(), size })
    }

    /// In the order in which they are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Bytes of all, where that can be told.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The first decision whose ID is the wanted one. Only that is read as a record.
    pub fn find(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Option<DecisionRecord<'static>>, LogError> {
        for (at, path) in self.files.iter().enumerate() {
            let unreadable = |source| LogError::Unreadable { path: path.clone(), source };
            let mut lines = Lines::open(at, path)?;
            while lines.fill().map_err(unreadable)? {
                let id = serde_json::from_slice::<Identity<'_>>(&lines.buffer).ok().and_then(|line| line.id);
                if id.is_some_and(|id| is_wanted(&id))
                    && let Content::Decision(record) = Content::of(&lines.buffer)
                {
                    return Ok(Some(*record));
                }
            }
        }
        Ok(None)
    }

    /// Every line of every file.
    pub fn lines(&self) -> impl Iterator<Item = Result<Line, LogError>> + '_ {
        self.files.iter().enumerate().flat_map(|(at, path)| {
            let (opened, failed) = match Lines::open(at, path) {
                Ok(lines) => (Some(lines), None),
                Err(error) => (None, Some(Err(error))),
            };
            let unreadable = move |source| LogError::Unreadable { path: path.clone(), source };
            opened.into_iter().flatten().map(move |line| line.map_err(unreadable)).chain(failed)
        })
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The time of a file's first decision; empty where there is none near its beginning.
fn begins(path: &Path) -> Result<String, LogError> {
    let unreadable = |source| LogError::Unreadable { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?.take(MAX_HEAD);
    let mut head = Vec::new();
    file.read_to_end(&mut head).map_err(unreadable)?;
    if head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(LogError::Compressed { path: path.to_owned() });
    }
    let decision = head.split(|byte| *byte == b'\n').find_map(|line| {
        let kind: Kind = serde_json::from_slice(line).ok()?;
        kind.is_decision().then_some(kind.timestamp)?
    });
    Ok(decision.unwrap_or_default())
}

// === impl Lines ===

impl Lines {
    fn open(file: usize, path: &Path) -> Result<Self, LogError> {
        let reader: Box<dyn Read + Send> = if is_stdin(path) {
            Box::new(std::io::stdin())
        } else {
            let opened = File::open(path);
            Box::new(opened.map_err(|source| LogError::Unreadable { path: path.to_owned(), source })?)
        };
        Ok(Self { file, reader: BufReader::with_capacity(256 << 10, reader), number: 0, buffer: Vec::new() })
    }

    /// Reads one line; false at the end.
    fn fill(&mut self) -> std::io::Result<bool> {
        self.buffer.clear();
        let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.buffer)?;
        if read as u64 == MAX_LINE && self.buffer.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n')?;
        }
        Ok(read > 0)
    }
}

impl Iterator for Lines {
    type Item = std::io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.fill() {
            Ok(false) => return None,
            Ok(true) => {}
            Err(error) => return Some(Err(error)),
        }
        self.number += 1;
        let size = self.buffer.len() as u64;
        Some(Ok(Line { file: self.file, number: self.number, content: Content::of(&self.buffer), size }))
    }
}

// === impl Content ===

impl Content {
    /// Reads a line.
    pub fn of(line: &[u8]) -> Self {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Self::Other;
        }
        // Nearly all lines are decisions, so it is tried first.
        let error = match serde_json::from_slice::<DecisionRecord<'_>>(line) {
            Ok(record) if record.message == "decision" => return Self::Decision(Box::new(record)),
            Ok(_) => return Self::Other,
            Err(error) => error,
        };
        match serde_json::from_slice::<Kind>(line) {
            Ok(kind) if kind.is_decision() && kind.id.is_none() => {
                Self::Damaged("it has no ID: it was written by a version that logged no calls".to_owned())
            }
            Ok(kind) if kind.is_decision() => Self::Damaged(message(&error)),
            Ok(_) => Self::Other,
            // A line for a person, or the end of one that was cut off.
            Err(_) if !line.starts_with(b"{") => Self::Other,
            Err(_) => Self::Damaged(message(&error)),
        }
    }
}

/// Without the line, which is the file's and not the JSON's.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    format!("{what}, at column {}", error.column())
}

// === impl Kind ===

impl Kind {
    fn is_decision(&self) -> bool {
        self.message.as_deref() == Some("decision")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"timestamp":"TIME","level":"INFO","message":"decision","id":"01KAXJ3Q7Q2M9X4KPD01234567","answer":"allow","cause":"allowed","mode":"enforce","tenant":"ci","listener":"docker","generation":1,"operation":null,"method":null,"path":null,"user":null,"took_us":1,"read_us":1,"wait_us":0,"ask_us":0,"policies":[],"request":null}"#;

    #[test]
    fn lines_are_told_apart() {
        let cut = RECORD.get(..64).expect("a part");
        let cases = [
            (RECORD, "decision"),
            ("", "other"),
            (r#"{"timestamp":"x","level":"INFO","message":"ready"}"#, "other"),
            (r#"{"level":"WARN","message":"log lines were lost","lost":3}"#, "other"),
            ("2026-11-23T02:58:31.790420Z  INFO deny  fault ContainerList", "other"),
            (cut, "EOF while parsing a string, at column 64"),
            (
                r#"{"message":"decision","answer":"allow"}"#,
                "it has no ID: it was written by a version that logged no calls",
            ),
            (
                r#"{"message":"decision","id":"x","answer":3}"#,
                "invalid type: integer `3`, expected a string, at column 41",
            ),
        ];
        for (line, expected) in cases {
            let message = match Content::of(line.as_bytes()) {
                Content::Decision(_) => "decision".to_owned(),
                Content::Other => "other".to_owned(),
                Content::Damaged(problem) => problem,
            };
            assert_eq!(message, expected, "{line}");
        }
    }

    #[test]
    fn files_are_read_in_the_order_in_which_they_were_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = |name: &str, time: &str| {
            let path = dir.path().join(name);
            let lines = format!("{{\"message\":\"ready\"}}\n{}\n", RECORD.replace("TIME", time));
            std::fs::write(&path, lines).expect("written");
            path
        };
        let paths = [file("log", "2026-11-25T10"), file("log.1", "2026-11-25T09"), file("log.2", "2026-11-25T08")];
        let logs = Logs::open(&paths).expect("opened");
        assert_eq!(logs.files().iter().collect::<Vec<_>>(), paths.iter().rev().collect::<Vec<_>>());
        let lines: Vec<_> = logs.lines().map(|line| line.expect("a line")).collect();
        let places: Vec<_> = lines.iter().map(|line| (line.file, line.number)).collect();
        assert_eq!(places, [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]);
        assert_eq!(logs.size(), Some(lines.iter().map(|line| line.size).sum()));
        let found = logs.find(|id| id.ends_with("01234567")).expect("readable").map(|record| record.timestamp);
        assert_eq!(found.as_deref(), Some("2026-11-25T08"), "the oldest comes first");
        assert_eq!(logs.find(|_| false).expect("readable"), None);

        let zipped = dir.path().join("log.3.gz");
        std::fs::write(&zipped, [0x1f, 0x8b, 8]).expect("written");
        let error = Logs::open(std::slice::from_ref(&zipped)).expect_err("is compressed");
        assert!(error.to_string().contains("zcat"), "{error}");
        let gone = Logs::open(&[dir.path().join("gone")]).expect_err("is not there");
        assert!(gone.to_string().contains("gone` cannot be read"), "{gone}");
    }
}
