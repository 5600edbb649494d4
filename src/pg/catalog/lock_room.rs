//! The capacity of the server's shared lock table, and the locks that a session holds.
//!
//! Invariant: it never writes. The capacity is what the PostgreSQL manual guarantees; the server adds a reserve, so a
//! few more locks may fit.

use super::get;
use crate::model::failure::Result;
use crate::pg::session::Session;

const SETTINGS: &str = "SELECT pg_catalog.current_setting('max_locks_per_transaction')::int8, \
    pg_catalog.current_setting('max_connections')::int8 + pg_catalog.current_setting('max_prepared_transactions')::int8";
const HELD: &str =
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE pid = pg_catalog.pg_backend_pid() AND NOT fastpath";

/// The size of the lock table that all sessions share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockRoom {
    pub per_transaction: i64,
    pub transactions: i64,
}

impl LockRoom {
    pub fn locks(&self) -> u64 {
        u64::try_from(self.per_transaction.saturating_mul(self.transactions)).unwrap_or(0)
    }

    /// The value of `max_locks_per_transaction` that makes room for `locks` locks.
    pub fn setting_for(&self, locks: u64) -> u64 {
        let transactions = u64::try_from(self.transactions).unwrap_or(1).max(1);
        locks.div_ceil(transactions).next_power_of_two().max(64)
    }
}

pub async fn lock_room(session: &Session) -> Result<LockRoom> {
    let row = session.one(SETTINGS, &[]).await?;
    Ok(LockRoom { per_transaction: get(&row, 0)?, transactions: get(&row, 1)? })
}

/// Locks of this session in the shared lock table, without fast-path locks.
pub async fn locks_held(session: &Session) -> Result<u64> {
    let held: i64 = get(&session.one(HELD, &[]).await?, 0)?;
    Ok(u64::try_from(held).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_makes_room() {
        let room = LockRoom { per_transaction: 64, transactions: 60 };
        assert_eq!((room.locks(), room.setting_for(100), room.setting_for(6000)), (3840, 64, 128));
        assert!(room.setting_for(100_000) * 60 >= 100_000);
    }
}
