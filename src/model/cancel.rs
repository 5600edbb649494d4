//! One token that says "stop": shared by the code that asks for it (signals, a time limit) and the code that works.
//!
//! Invariant: the first reason wins and never changes; a late waiter gets it at once. It never installs a handler and
//! never starts a task: `cli` installs the signal handlers.

use std::sync::Arc;

use tokio::sync::watch;

use super::failure::FailureKind;

/// Why a run was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM, or SIGHUP when the terminal went away.
    Terminated,
    /// `--timeout` ran out.
    Timeout,
}

impl CancelReason {
    /// The failure kind, which decides the exit code.
    pub fn failure_kind(self) -> FailureKind {
        match self {
            Self::Interrupted => FailureKind::Interrupted,
            Self::Terminated => FailureKind::Terminated,
            Self::Timeout => FailureKind::Failed,
        }
    }

    /// The sentence shown to the user.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Terminated => "asked to stop by a signal",
            Self::Timeout => "the time limit of --timeout ran out",
        }
    }
}

/// Cloneable; all clones share one token.
#[derive(Debug, Clone)]
pub struct Cancel {
    state: Arc<watch::Sender<Option<CancelReason>>>,
    hurry: Arc<watch::Sender<bool>>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    pub fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(None)), hurry: Arc::new(watch::Sender::new(false)) }
    }

    /// Asks everything to stop. Only the first reason counts.
    pub fn cancel(&self, reason: CancelReason) {
        self.state.send_if_modified(|state| {
            let first = state.is_none();
            if first {
                *state = Some(reason);
            }
            first
        });
    }

    /// Asks to clean up faster: the user pressed Ctrl-C again.
    pub fn hurry(&self) {
        self.hurry.send_replace(true);
    }

    /// Resolves when the user asks to hurry.
    pub async fn hurried(&self) {
        let mut changes = self.hurry.subscribe();
        let _ = changes.wait_for(|hurry| *hurry).await;
    }

    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    pub fn reason(&self) -> Option<CancelReason> {
        *self.state.borrow()
    }

    /// Resolves when the run is cancelled; immediately if it already is.
    pub async fn cancelled(&self) -> CancelReason {
        let mut changes = self.state.subscribe();
        match changes.wait_for(Option::is_some).await {
            Ok(state) => (*state).unwrap_or(CancelReason::Terminated),
            // The sender lives in `self`, so this cannot be reached while we wait.
            Err(_) => CancelReason::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_wins_and_late_waiters_hear_it() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        assert!(!clone.is_cancelled());
        let early = tokio::spawn(async move { clone.cancelled().await });
        tokio::task::yield_now().await;
        cancel.cancel(CancelReason::Timeout);
        cancel.cancel(CancelReason::Interrupted);
        assert_eq!(early.await.unwrap(), CancelReason::Timeout);
        assert_eq!(cancel.cancelled().await, CancelReason::Timeout);
        assert_eq!(CancelReason::Interrupted.failure_kind().exit_code(), 130);
        assert_eq!(CancelReason::Terminated.failure_kind().exit_code(), 143);
    }
}
