//! What one connection said and heard last: written by its stream, read by who watches it.
//!
//! Invariant: it is silent only while an answer is owed and wanted, or while bytes cannot be sent; a session that nobody
//! asks anything, or whose rows nobody takes, is not. It keeps times and numbers, no text of the connection.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by the stream, the session and the watch.
#[derive(Debug)]
pub struct Pulse {
    start: Instant,
    /// Milliseconds from `start` to the last byte in either direction.
    last_ms: AtomicU64,
    /// Something was sent since the server was last ready.
    asked: AtomicBool,
    /// The last read found nothing.
    hungry: AtomicBool,
    /// The last write could not go on.
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

    /// Bytes came, or, `false`, there are none yet.
    pub fn read(&self, some: bool) {
        self.hungry.store(!some, Ordering::Relaxed);
        if some {
            self.beat();
        }
    }

    /// Bytes went, or, `false`, they could not.
    pub fn wrote(&self, some: bool) {
        self.stuck.store(!some, Ordering::Relaxed);
        self.asked.store(true, Ordering::Relaxed);
        if some {
            self.beat();
        }
    }

    /// The server said that it is ready for the next query.
    pub fn answered(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// When something was last heard or said, as a number to compare with.
    pub fn last(&self) -> u64 {
        self.last_ms.load(Ordering::Relaxed)
    }

    pub fn is_hungry(&self) -> bool {
        self.hungry.load(Ordering::Relaxed)
    }

    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// How long an answer has been missing; zero when none is.
    pub fn silent_for(&self) -> Duration {
        let waits = self.asked.load(Ordering::Relaxed) && (self.is_hungry() || self.is_stuck());
        if !waits {
            return Duration::ZERO;
        }
        self.start.elapsed().saturating_sub(Duration::from_millis(self.last()))
    }

    /// The server's process, once it is known.
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

    pub fn lose(&self, why: String) {
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
        assert!(!silent(), "nobody reads");
        pulse.read(false);
        assert!(silent());
        pulse.read(true);
        assert!(!silent(), "bytes came, and who takes them has not come back for more");
        pulse.answered();
        pulse.read(false);
        assert!(!silent(), "nothing was asked");
        pulse.wrote(false);
        assert!(silent(), "what is said does not get away");
    }
}
