//! Circumstances that affect a snapshot apart from the objects: locks held, role settings, objects no dump contains.
//!
//! Invariant: used by `doctor` only. It never waits for a lock.

use super::{get, query};
use crate::model::failure::Result;
use crate::pg::session::Session;

/// A session whose lock, or whose place in the lock queue, makes a dump wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockingLock {
    /// True if the lock is held. False if the session waits for it: every later reader queues behind it.
    pub held: bool,
    pub pid: i32,
    pub table: String,
    pub user: String,
    pub seconds: i64,
}

/// The circumstances that `doctor` reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Ordinary and partitioned tables: one lock each.
    pub tables: u64,
    pub unlogged: Vec<String>,
    /// Timeouts set on this role or database, as `name=value`.
    pub timeouts: Vec<String>,
    /// Objects that users created in the server's own schemas: no dump contains them.
    pub in_system_schemas: Vec<String>,
    /// The server's own port; `None` for a Unix socket.
    pub server_port: Option<i32>,
}

pub async fn blocking_locks(session: &Session) -> Result<Vec<BlockingLock>> {
    let rows = query(session, include_str!("../sql/doctor_locks.sql")).await?;
    rows.iter()
        .map(|row| {
            Ok(BlockingLock {
                held: get(row, 0)?,
                pid: get::<Option<i32>>(row, 1)?.unwrap_or(0),
                table: get(row, 2)?,
                user: get(row, 3)?,
                seconds: get::<Option<i64>>(row, 4)?.unwrap_or(0),
            })
        })
        .collect()
}

pub async fn surroundings(session: &Session) -> Result<Surroundings> {
    let rows = query(session, include_str!("../sql/doctor_surroundings.sql")).await?;
    let Some(row) = rows.first() else { return Ok(Surroundings::default()) };
    Ok(Surroundings {
        tables: get::<i64>(row, 0)?.unsigned_abs(),
        unlogged: get::<Option<_>>(row, 1)?.unwrap_or_default(),
        timeouts: get::<Option<_>>(row, 2)?.unwrap_or_default(),
        in_system_schemas: get::<Option<_>>(row, 3)?.unwrap_or_default(),
        server_port: get(row, 4)?,
    })
}
