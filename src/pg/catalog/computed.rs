//! Which relations hold computed contents, and how they are read: stored generated columns and materialized views.
//!
//! Invariant: one query; a relation that cannot be read now is listed with what stands in the way, never left out.

use super::{get, query};
use crate::model::computed::ComputedKind;
use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::pg::session::Session;

/// One relation that holds some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputedRelation {
    pub oid: u32,
    pub name: QualifiedName,
    pub kind: ComputedKind,
    /// A materialized view may hold nothing yet.
    pub populated: bool,
    /// May this role read it?
    pub readable: bool,
    /// What a snapshot reads, in this order.
    pub columns: Vec<String>,
    /// Every column that holds something.
    pub all: Vec<String>,
}

/// All of them, by name.
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
