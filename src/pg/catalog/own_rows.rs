//! Tables of extensions that hold both the extension's rows and the user's, such as PostGIS's `spatial_ref_sys`.
//!
//! Invariant: pg_dump dumps only the rows that meet the condition given to `pg_extension_config_dump`, so a snapshot
//! has only these. Only these are compared and deleted, never the extension's own rows.

use std::collections::BTreeMap;

use super::get;
use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::pg::session::Session;

const CONDITIONS: &str = "SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, own.condition
    FROM pg_catalog.pg_extension e, ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) own (relation, condition)
    JOIN pg_catalog.pg_class c ON c.oid = own.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE own.condition <> ''";

/// For each such table the clause to append to its name in a query: `WHERE …`, as pg_dump appends it.
pub async fn conditions(session: &Session) -> Result<BTreeMap<QualifiedName, String>> {
    let rows = session.rows(CONDITIONS, &[]).await?;
    rows.iter()
        .map(|row| Ok((QualifiedName::new(get::<String>(row, 0)?, get::<String>(row, 1)?), get(row, 2)?)))
        .collect()
}

/// The condition of one table.
pub async fn condition(session: &Session, table: &QualifiedName) -> Result<Option<String>> {
    Ok(conditions(session).await?.remove(table))
}
