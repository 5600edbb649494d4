//! Finds the relations with computed contents (stored generated columns, materialized views) and how to read them.
//!
//! Invariant: one query. A relation that cannot be read now is listed with the obstacle, never left out.

use super::{get, query};
use crate::model::computed::ComputedKind;
use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::pg::session::Session;

/// One relation with computed contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputedRelation {
    pub oid: u32,
    pub name: QualifiedName,
    pub kind: ComputedKind,
    /// False for a materialized view without data.
    pub populated: bool,
    /// Whether the connecting role may read it.
    pub readable: bool,
    /// The columns that a snapshot reads, in this order.
    pub columns: Vec<String>,
    /// Every column that stores a value.
    pub all: Vec<String>,
}

/// All such relations, by name.
pub async fn computed(session: &Session) -> Result<Vec<ComputedRelation>> {
    let rows = query(session, include_str!("../sql/computed.sql")).await?;
    rows.iter()
        .map(|row| {
            let is_view: bool = get(row, 3)?;
            Ok(ComputedRelation {
                oid: get(row, 0)?,
                name: QualifiedName::new(get::<String>(row, 1)?, get::<String>(row, 2)?),
                kind: if is_view { ComputedKind::MaterializedView } else { ComputedKind::GeneratedColumns },
                populated: get(row, 4)?,
                readable: get(row, 5)?,
                columns: get(row, 6)?,
                all: get(row, 7)?,
            })
        })
        .collect()
}
