//! The result of comparing rows: tables that differ, and rows that were not compared.

use serde::Serialize;

use crate::model::name::QualifiedName;
use crate::verify::rows::keys::KeyDifferences;

/// How the rows of a table differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowChange {
    /// The table is only on the left.
    Missing,
    /// The table is only on the right.
    Extra,
    /// The columns differ, so the rows were not compared.
    Columns,
    /// The rows differ.
    Rows,
    /// The rows are equal, but stored generated columns hold other values.
    GeneratedColumns,
    /// A materialized view with different rows.
    MaterializedView,
}

/// One table with a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableDifference {
    #[serde(flatten)]
    pub table: QualifiedName,
    pub change: RowChange,
    /// `None` if they were not counted.
    pub rows_left: Option<u64>,
    pub rows_right: Option<u64>,
    /// Which rows differ, if keys were requested and could be determined.
    pub keys: Option<KeyDifferences>,
    /// Why there are no keys.
    pub keys_why_not: Option<String>,
}

/// Rows that were not compared, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCompared {
    /// A table, or another place of data.
    pub what: String,
    pub why: String,
}

/// The outcome for all tables.
#[derive(Debug, Default)]
pub struct Compared {
    pub differences: Vec<TableDifference>,
    pub tables: u64,
    pub rows: u64,
    pub not_compared: Vec<NotCompared>,
}

pub fn of(table: &QualifiedName, change: RowChange) -> TableDifference {
    let table = table.clone();
    TableDifference { table, change, rows_left: None, rows_right: None, keys: None, keys_why_not: None }
}
