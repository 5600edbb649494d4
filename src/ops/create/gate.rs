//! Locks that keep the tables from changing while the catalogs are read, from the moment of the snapshot.
//!
//! Invariant: the session that reads the catalogs holds the locks, so that its deparsing never waits behind DDL that
//! waits for the locks. They are ACCESS SHARE and taken with NOWAIT: if DDL is already queued, no lock is taken, and
//! the comparison with the present (`catalogs`) decides. DDL that queues between these locks and pg_dump's would wait
//! for us, while pg_dump waits for it and we wait for pg_dump. The server cannot detect that deadlock, because we wait
//! outside of it: `schema_changed` looks for it and ends the attempt.

use std::time::Duration;

use super::dump::ArchiveState;
use crate::model::failure::Result;
use crate::pg::locks::{circle, waits};
use crate::pg::session::Session;

const TABLES: &str = "SELECT string_agg(pg_catalog.format('ONLY %I.%I', n.nspname, c.relname), ', ' ORDER BY c.oid) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
      AND n.nspname <> 'information_schema' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
      AND pg_catalog.has_table_privilege(c.oid, 'SELECT')";

const EVERY: Duration = Duration::from_millis(100);

/// The tables to lock, as LOCK TABLE takes them; `None` when there are none.
pub async fn tables(session: &Session) -> Result<Option<String>> {
    Ok(session.one(TABLES, &[]).await?.get(0))
}

/// Did this session's transaction get the locks?
pub struct Gate {
    closed: bool,
}

impl Gate {
    /// Takes the locks in the session's transaction. Takes none if one of them is not free at once.
    pub async fn close(session: &Session, tables: Option<&str>) -> Result<Self> {
        let Some(tables) = tables else { return Ok(Self { closed: false }) };
        session.execute("SAVEPOINT stacksnap_gate").await?;
        let lock = format!("LOCK TABLE {tables} IN ACCESS SHARE MODE NOWAIT");
        let closed = session.execute(&lock).await.is_ok();
        if !closed {
            session.execute("ROLLBACK TO SAVEPOINT stacksnap_gate").await?;
        }
        Ok(Self { closed })
    }

    /// Are the locks held?
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Releases the locks; the transaction and its snapshot stay.
    pub async fn open(&self, session: &Session) -> Result<()> {
        if self.closed {
            session.execute("ROLLBACK TO SAVEPOINT stacksnap_gate").await?;
        }
        Ok(())
    }

    /// Resolves with a description when DDL waits for these locks (held by `backend_pid`) while pg_dump waits for the
    /// DDL. Never resolves once pg_dump has its locks, or when the query for waiting sessions fails.
    pub async fn schema_changed(
        &self,
        plain: &Session,
        application_name: &str,
        backend_pid: i32,
        state: &ArchiveState,
    ) -> String {
        while self.closed && state.toc().is_none() {
            tokio::time::sleep(EVERY).await;
            let Ok(waits) = waits(plain).await else { break };
            if let Some(wait) = circle(&waits, application_name, backend_pid) {
                return format!("{} alters {} before it could be read", wait.holder(), wait.object());
            }
        }
        std::future::pending().await
    }
}
