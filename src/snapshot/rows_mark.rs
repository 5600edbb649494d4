//! The statements in `queues.sql` that say whose rows come next, for whoever has them already.
//!
//! Invariant: `doc/format.md` shows them; they change nothing. Pure.

use crate::model::name::{QualifiedName, literal};

/// What every mark begins with.
pub const BEGINNING: &str = "SET LOCAL stacksnap.rows_of = ";

/// The statement before the rows of a table and, without one, after them. What is in between may be left out.
pub fn rows_mark(table: Option<&QualifiedName>) -> String {
    let name = table.map(QualifiedName::plain).unwrap_or_default();
    format!("{BEGINNING}{};", literal(&name).trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_format_page_shows_them() {
        let page = include_str!("../../doc/format.md");
        for mark in [rows_mark(Some(&QualifiedName::new("schema", "table"))), rows_mark(None)] {
            assert!(page.contains(&format!("`{mark}`")), "{mark}");
        }
    }
}
