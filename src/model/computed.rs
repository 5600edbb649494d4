//! Values that the server computes and no archive holds: stored generated columns and materialized views.
//!
//! Invariant: recorded values were read under the exported snapshot; a record that could not be read gives the reason
//! and never counts as equal. Virtual generated columns store nothing and are not included.

use serde::{Deserialize, Serialize};

use super::name::QualifiedName;
use super::table_record::TableRecord;

/// The kind of object that the values belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComputedKind {
    /// The stored generated columns of a table.
    GeneratedColumns,
    MaterializedView,
}

/// The values, or why they were not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "content", rename_all = "snake_case")]
pub enum ComputedContent {
    Read {
        rows: u64,
        /// Computed like a table's fingerprint, over the lines of `columns`.
        fingerprint: String,
        bytes_raw: u64,
        /// The file with the lines, relative to the snapshot folder. `None` for a materialized view.
        data_file: Option<String>,
    },
    NotRead {
        why: String,
    },
}

/// One table's generated columns, or one materialized view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComputedRecord {
    #[serde(flatten)]
    pub name: QualifiedName,
    pub kind: ComputedKind,
    /// Columns of a line, in order: primary key and generated columns, or every column if there is no primary key.
    pub columns: Vec<String>,
    #[serde(flatten)]
    pub content: ComputedContent,
}

impl ComputedRecord {
    /// The same as a table record, for code that compares rows. `None` if it was not read.
    pub fn as_table(&self) -> Option<TableRecord> {
        let ComputedContent::Read { rows, fingerprint, bytes_raw, data_file } = &self.content else { return None };
        Some(TableRecord {
            name: self.name.clone(),
            rows: *rows,
            fingerprint: fingerprint.clone(),
            bytes_raw: *bytes_raw,
            data_file: data_file.clone(),
            csv_file: None,
            columns: self.columns.clone(),
            mark: None,
        })
    }

    /// For messages: `generated columns of public.t`.
    pub fn what(&self) -> String {
        match self.kind {
            ComputedKind::GeneratedColumns => format!("generated columns of {}", self.name.plain()),
            ComputedKind::MaterializedView => format!("materialized view {}", self.name.plain()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outcomes_come_back_as_they_were_written() {
        let read = ComputedContent::Read { rows: 2, fingerprint: "0a".into(), bytes_raw: 5, data_file: None };
        for content in [read, ComputedContent::NotRead { why: "it was being refreshed".into() }] {
            let record = ComputedRecord {
                name: QualifiedName::new("public", "m"),
                kind: ComputedKind::MaterializedView,
                columns: vec!["a".into()],
                content,
            };
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<ComputedRecord>(&text).unwrap(), record, "{text}");
        }
    }
}
