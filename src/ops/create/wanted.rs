//! The tables that pg_dump gets, and the size of what it reads: read from the catalogs right before it starts.
//!
//! Invariant: it queries only what the run needs, and no query waits behind DDL.

use super::gate::Gate;
use super::selection::{COMPRESSED_FROM_BYTES, Selection};
use crate::model::failure::Result;
use crate::model::inventory::TableFacts;
use crate::model::name::QualifiedName;
use crate::pg::catalog::tables;
use crate::pg::session::Session;

/// The selection, resolved against the catalogs.
pub struct Wanted {
    /// Dump only these tables; all when empty.
    pub tables: Vec<QualifiedName>,
    pub exclude_data: Vec<QualifiedName>,
    /// Whether readable SQL and CSV are compressed.
    pub compressed: bool,
}

impl Wanted {
    pub async fn of(selection: &Selection, database_bytes: u64, session: &Session, gate: &Gate) -> Result<Self> {
        // A database below the bound has fewer bytes of rows than the bound.
        let by_size = selection.depends_on_size() && database_bytes >= COMPRESSED_FROM_BYTES;
        if !by_size && selection.tables.is_empty() && selection.exclude_data.is_empty() {
            let compressed = selection.compresses(0);
            return Ok(Self { tables: Vec::new(), exclude_data: Vec::new(), compressed });
        }
        let facts = tables::tables(session).await?;
        let named = Selection::matching(&selection.tables, &facts)?;
        let excluded = selection.rows_excluded(&facts);
        let mut rows_bytes = 0;
        if by_size {
            let read = |t: &&TableFacts| {
                (named.is_empty() || named.contains(t)) && !excluded.contains(t) && t.extension.is_none()
            };
            rows_bytes = size(&facts.iter().filter(read).collect::<Vec<_>>(), session, gate).await?;
        }
        let names = |tables: &[&TableFacts]| tables.iter().map(|t| t.name.clone()).collect();
        Ok(Self { tables: names(&named), exclude_data: names(&excluded), compressed: selection.compresses(rows_bytes) })
    }
}

/// Bytes of these tables' rows: the size on disk if we hold the locks, else an estimate from the catalogs.
async fn size(wanted: &[&TableFacts], session: &Session, gate: &Gate) -> Result<u64> {
    if gate.is_closed() {
        let oids: Vec<u32> = wanted.iter().map(|t| t.oid).collect();
        tables::bytes_on_disk(session, &oids).await
    } else {
        Ok(wanted.iter().map(|t| t.bytes_estimated).sum())
    }
}
