//! What a role is used for, beside what its own definition says.
//!
//! Invariant: it reads only. Another database is known by what depends on the role there (`pg_shdepend`), which every
//! role may read; what it is there cannot be told from here.

use super::get;
use crate::model::failure::Result;
use crate::pg::session::Session;

/// A role that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleUse {
    pub name: String,
    /// Quoted by the server where it has to be, as in an inventory.
    pub identity: String,
    pub oid: u32,
    /// In words. Empty: none was found.
    pub uses: Vec<String>,
}

/// Those of the named roles that are there and that this session is not, in the order of their names.
///
/// `here`: tell what is left in this database too; else only other databases, their settings and what the server shares.
pub async fn role_uses(session: &Session, names: &[String], here: bool) -> Result<Vec<RoleUse>> {
    let rows = session.rows(include_str!("../sql/role_uses.sql"), &[&names, &here]).await?;
    let read = |row| Ok(RoleUse { name: get(row, 0)?, identity: get(row, 1)?, oid: get(row, 2)?, uses: get(row, 3)? });
    rows.iter().map(read).collect()
}
