//! Locks that hold the tables still while the catalogs are read, from the moment of the snapshot.
//!
//! Invariant: the locks belong to the session that reads the catalogs, so that what it deparses never waits behind
//! somebody who waits for them. They are ACCESS SHARE and taken without waiting: when somebody queues already they are
//! not had, and the comparison with the present (`catalogs`) decides. A change that comes in between them and pg_dump's
//! own would make each wait for the other through us, which no server can see: that is looked for, and ends the attempt.

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

/// The tables to be locked, as LOCK TABLE wants them; `None` when there are none.
pub async fn tables(session: &Session) -> Result<Option<String>> {
    Ok(session.one(TABLES, &[]).await?.get(0))
}

/// The locks of one session's transaction.
pub struct Gate {
    closed: bool,
}

impl Gate {
    /// Takes the locks in the session's transaction; none when one of them cannot be had now.
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

    /// Gives the locks back; the transaction and its snapshot stay.
    pub async fn open(&self, session: &Session) -> Result<()> {
        if self.closed {
            session.execute("ROLLBACK TO SAVEPOINT stacksnap_gate").await?;
        }
        Ok(())
    }

    /// Resolves, with what happened, when a change of a table stands between these locks (held by `backend_pid`) and
    /// those of pg_dump. Never resolves once pg_dump has its locks, or when the server does not say.
    pub async fn overtaken(
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
