//! Compares stored generated columns and materialized views.
//!
//! Invariant: contents are compared only where both sides hold the same columns of the same object. Generated values
//! are compared only where the table's own rows are equal; otherwise the rows are already reported. Contents that one
//! side does not hold are named as not compared.

use std::collections::BTreeSet;

use super::compared::{Compared as Rows, NotCompared, RowChange, TableDifference, of};
use super::side::{Live, Side, Snapshot};
use super::{Depth, DiffRequest};
use crate::model::cancel::Cancel;
use crate::model::computed::{ComputedContent, ComputedKind, ComputedRecord};
use crate::model::failure::Result;
use crate::model::inventory::Inventory;
use crate::model::manifest::{Manifest, TableRecord};
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::pg::computed::{Compared, Reader};
use crate::snapshot::reader::ArchiveData;
use crate::verify::rows::keys;
use crate::verify::rows::row_source::RowSource;

/// Adds differences to `rows`, and what was not compared.
pub async fn compare_computed(
    request: &DiffRequest,
    left: &Snapshot,
    right: &Side,
    cancel: &Cancel,
    rows: &mut Rows,
) -> Result<()> {
    let Some(records) = &left.manifest.computed else {
        rows.not_compared.extend(not_recorded(&left.inventory, &left.manifest, "left"));
        return Ok(());
    };
    let told: BTreeSet<&QualifiedName> = rows.differences.iter().map(|difference| &difference.table).collect();
    let wanted: Vec<&ComputedRecord> = records.iter().filter(|record| !told.contains(&record.name)).collect();
    let outcomes = match right {
        Side::Live(live) => of_live(live, request, cancel, &wanted).await?,
        Side::Snapshot(other) => match &other.manifest.computed {
            Some(others) => wanted.iter().map(|record| of_snapshot(record, others)).collect(),
            None => {
                rows.not_compared.extend(not_recorded(&other.inventory, &other.manifest, "right"));
                return Ok(());
            }
        },
    };
    for (record, outcome) in wanted.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Equal | Outcome::OtherObject => {}
            Outcome::NotCompared(why) => rows.not_compared.push(NotCompared { what: record.what(), why }),
            Outcome::Differs(rows_right) => {
                let difference = difference(request, left, right, record, rows_right, cancel).await?;
                rows.differences.push(difference);
            }
        }
    }
    Ok(())
}

enum Outcome {
    Equal,
    /// The number of rows on the right.
    Differs(u64),
    NotCompared(String),
    OtherObject,
}

async fn of_live(
    live: &Live,
    request: &DiffRequest,
    cancel: &Cancel,
    wanted: &[&ComputedRecord],
) -> Result<Vec<Outcome>> {
    let reader = Reader { spec: &live.spec, jobs: request.jobs, lock_wait: request.lock_wait, cancel };
    let compared = reader.compare_at(&live.holder.exported, wanted).await?;
    let outcome = |compared| match compared {
        Compared::Equal => Outcome::Equal,
        Compared::Differs(now) => Outcome::Differs(now.rows),
        Compared::NotCompared(why) => Outcome::NotCompared(why),
        Compared::OtherObject => Outcome::OtherObject,
    };
    Ok(compared.into_iter().map(outcome).collect())
}

fn of_snapshot(record: &ComputedRecord, others: &[ComputedRecord]) -> Outcome {
    let Some(other) = others.iter().find(|other| other.name == record.name && other.kind == record.kind) else {
        return Outcome::OtherObject;
    };
    let not_held = |side: &str, why: &str| Outcome::NotCompared(format!("the snapshot on the {side} lacks it: {why}"));
    match (&record.content, &other.content) {
        (ComputedContent::NotRead { why }, _) => not_held("left", why),
        (_, ComputedContent::NotRead { why }) => not_held("right", why),
        _ if record.columns != other.columns => Outcome::NotCompared("its columns are different".to_string()),
        (
            ComputedContent::Read { rows: was, fingerprint: left, .. },
            ComputedContent::Read { rows: is, fingerprint: right, .. },
        ) => {
            if was == is && left == right {
                Outcome::Equal
            } else {
                Outcome::Differs(*is)
            }
        }
    }
}

async fn difference(
    request: &DiffRequest,
    left: &Snapshot,
    right: &Side,
    record: &ComputedRecord,
    rows_right: u64,
    cancel: &Cancel,
) -> Result<TableDifference> {
    let table = record.as_table();
    let change = match record.kind {
        ComputedKind::GeneratedColumns => RowChange::GeneratedColumns,
        ComputedKind::MaterializedView => RowChange::MaterializedView,
    };
    let mut difference = TableDifference {
        rows_left: table.as_ref().map(|table| table.rows),
        rows_right: Some(rows_right),
        ..of(&record.name, change)
    };
    let Some(table) = table.filter(|_| request.depth == Depth::Keys) else { return Ok(difference) };
    if record.kind == ComputedKind::MaterializedView {
        difference.keys_why_not = Some("a snapshot keeps only the fingerprint of a materialized view".to_string());
        return Ok(difference);
    }
    let mine = left.generated(std::slice::from_ref(&table));
    let theirs = match right {
        Side::Snapshot(snapshot) => snapshot.generated(&records(&snapshot.manifest)),
        Side::Live(_) => ArchiveData::default(),
    };
    let sources = match right {
        Side::Snapshot(_) => (RowSource::Archive(&mine), RowSource::Archive(&theirs)),
        Side::Live(live) => (RowSource::Archive(&mine), RowSource::LiveComputed(&live.session)),
    };
    let objects = (&left.inventory.objects[..], &right.inventory().objects[..]);
    match keys::compare_keys(&table, objects, (&sources.0, &sources.1), cancel).await? {
        Ok(found) => difference.keys = Some(found),
        Err(why) => difference.keys_why_not = Some(why),
    }
    Ok(difference)
}

fn records(manifest: &Manifest) -> Vec<TableRecord> {
    manifest.computed.iter().flatten().filter_map(ComputedRecord::as_table).collect()
}

/// What a snapshot before format 1.4 does not record.
fn not_recorded(inventory: &Inventory, manifest: &Manifest, side: &str) -> Vec<NotCompared> {
    let why = format!(
        "the snapshot on the {side} has format {}.{}, which does not record it",
        manifest.format.major, manifest.format.minor
    );
    let views = inventory.of_kind(ObjectKind::MaterializedView).filter(|view| view.extension.is_none());
    let views = views.map(|view| format!("materialized view {}", view.identity));
    let is_generated = |record: &&TableRecord| {
        inventory.table(&record.name).is_some_and(|facts| facts.columns.iter().any(|column| column.generated))
    };
    let tables = manifest.tables.iter().filter(is_generated);
    let tables = tables.map(|record| format!("generated columns of {}", record.name.plain()));
    views.chain(tables).map(|what| NotCompared { what, why: why.clone() }).collect()
}
