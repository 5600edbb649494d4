//! The statements in `queues.sql` that mark whose rows follow, so that a reader can skip rows it already has.
//!
//! Invariant: they are specified in `doc/format.md`, and never change anything in the database. Pure.

use crate::model::name::{QualifiedName, literal};

/// The start of every mark.
pub const BEGINNING: &str = "SET LOCAL stacksnap.rows_of = ";

/// The statement before the rows of a table, or with `None` the one after them. A reader may skip what is in between.
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
