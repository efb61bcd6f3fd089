//! Tables on stdout: columns as wide as what is in them, numbers to the right, headings bold on a terminal.

use anstyle::Style;
use portcullis_model::printable::escape;

use crate::out;

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows below headings.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| escape(&cell).into_owned()).collect());
    }

    /// Prints it, unless it has no rows.
    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let bold = Style::new().bold();
        let headings: Vec<_> = self.columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        out::styled(|out| {
            writeln!(out, "{bold}{}{bold:#}", self.line(&headings))?;
            self.rows.iter().try_for_each(|row| writeln!(out, "{}", self.line(row)))
        });
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (at, ((_, align), cell)) in self.columns.iter().zip(cells).enumerate() {
            let (width, gap) = (self.width(at), if at == 0 { "" } else { "  " });
            line.push_str(gap);
            line.push_str(&match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
        }
        line.trim_end().to_owned()
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        let heading = self.columns.get(at).map_or(0, |(heading, _)| heading.chars().count());
        cells.chain([heading]).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[("NAME", Align::Left), ("N", Align::Right), ("LAST", Align::Left)]);
        table.row(["é".to_owned(), "10".to_owned(), "x".to_owned()]);
        table.row(["longer".to_owned(), "7".to_owned(), String::new()]);
        let lines: Vec<_> = table.rows.iter().map(|row| table.line(row)).collect();
        assert_eq!(lines, ["é       10  x", "longer   7"]);
    }
}
