//! Plain-text tables: aligned columns, two blanks between them, numbers aligned right.
//!
//! Invariant: a cell is always one line; no borders, so that `awk` can read the output.

use super::text::line;

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| line(cell)).collect());
    }

    /// The lines, the heading first.
    pub fn render(&self) -> String {
        let heading: Vec<String> = self.columns.iter().map(|(title, _)| (*title).to_string()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&heading).chain(&self.rows).collect();
        let width = |i: usize| all.iter().filter_map(|row| row.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut out = String::new();
        for row in all {
            let mut text = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                let padding = " ".repeat(width - cell.chars().count());
                match align {
                    Align::Left => text.push_str(&format!("{cell}{padding}  ")),
                    Align::Right => text.push_str(&format!("{padding}{cell}  ")),
                }
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_cell_stays_in_its_cell() {
        let mut table = Table::new(&[("NAME", Align::Left), ("ROWS", Align::Right)]);
        table.row(vec!["a\nb\u{1b}[31m".into(), "5".into()]);
        table.row(vec!["c".into(), "1,000".into()]);
        let text = table.render();
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\u{1b}'));
        assert!(text.lines().nth(2).is_some_and(|l| l.ends_with("1,000")));
    }
}
