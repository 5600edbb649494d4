//! What an object of a partition or of a child comes from, and cannot be dropped without.
//!
//! Invariant: it asks the catalogs as they are at this moment, reads only, and answers with kinds and identities as the
//! inventory writes them.

use super::{get, versioned};
use crate::model::failure::Result;
use crate::model::inventory::Address;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::pg::session::Session;

/// The objects above, farthest first. None: it stands by itself, or is not there any more.
pub async fn supports(session: &Session, of: Address) -> Result<Vec<ObjectName>> {
    let sql = versioned::for_version(include_str!("../sql/supports.sql"), session.version_num);
    let rows = session.rows(&sql, &[&of.class, &of.oid]).await?;
    rows.iter().map(|row| Ok(ObjectName { kind: ObjectKind::of(get(row, 0)?), identity: get(row, 1)? })).collect()
}
