//! The name of an exported snapshot, and the instant that it shows.

use jiff::Timestamp;

/// What another session needs to see the same instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedSnapshot {
    pub id: String,
    /// The server's clock.
    pub taken_at: Timestamp,
    pub wal_lsn: Option<String>,
    /// `xmin:xmax:in-progress`.
    pub transaction_horizon: String,
}
