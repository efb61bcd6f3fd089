//! A text that two patterns fit.

use super::{ONE, RUN};

/// Stands for a character that both leave open.
const ANY: char = 'x';

/// What is left of two patterns after a step, in characters passed, and the character of the text that it took.
type Step = (usize, usize, Option<char>);

/// A text that both fit, if there is one: exact, in time and space of the product of both lengths.
pub(super) fn text(a: &str, b: &str) -> Option<String> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let table = Table::new(&a, &b);
    let (mut i, mut j, mut text) = (0, 0, String::new());
    if !table.has(i, j) {
        return None;
    }
    while let Some((di, dj, taken)) =
        steps(a.get(i).copied(), b.get(j).copied()).into_iter().flatten().find(|(di, dj, _)| table.has(i + di, j + dj))
    {
        (i, j) = (i + di, j + dj);
        text.extend(taken);
    }
    Some(text)
}

/// Which rests of the two patterns have a text in common.
struct Table {
    width: usize,
    cells: Vec<bool>,
}

// === impl Table ===

impl Table {
    fn new(a: &[char], b: &[char]) -> Self {
        let width = b.len() + 1;
        let mut table = Self { width, cells: vec![false; (a.len() + 1) * width] };
        for i in (0..=a.len()).rev() {
            for j in (0..=b.len()).rev() {
                let is_end = i == a.len() && j == b.len();
                let mut ways = steps(a.get(i).copied(), b.get(j).copied()).into_iter().flatten();
                let has = is_end || ways.any(|(di, dj, _)| table.has(i + di, j + dj));
                if let Some(cell) = table.cells.get_mut(i * width + j) {
                    *cell = has;
                }
            }
        }
        table
    }

    fn has(&self, i: usize, j: usize) -> bool {
        self.cells.get(i * self.width + j).copied().unwrap_or(false)
    }
}

/// The steps that two rests with these first characters allow. None leads beyond an end.
fn steps(a: Option<char>, b: Option<char>) -> [Option<Step>; 2] {
    let of = |c: char| Some(if c == ONE { ANY } else { c });
    match (a, b) {
        (None, None) => [None, None],
        // A run ends, or takes what the other has next: if that is a run too, all of it.
        (Some(RUN), None) => [Some((1, 0, None)), None],
        (None, Some(RUN)) => [Some((0, 1, None)), None],
        (Some(RUN), Some(RUN)) => [Some((1, 0, None)), Some((0, 1, None))],
        (Some(RUN), Some(c)) => [Some((1, 0, None)), Some((0, 1, of(c)))],
        (Some(c), Some(RUN)) => [Some((0, 1, None)), Some((1, 0, of(c)))],
        (Some(ONE), Some(c)) | (Some(c), Some(ONE)) => [Some((1, 1, of(c))), None],
        (Some(c), Some(d)) if c == d => [Some((1, 1, Some(c))), None],
        (Some(_), _) | (None, Some(_)) => [None, None],
    }
}
