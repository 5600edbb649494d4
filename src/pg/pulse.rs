//! Records the last activity of one connection: written by its stream, read by the silence check.
//!
//! Invariant: a connection is silent only while an answer is pending and wanted, or while bytes cannot be sent. An idle
//! session, or one whose rows are not consumed, is not silent. It stores times and numbers, never data.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by the stream, the session and the silence check.
#[derive(Debug)]
pub struct Pulse {
    start: Instant,
    /// Milliseconds from `start` to the last byte in either direction.
    last_ms: AtomicU64,
    /// Something was sent since the last ReadyForQuery.
    asked: AtomicBool,
    /// The last read returned no bytes.
    hungry: AtomicBool,
    /// The last write was blocked.
    stuck: AtomicBool,
    backend: AtomicI32,
    lost: OnceLock<String>,
}

impl Pulse {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            last_ms: AtomicU64::new(0),
            asked: AtomicBool::new(true),
            hungry: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            backend: AtomicI32::new(0),
            lost: OnceLock::new(),
        }
    }

    fn beat(&self) {
        self.last_ms.store(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes were read; `false`: none are available yet.
    pub fn read(&self, some: bool) {
        self.hungry.store(!some, Ordering::Relaxed);
        if some {
            self.beat();
        }
    }

    /// Bytes were written; `false`: the write was blocked.
    pub fn wrote(&self, some: bool) {
        self.stuck.store(!some, Ordering::Relaxed);
        self.asked.store(true, Ordering::Relaxed);
        if some {
            self.beat();
        }
    }

    /// The server sent ReadyForQuery.
    pub fn answered(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// The time of the last activity in milliseconds, only for comparisons.
    pub fn last(&self) -> u64 {
        self.last_ms.load(Ordering::Relaxed)
    }

    pub fn read_pending(&self) -> bool {
        self.hungry.load(Ordering::Relaxed)
    }

    pub fn write_blocked(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// How long an answer has been overdue; zero if none is.
    pub fn silent_for(&self) -> Duration {
        let waits = self.asked.load(Ordering::Relaxed) && (self.read_pending() || self.write_blocked());
        if !waits {
            return Duration::ZERO;
        }
        self.start.elapsed().saturating_sub(Duration::from_millis(self.last()))
    }

    /// The PID of the server process, once known.
    pub fn backend(&self) -> Option<i32> {
        Some(self.backend.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    pub fn set_backend(&self, pid: i32) {
        self.backend.store(pid, Ordering::Relaxed);
    }

    /// Why the connection was given up, if it was.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    pub fn give_up(&self, why: String) {
        let _ = self.lost.set(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_is_owed_and_wanted_is_missing() {
        let pulse = Pulse::new();
        let silent = || {
            std::thread::sleep(Duration::from_millis(3));
            pulse.silent_for() > Duration::ZERO
        };
        pulse.wrote(true);
        assert!(!silent(), "no read is pending");
        pulse.read(false);
        assert!(silent());
        pulse.read(true);
        assert!(!silent(), "bytes arrived, and the reader has not asked for more");
        pulse.answered();
        pulse.read(false);
        assert!(!silent(), "no query was sent");
        pulse.wrote(false);
        assert!(silent(), "the write is blocked");
    }
}
