//! Process-wide settings of this process.
//!
//! Invariant: best effort. Where the system refuses (a container without the right), the run goes on.

use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, umask};

/// The umask that this process was started with.
static ORIGINAL_UMASK: OnceLock<Mode> = OnceLock::new();

/// New files are private, and a core dump cannot leak what is in memory.
pub fn harden() {
    let original = umask(Mode::from_raw_mode(0o077));
    let _ = ORIGINAL_UMASK.set(original);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
}

/// Starts something with the user's own umask. No other thread may write files meanwhile.
pub fn with_original_umask<T>(start: impl FnOnce() -> T) -> T {
    let Some(original) = ORIGINAL_UMASK.get() else { return start() };
    let ours = umask(*original);
    let started = start();
    umask(ours);
    started
}

/// Leaves the terminal and its signals: a session and a process group of its own.
pub fn leave_terminal() {
    let _ = rustix::process::setsid();
}

/// The number of this process, for locks and the names of runs.
pub fn pid() -> u32 {
    std::process::id()
}

/// Lowers our CPU priority.
pub fn be_nice() {
    let _ = rustix::process::nice(10);
}

/// Is SIGHUP ignored, as with `nohup`? Then it must stay ignored.
pub fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|bits| bits & 1 == 1)
}
