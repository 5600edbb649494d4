//! Classifies a failure of pg_dump: start over, or an error with a hint.
//!
//! Invariant: pg_dump runs with LC_ALL=C, so its messages can be matched. An unknown message is passed on, with its
//! control characters escaped.

use std::io;
use std::os::unix::process::ExitStatusExt;

use crate::model::failure::{Failure, FailureKind};
use crate::pgtools::dump::last_lines;
use crate::proc::ExitStatus;

/// Why the archive phase ended early.
#[derive(Debug)]
pub enum DumpFailure {
    /// The run was asked to stop (signal, time limit), or another part failed.
    Stopped,
    /// DDL queued behind a worker's lock, or ran between snapshot and lock: start over.
    SchemaChanged(String),
    Other(Failure),
}

impl From<Failure> for DumpFailure {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl DumpFailure {
    pub fn other(text: &'static str) -> Self {
        Self::Other(Failure::msg(FailureKind::Failed, text))
    }

    pub fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Interrupted => Self::Stopped,
            io::ErrorKind::UnexpectedEof => {
                let failure = Failure::msg(
                    FailureKind::Failed,
                    format!("pg_dump reported success but its archive is truncated: {error}"),
                );
                Self::Other(failure.hint("check the disk and the pg_dump program (stacksnap doctor); nothing was kept"))
            }
            _ => Self::Other(Failure::from(error).context("writing the snapshot failed")),
        }
    }

    /// From a part that followed pg_dump. `Interrupted` means that it was stopped, so it is no cause.
    pub fn from_part(failure: Failure) -> Self {
        let io = failure.error.root_cause().downcast_ref::<io::Error>();
        if io.is_some_and(|e| e.kind() == io::ErrorKind::Interrupted) { Self::Stopped } else { Self::Other(failure) }
    }

    /// From pg_dump's exit status and standard error.
    pub fn classify(status: ExitStatus, stderr: &str) -> Self {
        let words = last_lines(stderr, 4);
        let has = |text: &str| stderr.contains(text);
        let schema_changed = has("could not obtain lock on relation")
            || (has("does not exist") && (has("LOCK TABLE") || has("COPY ") || has("error message from server")))
            || has("cache lookup failed")
            || has("could not open relation with OID");
        // pg_dump's --lock-wait-timeout sets statement_timeout around its LOCK TABLE.
        let waited = has("canceling statement due to lock timeout")
            || (has("canceling statement due to statement timeout") && has("LOCK TABLE"));
        if waited {
            return Self::Other(stayed_locked(&words));
        }
        if schema_changed {
            return Self::SchemaChanged(words);
        }
        let (kind, hint) = if has("permission denied") || has("must be superuser") || has("row-level security") {
            (FailureKind::Denied, "run `stacksnap doctor`: it names every missing privilege")
        } else if has("server closed the connection")
            || has("terminating connection")
            || has("connection to server")
            || has("could not connect")
        {
            (FailureKind::Unreachable, "is the server still up? nothing was kept; run the same command again")
        } else if has("No space left on device") {
            (FailureKind::Failed, "the disk is full: free space, or put --root on another disk; nothing was kept")
        } else if has("max_locks_per_transaction") {
            (FailureKind::Failed, "raise max_locks_per_transaction on the server: it must cover every table")
        } else {
            (FailureKind::Failed, "nothing was kept; `stacksnap doctor` checks what a dump needs")
        };
        let how = match (status.signal(), status.code()) {
            (Some(signal), _) => format!("was killed by signal {signal}"),
            (None, Some(code)) => format!("failed with exit code {code}"),
            (None, None) => "failed".to_string(),
        };
        let text = if words.is_empty() { format!("pg_dump {how}") } else { format!("pg_dump {how}: {words}") };
        let failure = Failure::msg(kind, text).hint(hint);
        Self::Other(if has("No space left on device") { failure.disk_full() } else { failure })
    }
}

/// A lock was held for longer than `--lock-wait`. `words` is the error of pg_dump, or of our session that waited too.
pub fn stayed_locked(words: &str) -> Failure {
    Failure::msg(FailureKind::Locked, format!("a table stayed locked for longer than --lock-wait: {words}"))
        .hint("see who holds it: select pid, query from pg_stat_activity where pid in (select unnest(pg_blocking_pids(pid)) from pg_stat_activity)")
        .hint("try again later, or wait longer: --lock-wait 10m")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(stderr: &str) -> Option<FailureKind> {
        match DumpFailure::classify(ExitStatus::from_raw(256), stderr) {
            DumpFailure::Other(failure) => Some(failure.kind),
            DumpFailure::SchemaChanged(_) | DumpFailure::Stopped => None,
        }
    }

    #[test]
    fn words_of_real_failures() {
        let nowait = "pg_dump: error: query failed: ERROR:  could not obtain lock on relation \"t\"\npg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE NOWAIT";
        assert_eq!(kind(nowait), None, "the worker's NOWAIT lock behind a queued ALTER TABLE");
        assert_eq!(
            kind("pg_dump: error: query failed: ERROR:  canceling statement due to lock timeout"),
            Some(FailureKind::Locked)
        );
        let waited = "pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\npg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE";
        assert_eq!(kind(waited), Some(FailureKind::Locked));
        assert_eq!(
            kind("pg_dump: error: query failed: ERROR:  permission denied for table x"),
            Some(FailureKind::Denied)
        );
        assert_eq!(
            kind("pg_dump: error: query would be affected by row-level security policy for table \"t\""),
            Some(FailureKind::Denied)
        );
        assert_eq!(kind("pg_dump: error: could not write to file: No space left on device"), Some(FailureKind::Failed));
        assert_eq!(kind("server closed the connection unexpectedly"), Some(FailureKind::Unreachable));
        assert_eq!(kind(""), Some(FailureKind::Failed));
    }
}
