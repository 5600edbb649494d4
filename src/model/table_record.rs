//! What the manifest records of each table: its rows, where they are, and the mark that says whether they changed.

use serde::{Deserialize, Serialize};

use super::name::QualifiedName;

/// What one table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    #[serde(flatten)]
    pub name: QualifiedName,
    pub rows: u64,
    /// Σ of the first 128 bits of blake3 of each COPY text line, modulo 2^128: 32 hexadecimal digits.
    pub fingerprint: String,
    /// COPY text bytes before compression.
    pub bytes_raw: u64,
    /// The archive's data file, below the snapshot folder.
    pub data_file: Option<String>,
    pub csv_file: Option<String>,
    /// Columns of the data file and of the CSV, in order. Generated columns are not among them.
    pub columns: Vec<String>,
    /// Since 1.2, where the server tells it: lets a restore into the same database pass over a table that nobody wrote to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<TableMark>,
}

/// What changes whenever a table's rows do. Means something together with [`ChangeMarker::counted_since`](super::manifest::ChangeMarker::counted_since) only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMark {
    pub oid: u32,
    /// The file that holds its rows: `TRUNCATE` and a rewrite give it another one.
    pub filenode: u32,
    /// Rows that were ever written since the server counts, rolled-back ones included.
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    /// 32 hexadecimal digits of a hash over what decides how the rows read: numbers, names and types of the columns,
    /// labels of enums.
    pub layout: String,
}

/// The mark of a table whose rows are beside the archive: queues of pgmq are members of their extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberMark {
    #[serde(flatten)]
    pub name: QualifiedName,
    pub mark: TableMark,
}
