//! Reports while the restore waits for another session's lock, and who held it when the restore gave up.
//!
//! Invariant: it only reads, on its own connection. If a query fails, the watch ends, never the restore.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use crate::model::failure::{Failure, FailureKind};
use crate::pg::locks::waits;
use crate::pg::session::Session;
use crate::restore::Engine;

const EVERY: Duration = Duration::from_millis(300);

/// The last lock holder that was waited for.
#[derive(Debug, Default)]
pub struct Waiting {
    last: Mutex<Option<(i32, String)>>,
}

impl Waiting {
    /// Watches the session with this pid until dropped. Never resolves.
    pub async fn watch(&self, engine: &Engine<'_>, backend_pid: i32) -> Infallible {
        self.report_waits(engine, backend_pid).await;
        std::future::pending().await
    }

    async fn report_waits(&self, engine: &Engine<'_>, backend_pid: i32) {
        let Ok(session) = Session::open(engine.target, "stacksnap watch").await else { return };
        let mut warned: BTreeSet<(i32, Option<String>)> = BTreeSet::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let Ok(waits) = waits(&session).await else { return };
            for wait in waits.into_iter().filter(|wait| wait.waiter_pid == backend_pid) {
                let holder = format!("{} on {}", wait.holder(), wait.object());
                if warned.insert((wait.holder_pid, wait.relation)) {
                    engine.monitor.warn("waiting_for_lock", format!("waiting for a lock: {holder}"), None);
                }
                self.set((wait.holder_pid, holder));
            }
        }
    }

    fn set(&self, seen: (i32, String)) {
        *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(seen);
    }

    /// Adds the holder to the failure of a lock timeout.
    pub fn explain(&self, failure: Failure) -> Failure {
        let last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        match last.filter(|_| failure.kind == FailureKind::Locked) {
            Some((0, holder)) => failure.hint(format!(
                "held by {holder}: see select gid, owner from pg_prepared_xacts, and end it with COMMIT PREPARED or ROLLBACK PREPARED"
            )),
            Some((pid, holder)) => failure
                .hint(format!(
                    "held or queued for by {holder}: wait for it, or end it with select pg_terminate_backend({pid})"
                ))
                .hint("then run it again, or wait longer: --lock-wait 10m"),
            None => failure,
        }
    }
}
