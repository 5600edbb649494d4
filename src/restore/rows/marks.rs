//! Finds tables of a snapshot's own database that no session wrote to since the snapshot: they are equal and need not
//! be read.
//!
//! Invariant: a table is vouched for only if its mark is the snapshot's, counted since the same reset, and no session
//! can hold counts back (`pg::catalog::marks`). In any doubt tables are read, and the reason is logged. It writes
//! nothing. It decides what a plan reads, never what the proof reads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::model::failure::Result;
use crate::model::inventory::Inventory;
use crate::model::manifest::{Manifest, TableMark, TableRecord};
use crate::model::name::QualifiedName;
use crate::pg::catalog::marker::{horizon, nothing_committed};
use crate::pg::catalog::marks::{Marks, trusted};
use crate::pg::catalog::row_ages::{ages, oldest_unseen};
use crate::pg::session::Session;
use crate::restore::Engine;

/// Approximate reading speed. Waiting for a session to become idle may take half the time of reading.
const READ_BYTES_PER_SECOND: u64 = 200 << 20;
/// An idle session has reported its counts by then.
const WAIT_MAX: Duration = Duration::from_secs(12);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The tables of `records` that are unchanged since the snapshot, by their names in it. `renamed`: include tables that
/// were renamed since, because the restore renames them back.
pub async fn unwritten_since_snapshot(
    engine: &Engine<'_>,
    session: &Session,
    live: &Inventory,
    records: &[&TableRecord],
    renamed: bool,
) -> Result<BTreeSet<QualifiedName>> {
    let manifest = &engine.source.manifest;
    if engine.request.read_all {
        return Ok(BTreeSet::new());
    }
    let marked = records.iter().filter(|record| record.mark.is_some());
    let bytes: u64 = marked.clone().map(|record| record.bytes_raw).sum();
    if marked.count() == 0 || counted_since(manifest).is_none() {
        return Ok(BTreeSet::new());
    }
    let patience = Duration::from_millis(1000 * bytes / READ_BYTES_PER_SECOND / 2).min(WAIT_MAX);
    let clock = Instant::now();
    let marks = loop {
        let doubt = match trusted(session).await? {
            Ok(marks) => break marks,
            Err(doubt) => doubt,
        };
        if clock.elapsed() + LOOK_AGAIN > patience || engine.cancel.is_cancelled() {
            engine.monitor.note(format!("every table is read: {doubt}"));
            return Ok(BTreeSet::new());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    if marks.since.as_deref() != counted_since(manifest) {
        let why = "the server was restarted, its settings were reloaded or its statistics were reset";
        engine.monitor.note(format!("every table is read: {why}"));
        return Ok(BTreeSet::new());
    }
    let names: BTreeMap<u32, &QualifiedName> = live.tables.iter().map(|table| (table.oid, &table.name)).collect();
    let is_same = |record: &&&TableRecord| {
        let name = record.mark.as_ref().and_then(|mark| names.get(&mark.oid));
        // Another table may have this name by now: that one must be read.
        let comes_back = renamed && live.table(&record.name).is_none();
        untouched(record.mark.as_ref(), &marks) && name.is_some_and(|name| comes_back || **name == record.name)
    };
    Ok(records.iter().filter(is_same).map(|record| record.name.clone()).collect())
}

/// Has no transaction of the whole server ended since the snapshot? Then nothing was written, whatever the marks say.
/// Otherwise a session that may switch `track_counts` off could have written without moving a mark.
pub async fn nothing_ended(engine: &Engine<'_>, session: &Session) -> Result<bool> {
    let Some(marker) = &engine.source.manifest.change_marker else { return Ok(false) };
    Ok(nothing_committed(&marker.transaction_horizon, &horizon(session).await?))
}

/// The tables of `records` whose rows' transaction ids or count differ from the snapshot. No value is read.
pub async fn written(
    engine: &Engine<'_>,
    session: &Session,
    records: &[&TableRecord],
) -> Result<BTreeSet<QualifiedName>> {
    let mut found = BTreeSet::new();
    let then = engine.source.manifest.change_marker.as_ref().map_or("", |marker| &marker.transaction_horizon);
    let oldest = oldest_unseen(then, &horizon(session).await?);
    for record in records {
        let same = match oldest {
            Some(oldest) => {
                let now = ages(session, &record.name, oldest).await?;
                !now.any_newer && now.rows == record.rows
            }
            None => false,
        };
        if !same {
            found.insert(record.name.clone());
        }
    }
    Ok(found)
}

fn counted_since(manifest: &Manifest) -> Option<&str> {
    manifest.change_marker.as_ref()?.counted_since.as_deref()
}

/// Does the recorded mark equal the current one?
fn untouched(kept: Option<&TableMark>, now: &Marks) -> bool {
    kept.is_some_and(|kept| now.tables.get(&kept.oid) == Some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> TableMark {
        TableMark { oid: 16_400, filenode: 16_401, inserted: 5, updated: 2, deleted: 1, layout: "a".into() }
    }

    #[test]
    fn whatever_is_different_in_a_mark_is_read() {
        let now = |mark: TableMark| Marks { since: None, tables: BTreeMap::from([(mark.oid, mark)]) };
        assert!(untouched(Some(&mark()), &now(mark())));
        assert!(!untouched(None, &now(mark())), "a snapshot of an older format");
        assert!(!untouched(Some(&mark()), &Marks::default()), "a table that has no mark any more");
        let others = [
            TableMark { oid: 16_402, ..mark() },
            TableMark { filenode: 16_402, ..mark() },
            TableMark { inserted: 6, ..mark() },
            TableMark { updated: 3, ..mark() },
            TableMark { deleted: 2, ..mark() },
            // Counters that went down were reset.
            TableMark { inserted: 4, ..mark() },
            TableMark { inserted: 0, updated: 0, deleted: 0, ..mark() },
            TableMark { layout: "b".into(), ..mark() },
        ];
        for other in others {
            assert!(!untouched(Some(&mark()), &now(other.clone())), "{other:?}");
        }
    }
}
