//! Finds what a role is used for, beyond its own definition.
//!
//! Invariant: it never writes. Uses in other databases come from `pg_shdepend`, which every role may read; it shows
//! that the role is used there, but not for what.

use super::get;
use crate::model::failure::Result;
use crate::pg::session::Session;

/// An existing role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleUse {
    pub name: String,
    /// Quoted by the server where needed, as in an inventory.
    pub identity: String,
    pub oid: u32,
    /// Descriptions of the uses. Empty: none were found.
    pub uses: Vec<String>,
}

/// The named roles that exist and are not the session's own, ordered by name.
///
/// `here`: include uses in this database; otherwise only other databases, their settings and shared objects.
pub async fn role_uses(session: &Session, names: &[String], here: bool) -> Result<Vec<RoleUse>> {
    let rows = session.rows(include_str!("../sql/role_uses.sql"), &[&names, &here]).await?;
    let read = |row| Ok(RoleUse { name: get(row, 0)?, identity: get(row, 1)?, oid: get(row, 2)?, uses: get(row, 3)? });
    rows.iter().map(read).collect()
}
