//! Marks of tables: what changes whenever a table's rows do, told by the server without reading them.
//!
//! Invariant: equal marks, since the same moment and with nobody who could hold counts back, mean that COPY would write
//! what it wrote then. What could break that has no mark (see `sql/marks.sql`) or moves the moment: a crash, a restart,
//! a reset of statistics, settings that were read again. Marks that are kept are read before the snapshot is exported,
//! so a write in between is a false alarm. Not seen: a superuser's session that switches `track_counts` off for
//! itself, and tools that change pages behind the server's back. So no verdict rests on marks alone (`row_ages`, the proof).

use std::collections::BTreeMap;

use super::marker::{counting, distrust_of_marked};
use super::{NO_JIT, get, query};
use crate::model::failure::Result;
use crate::model::manifest::TableMark;
use crate::pg::session::Session;

/// The marks of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// What the counts have in common. Marks of two moments are comparable when it is equal; `None`: with none at all.
    pub since: Option<String>,
    /// By the table's oid.
    pub tables: BTreeMap<u32, TableMark>,
}

/// The marks of now, of every table that can have one, on a plain session (outside any transaction). They are empty
/// where the server's counters do not tell everything.
pub async fn marks(session: &Session) -> Result<Marks> {
    if counting(session).await?.is_some() {
        return Ok(Marks::default());
    }
    // Asked on both sides: counts that were reset in between are of neither.
    let before = since(session).await?;
    session.execute(&format!("{NO_JIT}; SELECT pg_catalog.pg_stat_clear_snapshot()")).await?;
    let mut tables = BTreeMap::new();
    for row in query(session, include_str!("../sql/marks.sql")).await? {
        // The server looks where a table's rows are when it writes the line: a table that was dropped while the query
        // ran has no place any more.
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

/// The marks of now, to be compared with those that were kept; or why they would prove nothing. Who is busy is asked
/// first and the counters after it: what was written before it was asked is counted.
pub async fn trusted(session: &Session) -> Result<std::result::Result<Marks, String>> {
    if let Some(doubt) = distrust_of_marked(session).await? {
        return Ok(Err(doubt));
    }
    Ok(Ok(marks(session).await?))
}

async fn since(session: &Session) -> Result<String> {
    get(&session.one(include_str!("../sql/marks_since.sql"), &[]).await?, 0)
}
