//! The privileges that this role lacks for a complete snapshot, checked before anything starts (R1, trap 6).
//!
//! Invariant: it only queries the catalogs and never takes a lock. A role that passes can run the dump without
//! `permission denied` and without rows hidden by row security.

use super::{get, query};
use crate::model::failure::Result;
use crate::pg::session::Session;

/// One missing privilege.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPrivilege {
    /// The schema it is about, unquoted.
    pub schema: Option<String>,
    /// e.g. `table public."Secret"`, names quoted as in SQL.
    pub what: String,
    /// e.g. `SELECT`, `USAGE`, `BYPASSRLS`.
    pub privilege: String,
    /// The statement or advice that grants it.
    pub todo: String,
    /// pg_dump fails without it. If false, the snapshot is taken and has a gap.
    pub blocking: bool,
}

/// All missing privileges, blocking ones first. A superuser lacks none.
pub async fn missing_privileges(session: &Session) -> Result<Vec<MissingPrivilege>> {
    let rows = query(session, include_str!("../sql/privileges.sql")).await?;
    rows.iter()
        .map(|row| {
            Ok(MissingPrivilege {
                blocking: get(row, 0)?,
                schema: get(row, 1)?,
                what: get(row, 2)?,
                privilege: get(row, 3)?,
                todo: get(row, 4)?,
            })
        })
        .collect()
}
