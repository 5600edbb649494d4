//! Reads `extension_state/member_tables.json`: the rows of extension tables, which are outside the archive.
//!
//! Invariant: a table whose rows are not in the snapshot has no record. It never judges the rows.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::layout;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::fingerprint::TableFingerprint;
use crate::model::manifest::{Manifest, TableRecord};
use crate::model::name::QualifiedName;

/// One table of the list, with the fields that are used.
#[derive(Debug, Deserialize)]
pub struct Member {
    pub schema: String,
    pub table: String,
    pub extension: String,
    pub columns: Vec<String>,
    /// `None`: the rows are not in the snapshot.
    pub rows: Option<u64>,
    /// `None`: an older snapshot, or no rows were written.
    fingerprint: Option<String>,
    /// Relative to the snapshot folder.
    pub file: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Members {
    tables: Vec<Member>,
}

/// The whole list; empty if the snapshot has no such file.
pub fn members(place: &Path) -> Result<Vec<Member>> {
    let name = layout::MEMBER_TABLES_JSON;
    let text = match std::fs::read(place.join(name)) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Failure::from(e).context(format!("cannot read {name}"))),
    };
    let all: Members = serde_json::from_slice(&text)
        .map_err(|e| Failure::new(FailureKind::Integrity, e).context(format!("cannot parse {name}")))?;
    Ok(all.tables)
}

impl Member {
    /// A record as for a table in the archive. `None` if the rows are not in the snapshot.
    pub fn record(self, place: &Path, manifest: &Manifest) -> Result<Option<TableRecord>> {
        let Some(rows) = self.rows else { return Ok(None) };
        let file = self.file.map(|file| place.join(file));
        let bytes_raw = file.as_deref().and_then(|file| file.metadata().ok()).map_or(0, |facts| facts.len());
        let fingerprint = match (self.fingerprint, &file) {
            (Some(known), _) => known,
            (None, Some(file)) => fingerprint(file)?.hex(),
            (None, None) => TableFingerprint::new().hex(),
        };
        let name = QualifiedName::new(self.schema, self.table);
        let mark = manifest.member_marks.iter().find(|m| m.name == name).map(|m| m.mark.clone());
        let columns = self.columns;
        Ok(Some(TableRecord { name, rows, fingerprint, bytes_raw, data_file: None, csv_file: None, columns, mark }))
    }
}

fn fingerprint(file: &Path) -> Result<TableFingerprint> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(file)?);
    let mut sum = TableFingerprint::new();
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        sum.add(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(sum)
}
