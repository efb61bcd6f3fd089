//! Reads TOML with every mistake reported: a value that is not what was expected, and every key that nobody asked for.

use std::cell::OnceCell;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::Problems;
use crate::setting::{Setting, Texts, article};

/// How alike two keys are (1 is the same) for one to be what was meant by the other.
const ALIKE: f64 = 0.7;
/// A longer key, in bytes, is not like any other.
const MAX_KEY: usize = 64;

/// A file while it is read.
pub(crate) struct File<'a> {
    path: &'a Path,
    text: &'a str,
    problems: &'a mut Problems,
    /// Where each line ends, once somebody asks.
    line_ends: OnceCell<Vec<usize>>,
}

/// A table while it is read; dropping it unfinished leaves its unknown keys unreported.
pub(crate) struct Table<'a, 'f, 't> {
    file: &'a mut File<'f>,
    /// `[limits]`, or the file itself.
    name: String,
    /// Where it begins; none of the file itself.
    line: Option<usize>,
    entries: &'t DeTable<'t>,
    known: Vec<&'static str>,
    /// Whether no key is unknown.
    takes_any: bool,
}

// === impl File ===

impl<'f> File<'f> {
    /// Reads a file's text. Where it is not TOML at all, that is the one mistake, and `read` sees an empty table.
    pub(crate) fn read<T>(
        path: &'f Path,
        text: &'f str,
        problems: &'f mut Problems,
        read: impl FnOnce(&mut Table<'_, 'f, '_>) -> T,
    ) -> T {
        let first = problems.0.len();
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut file = File { path, text, problems, line_ends: OnceCell::new() };
        let broken = !errors.is_empty();
        for error in errors.into_iter().take(Problems::MAX + 1) {
            let line = error.span().map(|span| file.line(span.start));
            file.problems.add(
                path,
                line,
                format!("not TOML: {}", error.message()),
                "see https://toml.io for the format",
            );
        }
        let empty = DeTable::default();
        let entries = if broken { &empty } else { table.get_ref() };
        let value = Table::new(&mut file, (String::new(), None), entries).read(read);
        file.problems.sort_from(first);
        value
    }

    /// Reads what is asked for, and nothing else: mistakes elsewhere are not looked for.
    pub(crate) fn read_one<T>(
        path: &'f Path,
        text: &'f str,
        problems: &'f mut Problems,
        read: impl FnOnce(&mut Table<'_, 'f, '_>) -> T,
    ) -> T {
        let (table, _) = DeTable::parse_recoverable(text);
        let mut file = File { path, text, problems, line_ends: OnceCell::new() };
        let entries = table.get_ref();
        read(&mut Table { takes_any: true, ..Table::new(&mut file, (String::new(), None), entries) })
    }

    /// The line of a place. The lines are counted once, for a file can have a mistake in each of them.
    fn line(&self, offset: usize) -> usize {
        let ends = self.line_ends.get_or_init(|| memchr::memchr_iter(b'\n', self.text.as_bytes()).collect());
        1 + ends.partition_point(|end| *end < offset)
    }
}

// === impl Table ===

impl<'a, 'f, 't> Table<'a, 'f, 't> {
    fn new(file: &'a mut File<'f>, (name, line): (String, Option<usize>), entries: &'t DeTable<'t>) -> Self {
        Self { file, name, line, entries, known: Vec::new(), takes_any: false }
    }

    fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let value = read(&mut self);
        self.finish();
        value
    }
}

impl<'f, 't> Table<'_, 'f, 't> {
    /// A key's value, or none where it is not there or not right.
    pub(crate) fn get<T: Setting>(&mut self, key: &'static str) -> Option<T> {
        let value = self.entry(key)?;
        match T::read(value.get_ref()) {
            Ok(setting) => Some(setting),
            Err(what) => {
                let line = self.file.line(value.span().start);
                let what = format!("`{}` {what}", self.full(key));
                self.problem(Some(line), what, T::EXPECTED);
                None
            }
        }
    }

    /// Like [`Self::get`], and `check` may object to what was read.
    pub(crate) fn get_checked<T: Setting>(
        &mut self,
        key: &'static str,
        check: impl FnOnce(&T) -> Result<(), (String, String)>,
    ) -> Option<T> {
        let setting = self.get::<T>(key)?;
        match check(&setting) {
            Ok(()) => Some(setting),
            Err((what, help)) => {
                let line = self.line_of(key);
                self.problem(line, format!("`{}` {what}", self.full(key)), help);
                None
            }
        }
    }

    /// A table below this one.
    pub(crate) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Table<'_, 'f, '_>) -> T) -> Option<T> {
        let DeValue::Table(entries) = self.table_value(key)? else { return None };
        let name = match self.name.trim_matches(['[', ']']) {
            "" => format!("[{key}]"),
            above => format!("[{above}.{key}]"),
        };
        let line = self.line_of(key);
        Some(self.below((name, line), entries, read))
    }

    /// The tables of a list of tables.
    pub(crate) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Table<'_, 'f, '_>, Option<usize>) -> T,
    ) -> Option<Vec<T>> {
        let value = self.entry(key)?;
        let name = match self.name.trim_matches(['[', ']']) {
            "" => format!("[[{key}]]"),
            above => format!("[[{above}.{key}]]"),
        };
        let help = format!("write each one as `{name}`");
        let DeValue::Array(items) = value.get_ref() else {
            let line = self.line_of(key);
            self.problem(line, format!("`{key}` is {}", article(value.get_ref())), help);
            return None;
        };
        let mut tables = Vec::new();
        for item in items.iter() {
            let line = self.file.line(item.span().start);
            if let DeValue::Table(entries) = item.get_ref() {
                tables.push(self.below((name.clone(), Some(line)), entries, |table| read(table, Some(line))));
            } else {
                self.problem(Some(line), format!("`{key}` holds {}", article(item.get_ref())), help.clone());
            }
        }
        Some(tables)
    }

    /// A table that is passed on as it is.
    pub(crate) fn free(&mut self, key: &'static str) -> Option<serde_json::Value> {
        match json(self.table_value(key)?) {
            Ok(json) => Some(json),
            Err(what) => {
                let line = self.line_of(key);
                self.problem(line, format!("`[{key}]` {what}"), "a policy sees its settings as JSON");
                None
            }
        }
    }

    /// Every key of the table, each with one text or several.
    pub(crate) fn texts(&mut self) -> Vec<(String, Vec<String>)> {
        self.takes_any = true;
        let mut found = Vec::new();
        for (key, value) in self.entries {
            let name: &str = key.get_ref();
            match Texts::read(value.get_ref()) {
                Ok(Texts(texts)) => found.push((name.to_owned(), texts)),
                Err(what) => {
                    let line = self.file.line(value.span().start);
                    self.problem(Some(line), format!("`{}` {what}", self.full(name)), Texts::EXPECTED);
                }
            }
        }
        found
    }

    /// Reports a mistake that only the caller can see.
    pub(crate) fn problem(&mut self, line: Option<usize>, what: impl Into<String>, help: impl Into<String>) {
        self.file.problems.add(self.file.path, line, what, help);
    }

    /// Where the table itself begins.
    pub(crate) fn line(&self) -> Option<usize> {
        self.line
    }

    pub(crate) fn line_of(&self, key: &str) -> Option<usize> {
        self.entries.get(key).map(|value| self.file.line(value.span().start))
    }

    /// A key's value if it is a table.
    fn table_value(&mut self, key: &'static str) -> Option<&'t DeValue<'t>> {
        let value = self.entry(key)?.get_ref();
        if !value.is_table() {
            let (what, help) = (format!("`{key}` is {}", article(value)), format!("write it as a table, `[{key}]`"));
            self.problem(self.line_of(key), what, help);
            return None;
        }
        Some(value)
    }

    fn below<T>(
        &mut self,
        place: (String, Option<usize>),
        entries: &DeTable<'_>,
        read: impl FnOnce(&mut Table<'_, 'f, '_>) -> T,
    ) -> T {
        Table::new(&mut *self.file, place, entries).read(read)
    }

    fn entry(&mut self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.entries.get(key)
    }

    pub(crate) fn full(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{} {key}", self.name) }
    }

    /// Reports every key that was not asked for.
    fn finish(&mut self) {
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if self.takes_any || self.known.contains(&name) {
                continue;
            }
            let line = self.file.line(key.span().start);
            let help = match nearest(name, &self.known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("expected one of: {}", self.known.join(", ")),
            };
            self.problem(Some(line), format!("unknown key `{}`", self.full(name)), help);
        }
    }
}

/// What is most like a name, if anything is like it.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    if name.len() > MAX_KEY {
        return None;
    }
    let alike = known.iter().map(|key| (strsim::jaro_winkler(name, key), *key));
    alike.filter(|(score, _)| *score >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key)
}

fn json(value: &DeValue<'_>) -> Result<serde_json::Value, String> {
    use serde_json::Value;
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
        DeValue::Integer(_) => Value::from(i64::read(value)?),
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse::<f64>().map_err(|error| error.to_string())?;
            let number = serde_json::Number::from_f64(number);
            Value::Number(number.ok_or_else(|| "holds a number that JSON does not have".to_owned())?)
        }
        DeValue::Array(items) => Value::Array(items.iter().map(|item| json(item.get_ref())).collect::<Result<_, _>>()?),
        DeValue::Table(entries) => {
            let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                Ok::<_, String>((key.to_string(), json(value.get_ref())?))
            };
            Value::Object(entries.iter().map(member).collect::<Result<_, _>>()?)
        }
    })
}
