//! The manifest's record of each table: its rows, the files that have them, and the mark that shows whether they
//! changed.
//!
//! Invariant: a mark is comparable only with marks counted since the same moment. It never contains a row.

use serde::{Deserialize, Serialize};

use super::name::QualifiedName;

/// The contents of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    #[serde(flatten)]
    pub name: QualifiedName,
    pub rows: u64,
    /// Σ of the first 128 bits of blake3 of each COPY text line, modulo 2^128: 32 hexadecimal digits.
    pub fingerprint: String,
    /// COPY text bytes before compression.
    pub bytes_raw: u64,
    /// The archive's data file, relative to the snapshot folder.
    pub data_file: Option<String>,
    pub csv_file: Option<String>,
    /// Columns of the data file and of the CSV, in order, without generated columns.
    pub columns: Vec<String>,
    /// Since 1.2, if the server can vouch for it: lets a restore into the same database skip an unwritten table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<TableMark>,
}

/// Values that change with a table's rows. Only meaningful together with
/// [`ChangeMarker::counted_since`](super::manifest::ChangeMarker::counted_since).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMark {
    pub oid: u32,
    /// The relation's file: `TRUNCATE` and a rewrite assign another one.
    pub filenode: u32,
    /// Row writes since the statistics counters were started, including rolled-back ones.
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    /// 32 hexadecimal digits of a hash over everything that affects how the rows are read: numbers, names and types of
    /// the columns, labels of enums.
    pub layout: String,
}

/// The mark of a table whose rows are outside the archive: pgmq's queues are members of their extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberMark {
    #[serde(flatten)]
    pub name: QualifiedName,
    pub mark: TableMark,
}
