//! Compares stored generated columns and materialized views of the target with the snapshot's record of them.
//!
//! Invariant: no dump holds their contents and the target recomputed them, so a difference is an exception with the
//! number of rows. Contents that were not compared are an exception too. A table whose rows differ, or a view that is
//! missing, is skipped: it is reported already.

use std::time::Duration;

use super::objects::is_table;
use super::rows::proven_equal;
use super::{Found, ProofInput};
use crate::model::computed::{ComputedContent, ComputedKind, ComputedRecord};
use crate::model::failure::Result;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::manifest::{FORMAT, TableRecord};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::pg::computed::{Compared, Reader};
use crate::pg::rows::LiveTable;
use crate::pg::session::Session;
use crate::snapshot::reader::ArchiveData;
use crate::verify::rows::keys::{KeyDifferences, KeyValues, compare_keys};
use crate::verify::rows::row_source::RowSource;

/// Stable codes.
pub const GENERATED_DIFFER: &str = "generated_values_differ";
pub const VIEW_DIFFERS: &str = "materialized_view_differs";
pub const NOT_COMPARED: &str = "contents_not_compared";
/// How many keys are named.
const KEYS_NAMED: usize = 5;
const VALUE_CHARS: usize = 80;

/// Compares everything in scope; differences become exceptions.
pub async fn judge(input: &ProofInput<'_>, live: &Inventory, found: &mut Found) -> Result<()> {
    let Some(records) = &input.manifest.computed else {
        let missing = not_recorded(input);
        found.exceptions.extend(missing);
        return Ok(());
    };
    let wanted: Vec<&ComputedRecord> = records.iter().filter(|record| in_scope(input, record, found)).collect();
    let reader = Reader { spec: input.spec, jobs: input.jobs, lock_wait: Duration::ZERO, cancel: input.cancel };
    let compared = reader.compare(&wanted).await?;
    for (record, compared) in wanted.into_iter().zip(compared) {
        let exception = match compared {
            Compared::Equal | Compared::OtherObject => continue,
            Compared::NotCompared(why) => not_compared(record.what(), why),
            Compared::Differs(now) if record.kind == ComputedKind::MaterializedView => view_differs(record, &now),
            Compared::Differs(now) => generated_differ(input, live, record, &now).await?,
        };
        found.exceptions.push(exception);
    }
    Ok(())
}

fn in_scope(input: &ProofInput<'_>, record: &ComputedRecord, found: &Found) -> bool {
    match record.kind {
        ComputedKind::GeneratedColumns => proven_equal(input, &record.name, found),
        ComputedKind::MaterializedView => views(input).any(|view| is_table(&ObjectName::of(view), &record.name)),
    }
}

/// Materialized views that must exist and are not expected to be missing.
fn views<'a>(input: &'a ProofInput<'_>) -> impl Iterator<Item = &'a CatalogObject> {
    let views = input.inventory.of_kind(ObjectKind::MaterializedView).filter(|view| view.extension.is_none());
    views.filter(|view| {
        let name = ObjectName::of(view);
        input.objects.is_none_or(|wanted| wanted(view)) && !input.expected.iter().any(|e| e.objects.contains(&name))
    })
}

/// A snapshot before format 1.4 does not record their contents.
fn not_recorded(input: &ProofInput<'_>) -> Option<Exception> {
    let is_generated = |record: &&TableRecord| {
        input.inventory.table(&record.name).is_some_and(|facts| facts.columns.iter().any(|c| c.generated))
    };
    let tables = input.wanted_tables().iter().filter(|record| is_generated(record)).count();
    let views = views(input).count();
    (tables + views > 0).then(|| {
        let what = format!("{views} materialized views, generated columns of {tables} tables");
        let format = input.manifest.format;
        let why = format!("the snapshot's format {}.{} does not record their contents", format.major, format.minor);
        let todo = format!("a snapshot taken now has format {}.{} and records it", FORMAT.major, FORMAT.minor);
        Exception { code: NOT_COMPARED.into(), what, why, todo }
    })
}

fn not_compared(what: String, why: String) -> Exception {
    let todo = "if it matters, compare it with the source by hand".to_string();
    Exception { code: NOT_COMPARED.into(), what, why, todo }
}

fn view_differs(record: &ComputedRecord, now: &LiveTable) -> Exception {
    let was = match &record.content {
        ComputedContent::Read { rows, .. } => *rows,
        ComputedContent::NotRead { .. } => 0,
    };
    let counts = if was == now.rows {
        format!("it has {was} rows like the snapshot, with other values")
    } else {
        format!("it had {was} rows and has {}", now.rows)
    };
    let why = format!("{counts}: the restore refreshed it from the current rows");
    let todo = "either the source had not refreshed it, or it depends on the time or on settings".to_string();
    Exception { code: VIEW_DIFFERS.into(), what: record.what(), why, todo }
}

async fn generated_differ(
    input: &ProofInput<'_>,
    live: &Inventory,
    record: &ComputedRecord,
    now: &LiveTable,
) -> Result<Exception> {
    let rows_text = match (input.place, record.as_table()) {
        (Some(place), Some(table)) => {
            let session = Session::open(input.spec, super::APPLICATION).await?;
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
            let data = ArchiveData::generated(place, std::slice::from_ref(&table));
            let sources = (&RowSource::Archive(&data), &RowSource::LiveComputed(&session));
            let objects = (&input.inventory.objects[..], &live.objects[..]);
            match compare_keys(&table, objects, sources, input.cancel).await? {
                Ok(keys) => rows_told(&keys, now.rows),
                Err(why) => format!("some of its {} rows ({why})", now.rows),
            }
        }
        _ => format!("some of its {} rows", now.rows),
    };
    let file = record.as_table().and_then(|table| table.data_file).unwrap_or_default();
    Ok(Exception {
        code: GENERATED_DIFFER.into(),
        what: record.what(),
        why: format!("{rows_text} have other generated values: the target computes them with the current functions"),
        todo: format!("the snapshot's values are in {file}; decide which are right"),
    })
}

/// The number of rows, and the first keys.
fn rows_told(keys: &KeyDifferences, rows: u64) -> String {
    let count = keys.changed + keys.removed.max(keys.added);
    if keys.changed_keys.is_empty() {
        return format!("{count} of {rows} rows");
    }
    let named: Vec<String> = keys.changed_keys.iter().take(KEYS_NAMED).map(values).collect();
    let more = if keys.changed > named.len() as u64 { ", …" } else { "" };
    format!("{count} of {rows} rows ({} = {}{more})", keys.key.join(", "), named.join(", "))
}

fn values(key: &KeyValues) -> String {
    let texts: Vec<String> =
        key.iter().map(|v| v.as_deref().unwrap_or("NULL").chars().take(VALUE_CHARS).collect()).collect();
    if let [only] = texts.as_slice() { only.clone() } else { format!("({})", texts.join(", ")) }
}
