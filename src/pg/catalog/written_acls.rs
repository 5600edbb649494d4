//! Lists of privileges that say what is so without them.
//!
//! Invariant: it reads only. To PostgreSQL such a list and none are the same; who compares catalogs sees them differ.

use super::{get, query};
use crate::model::failure::Result;
use crate::pg::session::Session;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenAcl {
    /// The catalog's own oid, e.g. 1259 for `pg_class`.
    pub class: u32,
    pub oid: u32,
    /// With its kind, e.g. `TABLE public.t`.
    pub name: String,
}

/// All of this database, in the order of their names.
pub async fn written_acls(session: &Session) -> Result<Vec<WrittenAcl>> {
    let rows = query(session, include_str!("../sql/written_acls.sql")).await?;
    rows.iter().map(|row| Ok(WrittenAcl { class: get(row, 0)?, oid: get(row, 1)?, name: get(row, 2)? })).collect()
}
