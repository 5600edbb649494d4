//! Rows that point into another tenant: which reference, how many, and the keys of the first ones.
//!
//! Invariant: a row is a leak when it has an owner, the row that it names has one, and they differ. It stays its owner's.

use serde::Serialize;

use super::sql::OwnerSql;
use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::model::relations::Relations;
use crate::model::tenancy::{Tenancy, columns_text};
use crate::pg::session::Session;

/// Keys that are shown of each reference.
pub const KEYS_SHOWN: usize = 20;

/// One reference with rows that leak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    pub table: QualifiedName,
    pub reference: String,
    pub columns: String,
    pub parent: QualifiedName,
    pub rows: u64,
    /// The columns that name a row.
    pub key: Vec<String>,
    /// The first of them.
    pub examples: Vec<LeakedRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeakedRow {
    pub key: Vec<Option<String>>,
    pub owner: String,
    /// Whose the row is that it names.
    pub points_into: String,
}

/// The keys of one reference's leaks.
pub async fn leak(
    session: &Session,
    relations: &Relations,
    tenancy: &Tenancy,
    reference: usize,
    rows: u64,
) -> Result<Leak> {
    let of = &tenancy.references[reference];
    let mut found = Leak {
        table: of.child.clone(),
        reference: of.name.clone(),
        columns: columns_text(of),
        parent: of.parent.clone(),
        rows,
        key: Vec::new(),
        examples: Vec::new(),
    };
    let (Some(relation), Some(labelled)) = (relations.table(&of.child), OwnerSql::of(relations, tenancy, &of.child))
    else {
        return Ok(found);
    };
    found.key = relation.row_key_names();
    let Some(joined) = labelled.joined.iter().find(|j| j.reference == reference) else { return Ok(found) };
    let sql = format!(
        "{}SELECT q.key, q.own, q.other FROM (SELECT {} AS key, {} AS own, {}.own AS other FROM {}) q \
         WHERE q.own <> q.other ORDER BY q.key LIMIT {KEYS_SHOWN}",
        labelled.with,
        relation.row_key_sql("t"),
        labelled.owner,
        joined.alias,
        labelled.from
    );
    for row in session.rows(&sql, &[]).await? {
        found.examples.push(LeakedRow {
            key: row.try_get(0).map_err(anyhow::Error::new)?,
            owner: row.try_get(1).map_err(anyhow::Error::new)?,
            points_into: row.try_get(2).map_err(anyhow::Error::new)?,
        });
    }
    Ok(found)
}
