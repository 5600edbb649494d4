//! An exported snapshot as data: its ID, and the instant of the database that it shows.
//!
//! Invariant: a plain value. It never keeps the exporting session open: `pg/snapshot` does.

use jiff::Timestamp;

/// What another session needs to import the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedSnapshot {
    pub id: String,
    /// By the server's clock.
    pub taken_at: Timestamp,
    pub wal_lsn: Option<String>,
    /// `xmin:xmax:in-progress`.
    pub transaction_horizon: String,
}
