//! Warns, while it happens, that a session waits for a lock of ours, or we wait for a lock of its.
//!
//! Invariant: it only reads; a query that fails ends the watch, never the run.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use crate::monitor::Monitor;
use crate::pg::locks::waits;
use crate::pg::session::Session;

const EVERY: Duration = Duration::from_secs(1);

/// Looks once a second until it is dropped. Never resolves.
pub async fn watch(session: &Session, application_name: &str, monitor: &dyn Monitor) -> Infallible {
    look(session, application_name, monitor).await;
    std::future::pending().await
}

async fn look(session: &Session, application_name: &str, monitor: &dyn Monitor) {
    let mut told: HashSet<(i32, Option<String>)> = HashSet::new();
    loop {
        tokio::time::sleep(EVERY).await;
        let Ok(waits) = waits(session).await else { return };
        for wait in waits {
            let (we_wait, we_hold) =
                (wait.waiter_application == application_name, wait.holder_application == application_name);
            if we_hold && !we_wait && told.insert((wait.waiter_pid, wait.relation.clone())) {
                let message = format!(
                    "process {} waits for our lock on {}; readers of it now wait behind that process",
                    wait.waiter_pid,
                    wait.object()
                );
                let hint = "end that statement, or give migrations a lock_timeout; the snapshot goes on".to_string();
                monitor.warn("lock_queue", message, Some(hint));
            }
            if we_wait && told.insert((-wait.holder_pid, wait.relation.clone())) {
                let message =
                    format!("waiting for a lock on {}, held or queued for by {}", wait.object(), wait.holder());
                monitor.warn("waiting_for_lock", message, None);
            }
        }
    }
}
