//! Changes the text of `NAME.toml` so that it says something else, and leaves what stays as it is written: comments, order, and
//! how values are spelled.

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

/// Why a file cannot say something. Every mistake, each with its JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unwritable(Vec<String>);

/// What a file says, as JSON. An error is the parser's own.
pub fn read(text: &str) -> Result<Map<String, Value>, String> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        // Its own text quotes the line, which can be as long as the file.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("line {}: {}", 1 + before.matches('\n').count(), error.message())
    })?;
    Ok(table_json(document.as_table()))
}

/// The file's text when it says `wanted`. What is no TOML is given up.
pub fn rewrite(text: &str, wanted: &Map<String, Value>) -> Result<String, Unwritable> {
    let kept = match text.parse::<DocumentMut>() {
        Ok(document) => written(document, wanted)?,
        Err(_) => String::new(),
    };
    // Dotted keys and tables can be mixed in ways in which a new key has no place.
    if read(&kept).is_ok_and(|says| says == *wanted) {
        return Ok(kept);
    }
    written(DocumentMut::new(), wanted)
}

fn written(document: DocumentMut, wanted: &Map<String, Value>) -> Result<String, Unwritable> {
    let mut document = document;
    let mut editor = Editor::default();
    editor.settle(document.as_table_mut(), wanted, Style::Table, "");
    let text = document.to_string();
    let text = text.strip_prefix('\n').map(str::to_owned).unwrap_or(text);
    if editor.mistakes.is_empty() { Ok(text) } else { Err(Unwritable(editor.mistakes)) }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// `[NAME]`, with tables below it.
    Table,
    /// `{ … }`
    Inline,
}

#[derive(Debug, Default)]
struct Editor {
    mistakes: Vec<String>,
}

// === impl Editor ===

impl Editor {
    /// Has a table hold what is wanted and nothing else.
    fn settle(&mut self, table: &mut dyn TableLike, wanted: &Map<String, Value>, style: Style, path: &str) {
        let keys: Vec<_> = table.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys.iter().filter(|key| !wanted.contains_key(*key)) {
            table.remove(key);
        }
        for (key, value) in wanted {
            let path = format!("{path}/{key}");
            match table.get_mut(key) {
                Some(item) if json(item).as_ref() == Some(value) => {}
                Some(item) => self.change(item, value, style, &path),
                None => drop(table.insert(key, self.item(value, style, &path))),
            }
        }
    }

    fn change(&mut self, item: &mut Item, value: &Value, style: Style, path: &str) {
        let style = if item.is_inline_table() { Style::Inline } else { style };
        if let (Some(table), Value::Object(wanted)) = (item.as_table_like_mut(), value) {
            return self.settle(table, wanted, style, path);
        }
        let mut new = self.item(value, style, path);
        if let (Some(old), Some(new)) = (item.as_value(), new.as_value_mut()) {
            // With the comment behind it.
            *new.decor_mut() = old.decor().clone();
        }
        *item = new;
    }

    fn item(&mut self, value: &Value, style: Style, path: &str) -> Item {
        match (value, style) {
            (Value::Object(members), Style::Table) => {
                let mut table = Table::new();
                table.decor_mut().set_prefix("\n");
                self.settle(&mut table, members, Style::Table, path);
                Item::Table(table)
            }
            _ => Item::Value(self.value(value, path)),
        }
    }

    fn value(&mut self, value: &Value, path: &str) -> toml_edit::Value {
        match value {
            Value::Null => self.mistake(path, "is null, which TOML does not have; leave it out"),
            Value::Bool(truth) => (*truth).into(),
            Value::Number(number) => match (number.as_i64(), number.is_u64(), number.as_f64()) {
                (Some(integer), _, _) => integer.into(),
                (None, false, Some(float)) => float.into(),
                (None, _, _) => self.mistake(path, "is a larger number than TOML has"),
            },
            Value::String(text) => text.as_str().into(),
            Value::Array(items) => {
                let item = |(at, item): (usize, &Value)| self.value(item, &format!("{path}/{at}"));
                toml_edit::Value::Array(items.iter().enumerate().map(item).collect::<Array>())
            }
            Value::Object(members) => {
                let mut table = InlineTable::new();
                self.settle(&mut table, members, Style::Inline, path);
                toml_edit::Value::InlineTable(table)
            }
        }
    }

    /// Gives something to go on with.
    fn mistake(&mut self, path: &str, what: &str) -> toml_edit::Value {
        self.mistakes.push(format!("`{path}` {what}"));
        false.into()
    }
}

fn table_json(table: &dyn TableLike) -> Map<String, Value> {
    table.iter().filter_map(|(key, item)| Some((key.to_owned(), json(item)?))).collect()
}

/// None where there is nothing.
fn json(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(value) => Some(value_json(value)),
        Item::Table(table) => Some(Value::Object(table_json(table))),
        Item::ArrayOfTables(tables) => Some(tables.iter().map(|table| Value::Object(table_json(table))).collect()),
    }
}

/// As the loader reads it: a date is a text, and a float that JSON does not have is null, which the loader refuses.
fn value_json(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::from(text.value().as_str()),
        toml_edit::Value::Integer(integer) => Value::from(*integer.value()),
        toml_edit::Value::Float(float) => Value::from(*float.value()),
        toml_edit::Value::Boolean(truth) => Value::from(*truth.value()),
        toml_edit::Value::Datetime(datetime) => Value::from(datetime.value().to_string()),
        toml_edit::Value::Array(items) => items.iter().map(value_json).collect(),
        toml_edit::Value::InlineTable(table) => Value::Object(table_json(table)),
    }
}

#[cfg(test)]
mod tests;
