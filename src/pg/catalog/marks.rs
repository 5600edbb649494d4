//! Marks of tables: values that change whenever a table's rows change, reported by the server without reading rows.
//!
//! Invariant: equal marks with the same `since`, and no session that may hold back counts, mean that COPY would write
//! the same text again. A table for which this could fail has no mark (see `sql/marks.sql`); a crash, a restart, a
//! statistics reset or a configuration reload changes `since`. Stored marks are read before the snapshot is exported,
//! so a write in between causes a false alarm. Not detected: a superuser session with `track_counts` off, and tools
//! that change pages outside the server. So no verdict ever rests on marks alone (`row_ages`, the proof).

use std::collections::BTreeMap;

use super::marker::{counting, distrust_of_marked};
use super::{NO_JIT, get, query};
use crate::model::failure::Result;
use crate::model::manifest::TableMark;
use crate::pg::session::Session;

/// The marks read at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// The start of counting. Marks are comparable only if it is equal; with `None` they are comparable to nothing.
    pub since: Option<String>,
    /// Keyed by the table's OID.
    pub tables: BTreeMap<u32, TableMark>,
}

/// The current marks of all tables that can have one, on a plain session (outside any transaction). Empty if the
/// server's counters miss writes.
pub async fn marks(session: &Session) -> Result<Marks> {
    if counting(session).await?.is_some() {
        return Ok(Marks::default());
    }
    // Read before and after: if the counters were reset in between, the marks are useless.
    let before = since(session).await?;
    session.execute(&format!("{NO_JIT}; SELECT pg_catalog.pg_stat_clear_snapshot()")).await?;
    let mut tables = BTreeMap::new();
    for row in query(session, include_str!("../sql/marks.sql")).await? {
        // The filenode is looked up when the row is produced: it is null for a table dropped while the query ran.
        let Some(filenode) = get(&row, 1)? else { continue };
        let mark = TableMark {
            oid: get(&row, 0)?,
            filenode,
            inserted: get(&row, 2)?,
            updated: get(&row, 3)?,
            deleted: get(&row, 4)?,
            layout: get(&row, 5)?,
        };
        tables.insert(mark.oid, mark);
    }
    let after = since(session).await?;
    Ok(if before == after { Marks { since: Some(after), tables } } else { Marks::default() })
}

/// The current marks, for comparison with stored ones; or the reason why they would prove nothing. Busy sessions are
/// checked before the counters are read: any write before the check is counted.
pub async fn trusted(session: &Session) -> Result<std::result::Result<Marks, String>> {
    if let Some(doubt) = distrust_of_marked(session).await? {
        return Ok(Err(doubt));
    }
    Ok(Ok(marks(session).await?))
}

async fn since(session: &Session) -> Result<String> {
    get(&session.one(include_str!("../sql/marks_since.sql"), &[]).await?, 0)
}
