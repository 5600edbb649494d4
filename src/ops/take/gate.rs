//! Locks that hold the tables still from the moment pg_dump has its own until the catalogs are read and proved.
//!
//! Invariant: pg_dump may end before the catalogs are read, and whoever waited to alter a table goes on at once; these
//! locks make them wait a little longer. They are ACCESS SHARE and taken without waiting: when somebody queues already
//! they are not had, and the proof that follows decides. The session holds no snapshot.

use super::Job;
use crate::model::failure::Result;
use crate::pg::session::Session;

const TABLES: &str = "SELECT string_agg(pg_catalog.format('ONLY %I.%I', n.nspname, c.relname), ', ' ORDER BY c.oid) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
      AND n.nspname <> 'information_schema' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
      AND pg_catalog.has_table_privilege(c.oid, 'SELECT')";

/// A session that can take the locks at once.
pub struct Gate {
    session: Session,
    tables: Option<String>,
}

impl Gate {
    pub async fn open(job: &Job<'_>) -> Result<Self> {
        let session = Session::open(job.source, &job.application_name).await?;
        let tables = session.one(TABLES, &[]).await?.get(0);
        Ok(Self { session, tables })
    }

    /// Takes the locks, which last as long as the gate; none when one of them cannot be had now.
    pub async fn close(self) -> Self {
        if let Some(tables) = &self.tables {
            let lock = format!("BEGIN READ ONLY; LOCK TABLE {tables} IN ACCESS SHARE MODE NOWAIT");
            if self.session.execute(&lock).await.is_err() {
                let _ = self.session.execute("ROLLBACK").await;
            }
        }
        self
    }
}
