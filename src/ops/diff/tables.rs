//! Compares rows and fingerprints of each table.
//!
//! Invariant: two fingerprints are compared only if they cover the same columns in the same order. A table whose rows
//! one side does not hold is named as not compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::compared::{Compared, NotCompared, RowChange, TableDifference, of};
use super::computed;
use super::side::{Live, Side, Snapshot};
use super::{Depth, DiffRequest};
use crate::model::cancel::Cancel;
use crate::model::failure::Result;
use crate::model::inventory::{Inventory, TableFacts};
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;
use crate::monitor::millis;
use crate::monitor::{Event, Monitor, Phase};
use crate::pg::rows::fingerprint_tables_at;
use crate::verify::rows::keys;
use crate::verify::rows::row_source::RowSource;

/// Row count and fingerprint of a table on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    rows: u64,
    fingerprint: String,
}

/// Compares every table that both sides have.
pub async fn compare_rows(
    request: &DiffRequest,
    left: &Snapshot,
    right: &Side,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<Compared> {
    let mut compared = Compared::default();
    let pairs = pairs(left, right, &mut compared);
    let known = match right {
        Side::Snapshot(snapshot) => recorded(snapshot),
        Side::Live(live) => read_live(live, &pairs, request, monitor, cancel).await?,
    };
    let sources = (RowSource::Archive(&left.archive), right.rows());
    for record in pairs {
        let Some(is) = known.get(&record.name) else { continue };
        compared.tables += 1;
        compared.rows += record.rows;
        if is.rows == record.rows && is.fingerprint == record.fingerprint {
            continue;
        }
        let mut difference = TableDifference {
            rows_left: Some(record.rows),
            rows_right: Some(is.rows),
            ..of(&record.name, RowChange::Rows)
        };
        if request.depth == Depth::Keys && record.data_file.is_none() {
            difference.keys_why_not =
                Some("it is a table of an extension: its rows are not in the archive".to_string());
        } else if request.depth == Depth::Keys {
            let message = format!("finding the rows that differ in {}", record.name.plain());
            monitor.event(Event::Note { message });
            let objects = (&left.inventory.objects[..], &right.inventory().objects[..]);
            match keys::compare_keys(record, objects, (&sources.0, &sources.1), cancel).await? {
                Ok(found) => difference.keys = Some(found),
                Err(why) => difference.keys_why_not = Some(why),
            }
        }
        compared.differences.push(difference);
    }
    computed::compare_computed(request, left, right, cancel, &mut compared).await?;
    compared.differences.sort_by(|a, b| a.table.cmp(&b.table));
    compared.not_compared.sort();
    Ok(compared)
}

/// Records of the left whose rows can be compared, the largest first. Everything else goes to `compared` at once.
fn pairs<'a>(left: &'a Snapshot, right: &Side, compared: &mut Compared) -> Vec<&'a TableRecord> {
    let (was, is) = (by_name(&left.inventory), by_name(right.inventory()));
    let records: BTreeMap<&QualifiedName, &TableRecord> = left.records().map(|t| (&t.name, t)).collect();
    let others: BTreeMap<&QualifiedName, &TableRecord> = match right {
        Side::Snapshot(snapshot) => snapshot.records().map(|t| (&t.name, t)).collect(),
        Side::Live(_) => BTreeMap::new(),
    };
    let names: BTreeSet<&QualifiedName> = was.keys().chain(is.keys()).copied().collect();
    let mut pairs = Vec::new();
    for name in names {
        let (record, other) = (records.get(name).copied(), others.get(name).copied());
        let (rows_left, rows_right) = (record.map(|r| r.rows), other.map(|r| r.rows));
        let change = match (was.get(name), is.get(name)) {
            (Some(_), None) => RowChange::Missing,
            (None, _) => RowChange::Extra,
            (Some(facts), Some(now)) => {
                let Some(record) = record else {
                    compared.not_compared.push(unknown(facts, "left"));
                    continue;
                };
                let same_columns = match (right, other) {
                    (Side::Live(_), _) => sorted(&record.columns) == sorted(&written(now)),
                    (_, Some(other)) => record.columns == other.columns,
                    (_, None) => {
                        compared.not_compared.push(unknown(now, "right"));
                        continue;
                    }
                };
                if same_columns {
                    pairs.push(record);
                    continue;
                }
                RowChange::Columns
            }
        };
        compared.differences.push(TableDifference { rows_left, rows_right, ..of(name, change) });
    }
    pairs.sort_by_key(|record| std::cmp::Reverse(record.bytes_raw));
    pairs
}

fn by_name(inventory: &Inventory) -> BTreeMap<&QualifiedName, &TableFacts> {
    inventory.tables.iter().map(|table| (&table.name, table)).collect()
}

/// The columns that COPY writes by default.
fn written(table: &TableFacts) -> Vec<String> {
    table.columns.iter().filter(|c| !c.generated).map(|c| c.name.clone()).collect()
}

fn sorted(columns: &[String]) -> Vec<&String> {
    let mut columns: Vec<&String> = columns.iter().collect();
    columns.sort();
    columns
}

fn unknown(table: &TableFacts, side: &str) -> NotCompared {
    let why = match &table.extension {
        Some(extension) => format!("it is a table of the extension {extension}, whose rows the snapshot does not hold"),
        None => format!("its rows are excluded from the snapshot on the {side}"),
    };
    NotCompared { what: table.name.plain(), why }
}

fn recorded(snapshot: &Snapshot) -> BTreeMap<QualifiedName, Known> {
    let known = |t: &TableRecord| (t.name.clone(), Known { rows: t.rows, fingerprint: t.fingerprint.clone() });
    snapshot.records().map(known).collect()
}

async fn read_live(
    live: &Live,
    pairs: &[&TableRecord],
    request: &DiffRequest,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<BTreeMap<QualifiedName, Known>> {
    let clock = Instant::now();
    let bytes_total = Some(pairs.iter().map(|record| record.bytes_raw).sum());
    monitor.event(Event::PhaseStarted { phase: Phase::Dump, bytes_total });
    let wanted: Vec<(QualifiedName, Vec<String>)> =
        pairs.iter().map(|record| (record.name.clone(), record.columns.clone())).collect();
    let done = AtomicU64::new(0);
    let progress = |bytes: u64| {
        if bytes > 0 {
            let bytes_done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
            monitor.event(Event::PhaseProgress { phase: Phase::Dump, bytes_done });
        }
    };
    let exported = &live.holder.exported;
    let tables =
        fingerprint_tables_at(&live.spec, exported, &wanted, request.jobs, request.lock_wait, cancel, &progress)
            .await?;
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let summary = format!("{} tables, {rows} rows", tables.len());
    let duration_ms = millis(clock.elapsed());
    monitor.event(Event::PhaseEnded { phase: Phase::Dump, summary, duration_ms });
    Ok(tables.into_iter().map(|t| (t.name, Known { rows: t.rows, fingerprint: t.sum })).collect())
}
