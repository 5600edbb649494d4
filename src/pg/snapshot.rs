//! The exported snapshot that everything is read from: a REPEATABLE READ transaction that is kept alive.
//!
//! Invariant (trap 9): the holder never runs anything except keep-alives, has all timeouts off, outlives every
//! collector, and its end is noticed: an exported snapshot dies with its session.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use super::exported::ExportedSnapshot;
use super::session::Session;
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;

const KEEP_ALIVE: Duration = Duration::from_millis(500);

/// Holds the exporting session. Dropping it releases the snapshot.
pub struct SnapshotHolder {
    pub exported: ExportedSnapshot,
    pub backend_pid: i32,
    died: watch::Receiver<Option<String>>,
    keeper: JoinHandle<()>,
}

impl SnapshotHolder {
    /// Opens the transaction, exports its snapshot and starts the keep-alives.
    pub async fn export(spec: &ConnSpec, application_name: &str) -> Result<Self> {
        let session = Session::open(spec, application_name).await?;
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        let horizon = if session.version_num >= 130_000 {
            "pg_catalog.pg_current_snapshot()"
        } else {
            "pg_catalog.txid_current_snapshot()"
        };
        let sql = format!(
            "SELECT pg_catalog.pg_export_snapshot(), \
             to_char(pg_catalog.clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), {horizon}::text, \
             CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() \
                  ELSE pg_catalog.pg_current_wal_lsn() END::text"
        );
        let row = session.one(&sql, &[]).await?;
        let taken_at: String = row.get(1);
        let exported = ExportedSnapshot {
            id: row.get(0),
            taken_at: taken_at.parse().map_err(anyhow::Error::new)?,
            transaction_horizon: row.get(2),
            wal_lsn: row.get(3),
        };
        let backend_pid = session.backend_pid;
        let (tell, died) = watch::channel(None);
        let session = Arc::new(session);
        let keeper = tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEEP_ALIVE).await;
                if let Err(failure) = session.execute("SELECT 1").await {
                    let _ = tell.send(Some(failure.to_string()));
                    return;
                }
            }
        });
        Ok(Self { exported, backend_pid, died, keeper })
    }

    /// Why the snapshot is lost, if it is.
    pub fn death(&self) -> Option<String> {
        self.died.borrow().clone()
    }

    /// Becomes `Some` when the snapshot is lost.
    pub fn deaths(&self) -> watch::Receiver<Option<String>> {
        self.died.clone()
    }
}

impl Drop for SnapshotHolder {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
