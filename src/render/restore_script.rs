//! `restore_complete_backup.sh`: the values that are rendered into the script, each quoted for its context.
//!
//! Invariant: no name becomes code. Shell values are single-quoted words, table names are one-line SQL literals inside
//! a quoted here-document, and control characters are made visible in text for the terminal.

use std::fmt::Write;

use serde::Serialize;

use super::render;
use crate::model::failure::Result;
use crate::model::manifest::{Manifest, SnapshotKind};
use crate::model::name::{QualifiedName, shell, visible};
use crate::model::pins::pin_statements;

const TEMPLATE: &str = include_str!("../../templates/restore_complete_backup.sh.hbs");

/// What the script knows about its snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreScriptFacts {
    pub snapshot: String,
    pub kind: SnapshotKind,
    pub complete: bool,
    pub taken_at: String,
    pub database: String,
    pub server_version: String,
    /// Major version of the pg_dump that wrote the archive: an older pg_restore may not be able to read it.
    pub client_major: u32,
    /// Lines such as `tables: 23`.
    pub counts: Vec<String>,
    /// One line per gap.
    pub gaps: Vec<String>,
    /// Number of rows in the archive, by table.
    pub tables: Vec<(QualifiedName, u64)>,
    /// Dump ids of TOC entries that the script restores from `extension_state/` instead.
    pub entries_left_out: Vec<i64>,
    /// One line for each object that the script does not restore.
    pub not_restored: Vec<String>,
}

impl RestoreScriptFacts {
    /// From a manifest, which may be a draft: artifacts and checksums are not used.
    pub fn from_manifest(manifest: &Manifest) -> Self {
        let server_major = manifest.source.server_version_num / 10_000;
        Self {
            snapshot: manifest.id.to_string(),
            kind: manifest.kind,
            complete: manifest.complete,
            taken_at: manifest.consistency.taken_at.to_string(),
            database: manifest.source.database.clone(),
            server_version: manifest.source.server_version.clone(),
            client_major: first_number(&manifest.tools.pg_dump).unwrap_or(server_major),
            counts: manifest.counts.iter().map(|(word, n)| format!("{word}: {n}")).collect(),
            gaps: manifest.gaps.iter().map(|g| format!("{}: {}. To do: {}", g.what, g.why, g.todo)).collect(),
            tables: manifest
                .tables
                .iter()
                .filter(|t| t.data_file.is_some())
                .map(|t| (t.name.clone(), t.rows))
                .collect(),
            entries_left_out: Vec::new(),
            not_restored: Vec::new(),
        }
    }
}

#[derive(Serialize)]
struct Values {
    snapshot: String,
    kind: &'static str,
    complete: &'static str,
    taken_at: String,
    database: String,
    server_version: String,
    client_major: String,
    counts: Vec<String>,
    gaps: Vec<String>,
    not_restored: Vec<String>,
    expected_rows: String,
    /// Extended regular expression that matches the `pg_restore -l` lines of the entries to leave out.
    left_out: String,
    pins: String,
}

/// Renders the script. It is stored in the snapshot with mode 0700.
pub fn restore_script(facts: &RestoreScriptFacts) -> Result<String> {
    let values = Values {
        snapshot: visible(&facts.snapshot),
        kind: kind_word(facts.kind),
        complete: if facts.complete { "true" } else { "false" },
        taken_at: visible(&facts.taken_at),
        database: visible(&facts.database),
        server_version: visible(&facts.server_version),
        client_major: facts.client_major.to_string(),
        counts: facts.counts.iter().map(|c| visible(c)).collect(),
        gaps: facts.gaps.iter().map(|g| visible(g)).collect(),
        not_restored: facts.not_restored.iter().map(|line| visible(line)).collect(),
        expected_rows: expected_rows(&facts.tables),
        left_out: left_out(&facts.entries_left_out),
        pins: pin_statements(),
    };
    render(TEMPLATE, shell, &values)
}

fn left_out(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if ids.is_empty() { String::new() } else { format!("^({});", ids.join("|")) }
}

pub(super) fn kind_word(kind: SnapshotKind) -> &'static str {
    match kind {
        SnapshotKind::Full => "full",
        SnapshotKind::Partial => "partial",
        SnapshotKind::DataOnly => "data only",
        SnapshotKind::SchemaOnly => "schema only",
    }
}

/// Further rows of a VALUES list, one line per table.
fn expected_rows(tables: &[(QualifiedName, u64)]) -> String {
    let mut sql = String::new();
    for (name, rows) in tables {
        let _ = writeln!(sql, ", ({}, {}, {rows})", one_line_literal(&name.schema), one_line_literal(&name.name));
    }
    sql
}

/// A string literal on one line: control characters and `$` are written as escapes, so that no name can end the
/// here-document or the dollar quotes around it.
fn one_line_literal(text: &str) -> String {
    let mut out = String::from("E'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            c if c.is_ascii_control() || c == '$' => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// The first run of digits: `pg_dump (PostgreSQL) 15.18` gives 15.
fn first_number(text: &str) -> Option<u32> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let digits = text[from..].split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_of_clients() {
        assert_eq!(first_number("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(first_number("18beta1"), Some(18));
        assert_eq!(first_number("unknown"), None);
    }

    proptest! {
        #[test]
        fn a_name_is_one_line_of_sql(name in "\\PC*|[\\x01-\\x1f'\\\\$]{0,20}") {
            let literal = one_line_literal(&name);
            prop_assert!(!literal.chars().any(|c| c.is_ascii_control() || c == '$'));
            prop_assert!(literal.starts_with("E'") && literal.ends_with('\''));
        }
    }
}
