//! Tells while it happens that somebody waits for a lock of ours, or we for theirs.
//!
//! Invariant: only looks; a look that fails ends the watch, never the run. No query text is shown: it may hold data.

use std::collections::HashSet;
use std::convert::Infallible;
use std::time::Duration;

use crate::model::name::visible;
use crate::monitor::Monitor;
use crate::pg::session::Session;

const EVERY: Duration = Duration::from_secs(1);

const WAITING_FOR_US: &str = "SELECT a.pid, coalesce(n.nspname || '.' || c.relname, 'an object')::text, l.mode::text \
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
    LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE NOT l.granted AND a.application_name <> $1 AND EXISTS (SELECT FROM unnest(pg_blocking_pids(a.pid)) b \
      JOIN pg_stat_activity s ON s.pid = b WHERE s.application_name = $1)";

const WE_WAIT: &str = "SELECT b.pid, coalesce(n.nspname || '.' || c.relname, 'an object')::text, a.pid \
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid AND a.application_name = $1 \
    CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS b(pid) \
    LEFT JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE NOT l.granted";

/// Looks once a second until it is dropped. Never resolves.
pub async fn watch(session: &Session, application_name: &str, monitor: &dyn Monitor) -> Infallible {
    look(session, application_name, monitor).await;
    std::future::pending().await
}

async fn look(session: &Session, application_name: &str, monitor: &dyn Monitor) {
    let mut told: HashSet<(i32, String)> = HashSet::new();
    loop {
        tokio::time::sleep(EVERY).await;
        let Ok(waiting) = session.rows(WAITING_FOR_US, &[&application_name]).await else { return };
        for row in waiting {
            let (pid, relation): (i32, String) = (row.get(0), row.get(1));
            if told.insert((pid, relation.clone())) {
                let relation = visible(&relation);
                let message = format!(
                    "process {pid} waits for our lock on {relation}; readers of it now wait behind that process"
                );
                let hint = "end that statement, or give migrations a lock_timeout; the snapshot goes on".to_string();
                monitor.warn("lock_queue", message, Some(hint));
            }
        }
        let Ok(ours) = session.rows(WE_WAIT, &[&application_name]).await else { return };
        for row in ours {
            let (pid, relation): (i32, String) = (row.get(0), row.get(1));
            if told.insert((-pid, relation.clone())) {
                let message =
                    format!("waiting for a lock on {}, held or queued for by process {pid}", visible(&relation));
                monitor.warn("waiting_for_lock", message, None);
            }
        }
    }
}
