//! Finds the objects that DROP … CASCADE would drop too.
//!
//! Invariant: it walks the server's own dependency graph and returns addresses. It never writes.

use std::collections::HashSet;

use super::get;
use crate::model::failure::Result;
use crate::model::inventory::Address;
use crate::pg::session::Session;

/// Addresses (whole objects) that a CASCADE from `roots` reaches, the roots included.
pub async fn dependents(session: &Session, roots: &[Address]) -> Result<HashSet<Address>> {
    if roots.is_empty() {
        return Ok(HashSet::new());
    }
    let classes: Vec<u32> = roots.iter().map(|a| a.class).collect();
    let oids: Vec<u32> = roots.iter().map(|a| a.oid).collect();
    let rows = session.rows(include_str!("../sql/dependents.sql"), &[&classes, &oids]).await?;
    rows.iter().map(|row| Ok(Address { class: get(row, 0)?, oid: get(row, 1)?, sub: 0 })).collect()
}
