//! Runs statements on the target, counts them, and keeps failures.
//!
//! Invariant: inside a transaction, a statement that may fail runs under a savepoint, so its failure undoes nothing
//! else. A lost connection is never taken for a failed statement. No error is dropped: it is returned or recorded.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future;

use crate::model::cancel::Cancel;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::sqlstate;
use crate::pg::catalog::lock_room::locks_held;
use crate::pg::session::Session;

/// Runs the statements of one restore on one connection.
pub struct Runner<'a> {
    pub session: &'a Session,
    pub cancel: &'a Cancel,
    statements: AtomicU64,
    abandoned: AtomicBool,
    breath: Option<LockBudget>,
    breathed_at: AtomicU64,
}

/// For a restore that may use several transactions: how each begins, and how many locks one may hold.
#[derive(Debug, Clone, Copy)]
pub struct LockBudget {
    pub begin: &'static str,
    pub locks_max: u64,
}

/// Locks are counted after this many statements. Each statement may take four (table, TOAST table, its index, primary
/// key).
const LOCKS_COUNTED_EVERY: u64 = 16;

impl<'a> Runner<'a> {
    pub fn new(session: &'a Session, cancel: &'a Cancel) -> Self {
        Self {
            session,
            cancel,
            statements: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
            breath: None,
            breathed_at: AtomicU64::new(0),
        }
    }

    /// The same, for a restore that may use several transactions.
    #[must_use]
    pub fn with_breath(self, breath: Option<LockBudget>) -> Self {
        Self { breath, ..self }
    }

    /// Call between statements that need no common transaction: commits if many locks are held, and begins again.
    pub async fn commit_if_many_locks(&self) -> Result<()> {
        let Some(breath) = self.breath else { return Ok(()) };
        let now = self.statements();
        if now < self.breathed_at.load(Ordering::Relaxed) + LOCKS_COUNTED_EVERY {
            return Ok(());
        }
        self.breathed_at.store(now, Ordering::Relaxed);
        if locks_held(self.session).await? > breath.locks_max {
            self.run("commit", "COMMIT").await?;
            self.run("begin", breath.begin).await?;
        }
        Ok(())
    }

    /// The number of statements so far.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Runs a statement. A failure ends the restore.
    pub async fn run(&self, what: &str, sql: &str) -> Result<()> {
        self.check()?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.execute_unless_cancelled(sql).await.map_err(|f| f.context(what.to_string()))
    }

    /// Runs a statement under a savepoint. `Some`: its failure, which undid nothing else.
    pub async fn attempt(&self, what: &str, sql: &str) -> Result<Option<Failure>> {
        self.check()?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let Err(failure) = self.execute_under_savepoint(sql).await else { return Ok(None) };
        if self.is_abandoned() {
            return Err(failure.context(what.to_string()));
        }
        if self.session.is_closed() || failure.kind == FailureKind::Unreachable {
            return Err(failure.context(what.to_string()));
        }
        self.session.execute("ROLLBACK TO SAVEPOINT stacksnap; RELEASE SAVEPOINT stacksnap").await?;
        // After a lock timeout the user must see who holds the lock, and decides whether to try again. After "out of
        // shared memory" the next statement would find no room for its locks either.
        if failure.kind == FailureKind::Locked || failure.is_sqlstate(sqlstate::OUT_OF_MEMORY) {
            return Err(failure.context(what.to_string()));
        }
        Ok(Some(failure.context(what.to_string())))
    }

    /// Runs several statements under a savepoint. The inner failure undid only these.
    pub async fn attempt_all<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<Result<T>> {
        self.check()?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.execute_unless_cancelled("SAVEPOINT stacksnap_part").await?;
        let outcome = tokio::select! {
            biased;
            reason = self.cancel.cancelled() => {
                self.abandoned.store(true, Ordering::Relaxed);
                return Err(Failure::msg(reason.failure_kind(), reason.sentence()));
            }
            outcome = work => outcome,
        };
        match outcome {
            Ok(value) => {
                self.execute_unless_cancelled("RELEASE SAVEPOINT stacksnap_part").await?;
                Ok(Ok(value))
            }
            Err(failure) if self.session.is_closed() || failure.kind == FailureKind::Unreachable => {
                Err(failure.context(what.to_string()))
            }
            Err(failure) => {
                self.session.execute("ROLLBACK TO SAVEPOINT stacksnap_part; RELEASE SAVEPOINT stacksnap_part").await?;
                let failure = failure.context(what.to_string());
                if failure.kind == FailureKind::Locked { Err(failure) } else { Ok(Err(failure)) }
            }
        }
    }

    /// Was a statement left running because the user cancelled? Then it must be cancelled on the server.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Sends the savepoint and the statement in one round trip, as two messages. The server parses a whole message
    /// before it runs any of it: with a statement that it cannot parse in the same message, the savepoint would not
    /// exist.
    async fn execute_under_savepoint(&self, sql: &str) -> Result<()> {
        let (released, savepoint) = (format!("{sql}\n;\nRELEASE SAVEPOINT stacksnap"), "SAVEPOINT stacksnap");
        let (before, done) =
            future::join(self.execute_unless_cancelled(savepoint), self.execute_unless_cancelled(&released)).await;
        before.and(done)
    }

    /// A statement may wait long for a lock: cancel does not wait for it.
    async fn execute_unless_cancelled(&self, sql: &str) -> Result<()> {
        tokio::select! {
            biased;
            reason = self.cancel.cancelled() => {
                self.abandoned.store(true, Ordering::Relaxed);
                Err(Failure::msg(reason.failure_kind(), reason.sentence()))
            }
            done = self.session.execute(sql) => done,
        }
    }

    /// Fails if the user cancelled.
    pub fn check(&self) -> Result<()> {
        match self.cancel.reason() {
            Some(reason) => Err(Failure::msg(reason.failure_kind(), reason.sentence())),
            None => Ok(()),
        }
    }
}
