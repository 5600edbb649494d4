//! What this role lacks for a whole snapshot, before anything is started (R1, trap 6).
//!
//! Invariant: nothing is tried out, only asked: no lock is taken. A role that passes can be dumped without
//! `permission denied`, and without rows that row security would hide.

use super::{get, query};
use crate::model::failure::Result;
use crate::pg::session::Session;

/// One right that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPrivilege {
    /// The schema that it concerns, unquoted.
    pub schema: Option<String>,
    /// e.g. `table public."Secret"`, names quoted as SQL.
    pub what: String,
    /// e.g. `SELECT`, `USAGE`, `BYPASSRLS`.
    pub privilege: String,
    /// The statement or advice that closes it.
    pub todo: String,
    /// pg_dump would fail without it. Otherwise the snapshot is made and has a gap there.
    pub blocking: bool,
}

/// Everything that is missing, what blocks first. A superuser lacks nothing.
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
