//! Finds explicit ACLs that equal the default.
//!
//! Invariant: it never writes. PostgreSQL treats such an ACL and a null one the same, but a comparison of catalogs sees
//! a difference.

use super::{get, query};
use crate::model::failure::Result;
use crate::pg::session::Session;

/// One such ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenAcl {
    /// OID of the catalog, e.g. 1259 for `pg_class`.
    pub class: u32,
    pub oid: u32,
    /// Kind and identity of the object, e.g. `TABLE public.t`.
    pub name: String,
}

/// All such ACLs of this database, ordered by name.
pub async fn written_acls(session: &Session) -> Result<Vec<WrittenAcl>> {
    let rows = query(session, include_str!("../sql/written_acls.sql")).await?;
    rows.iter().map(|row| Ok(WrittenAcl { class: get(row, 0)?, oid: get(row, 1)?, name: get(row, 2)? })).collect()
}
