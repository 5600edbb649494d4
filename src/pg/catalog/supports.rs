//! Finds the parent objects of an object of a partition or child table, without which it cannot be dropped.
//!
//! Invariant: it reads the current catalogs, never writes, and returns kinds and identities as the inventory has them.

use super::{get, versioned};
use crate::model::failure::Result;
use crate::model::inventory::Address;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::pg::session::Session;

/// The parent objects, topmost first. Empty: the object has no parent, or does not exist any more.
pub async fn supports(session: &Session, of: Address) -> Result<Vec<ObjectName>> {
    let sql = versioned::for_version(include_str!("../sql/supports.sql"), session.version_num);
    let rows = session.rows(&sql, &[&of.class, &of.oid]).await?;
    rows.iter().map(|row| Ok(ObjectName { kind: ObjectKind::of(get(row, 0)?), identity: get(row, 1)? })).collect()
}
