//! Reads the tables that hold rows: ordinary tables and leaf partitions, in every schema except the server's own.
//!
//! Invariant: columns are those of the snapshot's own `pg_attribute`, in the order in which COPY writes them; temporary
//! tables never appear. Sizes and row counts are estimates for planning, never a proof.

use super::{get, query};
use crate::model::failure::Result;
use crate::model::inventory::{Column, TableFacts};
use crate::model::name::QualifiedName;
use crate::pg::session::Session;

/// Size of the tables on disk in bytes, without indexes. It waits behind DDL on them: call it while holding their
/// locks.
pub async fn bytes_on_disk(session: &Session, oids: &[u32]) -> Result<u64> {
    let sql = "SELECT coalesce(sum(pg_catalog.pg_table_size(oid)), 0)::int8 FROM pg_catalog.unnest($1::oid[]) oid";
    Ok(session.one(sql, &[&oids]).await?.get::<_, i64>(0).unsigned_abs())
}

/// Every table with rows of its own, sorted by schema and name.
pub async fn tables(session: &Session) -> Result<Vec<TableFacts>> {
    let rows = query(session, include_str!("../sql/tables.sql")).await?;
    rows.iter()
        .map(|row| {
            let names: Vec<String> = get::<Option<_>>(row, 8)?.unwrap_or_default();
            let types: Vec<Option<String>> = get::<Option<_>>(row, 9)?.unwrap_or_default();
            let generated: Vec<bool> = get::<Option<_>>(row, 10)?.unwrap_or_default();
            let columns = names.into_iter().zip(types).zip(generated);
            Ok(TableFacts {
                oid: get(row, 0)?,
                name: QualifiedName::new(get::<String>(row, 1)?, get::<String>(row, 2)?),
                columns: columns
                    .map(|((name, kind), generated)| Column { name, type_name: kind.unwrap_or_default(), generated })
                    .collect(),
                persistence: get::<String>(row, 3)?.chars().next().unwrap_or('p'),
                extension: get(row, 4)?,
                extension_config: get(row, 5)?,
                // A table dropped in the meantime has no size.
                bytes_estimated: get::<Option<i64>>(row, 6)?.unwrap_or(0).unsigned_abs(),
                rows_estimated: get(row, 7)?,
            })
        })
        .collect()
}
