//! What is wrong with a configuration: every mistake at once, each with its place and how to mend it.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: PathBuf,
    /// Counted from 1; none where the mistake is not in the file's text.
    pub line: Option<usize>,
    pub what: String,
    /// How to mend it.
    pub help: String,
}

/// All mistakes of a configuration, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// So many mistakes, and maybe more.
pub fn counted(mistakes: usize, is_cut: bool) -> String {
    let more = if is_cut { "more than " } else { "" };
    match mistakes {
        0 => "no mistake".to_owned(),
        1 => "1 mistake".to_owned(),
        _ => format!("{more}{mistakes} mistakes"),
    }
}

// === impl Problems ===

impl Problems {
    /// As many as somebody may want to read. A file can have millions.
    pub const MAX: usize = 100;
    /// Of what is wrong, in bytes: a key, or a line, can be as long as its file.
    const MAX_TEXT: usize = 1024;
    /// The last one, where there are more.
    pub const MORE: &str = "there are more mistakes, which are not listed";

    pub fn add(&mut self, path: &Path, line: Option<usize>, what: impl Into<String>, help: impl Into<String>) {
        if self.0.len() > Self::MAX {
            return;
        }
        let (mut what, help) = (what.into(), help.into());
        if self.0.len() == Self::MAX {
            let (what, path) = (Self::MORE.to_owned(), path.to_owned());
            self.0.push(Problem { path, line: None, what, help: String::new() });
            return;
        }
        if what.len() > Self::MAX_TEXT {
            what.truncate(what.floor_char_boundary(Self::MAX_TEXT));
            what.push('…');
        }
        self.0.push(Problem { path: path.to_owned(), line, what, help });
    }

    /// One mistake that is not in a file's text.
    pub fn one(path: &Path, what: impl Into<String>, help: impl Into<String>) -> Self {
        let mut problems = Self::default();
        problems.add(path, None, what, help);
        problems
    }

    /// How many there are, in words.
    pub fn count(&self) -> String {
        let is_cut = |problem: &&Problem| problem.what != Self::MORE;
        counted(self.0.iter().filter(is_cut).count(), self.0.iter().any(|problem| problem.what == Self::MORE))
    }

    /// Puts what was found from a place on in the order of the file's lines.
    pub(crate) fn sort_from(&mut self, first: usize) {
        let found = self.0.get_mut(first..).unwrap_or_default();
        found.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Problem {
    /// All of it but how to mend it.
    pub fn place_and_what(&self) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {}", self.path.display(), self.what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place_and_what())?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "\n  help: {}", self.help) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::File;

    fn problems(text: &str) -> Vec<Problem> {
        let mut problems = Problems::default();
        File::read(Path::new("x.toml"), text, &mut problems, |table| {
            table.get::<bool>("known");
        });
        problems.0
    }

    #[test]
    fn a_file_of_nothing_but_mistakes_is_told_of_some_of_them() {
        let unknown: String = (0..50_000).map(|number| format!("key{number} = 1\n")).collect();
        for text in ["= =\n".repeat(200_000), "[\n".repeat(200_000), unknown, format!("a = {}", "[".repeat(200_000))] {
            let problems = problems(&text);
            assert!(!problems.is_empty() && problems.len() <= Problems::MAX + 1, "{}", problems.len());
            assert!(problems.iter().all(|problem| problem.what.len() < 2 * Problems::MAX_TEXT));
            assert_eq!(problems.first().and_then(|problem| problem.line), Some(1));
        }
        let last = problems(&"a = \n".repeat(1000)).pop().map(|problem| problem.what);
        assert_eq!(last.as_deref(), Some("there are more mistakes, which are not listed"));
        let long = problems(&format!("{} = 1\n", "k".repeat(100_000)));
        assert!(long.iter().all(|problem| problem.what.len() < 2000 && problem.help.len() < 2000), "{long:?}");
    }

    #[test]
    fn a_mistake_has_its_line() {
        let message = problems("known = true\n\nunknown = 1\n\nother = 2");
        let mut lines: Vec<_> = message.iter().filter_map(|problem| problem.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [3, 5]);
    }
}
