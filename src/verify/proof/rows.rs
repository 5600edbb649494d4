//! Compares rows of the live tables with the fingerprints of the manifest.
//!
//! Invariant: every table in scope is read, or it is a finding: a table that is missing, lacks a column or may not be
//! read.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, ProofInput};
use crate::model::failure::Result;
use crate::model::inventory::{Inventory, TableFacts};
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::pg::rows::{LiveTable, fingerprint_tables};
use crate::pg::session::Session;

/// The tables that can be read with the recorded columns, the largest first. The others become findings.
pub async fn readable<'a>(
    session: &Session,
    tables: &[&'a TableRecord],
    live: &Inventory,
    found: &mut Found,
    input: &ProofInput<'_>,
) -> Result<Vec<&'a TableRecord>> {
    let there: BTreeMap<&QualifiedName, &TableFacts> = live.tables.iter().map(|t| (&t.name, t)).collect();
    let mut able = Vec::new();
    for record in tables {
        match cannot_read(record, there.get(&record.name).copied()) {
            None => able.push(*record),
            Some(why) => not_read(record, why, found, input),
        }
    }
    let schemas: Vec<&str> = able.iter().map(|t| t.name.schema.as_str()).collect();
    let names: Vec<&str> = able.iter().map(|t| t.name.name.as_str()).collect();
    let denied: BTreeSet<i32> = session
        .rows(include_str!("unreadable.sql"), &[&schemas, &names])
        .await?
        .iter()
        .map(|row| row.try_get(0).map_err(anyhow::Error::new))
        .collect::<Result<_, _>>()?;
    let mut kept = Vec::new();
    for (number, record) in (1..).zip(able) {
        if denied.contains(&number) {
            not_read(record, "this role may not read it".to_string(), found, input);
        } else {
            kept.push(record);
        }
    }
    kept.sort_by(|a, b| b.bytes_raw.cmp(&a.bytes_raw).then_with(|| a.name.cmp(&b.name)));
    Ok(kept)
}

fn cannot_read(record: &TableRecord, live: Option<&TableFacts>) -> Option<String> {
    let Some(live) = live else { return Some("there is no such table".to_string()) };
    record.columns.iter().find_map(|column| match live.columns.iter().find(|c| &c.name == column) {
        None => Some(format!("it has no column {column}")),
        Some(found) if found.generated => Some(format!("its column {column} is generated")),
        Some(_) => None,
    })
}

fn not_read(record: &TableRecord, why: String, found: &mut Found, input: &ProofInput<'_>) {
    if !explain(input, &record.name, found) {
        found.add("rows_not_read", record.name.sql(), format!("{} rows", record.rows), why);
    }
}

/// Reads the tables over several sessions.
pub async fn read(
    input: &ProofInput<'_>,
    tables: &[&TableRecord],
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<LiveTable>> {
    let wanted: Vec<_> = tables.iter().map(|t| (t.name.clone(), t.columns.clone())).collect();
    fingerprint_tables(input.spec, &wanted, input.jobs, input.cancel, progress).await
}

/// Compares the tables; returns the number of tables and rows compared.
pub fn judge(input: &ProofInput<'_>, tables: &[&TableRecord], live: &[LiveTable], found: &mut Found) -> (u64, u64) {
    let read: BTreeMap<&QualifiedName, &LiveTable> = live.iter().map(|t| (&t.name, t)).collect();
    let mut rows = 0;
    for record in tables {
        let Some(is) = read.get(&record.name) else {
            not_read(record, "it was not read".to_string(), found, input);
            continue;
        };
        rows += is.rows;
        if (is.rows, is.sum.as_str()) != (record.rows, record.fingerprint.as_str())
            && !explain(input, &record.name, found)
        {
            let said = |rows: u64, sum: &str| format!("{rows} rows, fingerprint {sum}");
            found.add("rows_differ", record.name.sql(), said(record.rows, &record.fingerprint), said(is.rows, &is.sum));
        }
    }
    (live.len() as u64, rows)
}

/// Does an expected loss cover the rows of this table? If so, records that it occurred.
fn explain(input: &ProofInput<'_>, table: &QualifiedName, found: &mut Found) -> bool {
    let names = |e: &super::Expected| {
        e.rows_of.contains(table)
            || e.objects.iter().any(|o| o.kind == ObjectKind::Table && super::objects::is_table(o, table))
    };
    let at = input.expected.iter().position(names);
    if let Some(explained) = at.and_then(|at| found.explained.get_mut(at)) {
        *explained = true;
    }
    at.is_some()
}

/// Is this table in scope, with equal rows?
pub fn proven_equal(input: &ProofInput<'_>, table: &QualifiedName, found: &Found) -> bool {
    let excused = input.expected.iter().any(|e| e.rows_of.contains(table));
    let sql = table.sql();
    !excused
        && input.wanted_tables().iter().any(|t| &t.name == table)
        && !found.findings.iter().any(|f| f.code.starts_with("rows_") && f.what == sql)
}
