//! Tells while it happens that the restore waits for somebody's lock, and who that was when it gave up.
//!
//! Invariant: only looks, on a connection of its own; a look that fails ends the watch, never the restore. No query text is
//! shown: it may hold data.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use super::Engine;
use crate::model::failure::{Failure, FailureKind};
use crate::model::name::visible;
use crate::pg::session::Session;

const EVERY: Duration = Duration::from_millis(300);

const WHO: &str = "SELECT b.pid, coalesce((SELECT n.nspname || '.' || c.relname FROM pg_locks l \
      JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
      WHERE l.pid = $1 AND NOT l.granted LIMIT 1), 'an object')::text, \
      concat_ws(', ', nullif(a.usename, ''), nullif(a.application_name, ''))::text \
    FROM unnest(pg_blocking_pids($1)) AS b(pid) LEFT JOIN pg_stat_activity a ON a.pid = b.pid";

/// Whoever was waited for last.
#[derive(Debug, Default)]
pub struct Waiting {
    last: Mutex<Option<(i32, String)>>,
}

impl Waiting {
    /// Looks at the session with this number until it is dropped. Never resolves.
    pub async fn watch(&self, engine: &Engine<'_>, backend_pid: i32) -> Infallible {
        self.look(engine, backend_pid).await;
        std::future::pending().await
    }

    async fn look(&self, engine: &Engine<'_>, backend_pid: i32) {
        let Ok(session) = Session::open(engine.target, "stacksnap watch").await else { return };
        let mut told: BTreeSet<(i32, String)> = BTreeSet::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let Ok(rows) = session.rows(WHO, &[&backend_pid]).await else { return };
            for row in rows {
                let (pid, relation, who): (i32, String, String) = (row.get(0), row.get(1), row.get(2));
                let said = format!("process {pid} ({}) on {}", visible(&who), visible(&relation));
                if told.insert((pid, relation)) {
                    engine.monitor.warn("waiting_for_lock", format!("waiting for a lock: {said}"), None);
                }
                self.set((pid, said));
            }
        }
    }

    fn set(&self, seen: (i32, String)) {
        *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(seen);
    }

    /// Adds to a lock that could not be had who held it.
    pub fn explain(&self, failure: Failure) -> Failure {
        let last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        match last.filter(|_| failure.kind == FailureKind::Locked) {
            Some((pid, said)) => failure
                .hint(format!(
                    "held or queued for by {said}: wait for it, or end it with select pg_terminate_backend({pid})"
                ))
                .hint("then run it again, or wait longer: --lock-wait 10m"),
            None => failure,
        }
    }
}
