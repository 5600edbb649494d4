//! The interface between the program and its user interface: everything that happens is an [`Event`].
//!
//! Invariant: an event never contains a secret, and no module below `ui` prints. Terminal, JSON lines, log files and
//! tests implement one trait.

use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;

/// A duration in milliseconds, as in events and reports.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The phases of a run, in display order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Connect,
    Preflight,
    Catalogs,
    Dump,
    Derive,
    Collect,
    Seal,
    Verify,
    Plan,
    Prepare,
    Load,
    Build,
    Finish,
    Prove,
}

impl Phase {
    /// The line shown to the user.
    pub fn title(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Preflight => "checking rights and space",
            Self::Catalogs => "reading catalogs",
            Self::Dump => "reading tables",
            Self::Derive => "writing CSV, SQL and checksums",
            Self::Collect => "collecting what dumps leave out",
            Self::Seal => "sealing",
            Self::Verify => "verifying",
            Self::Plan => "comparing the target with the snapshot",
            Self::Prepare => "creating objects",
            Self::Load => "loading rows",
            Self::Build => "building indexes and constraints",
            Self::Finish => "setting owners, grants and state",
            Self::Prove => "proving that both are equal",
        }
    }
}

/// Something that happened. Sizes are in bytes, durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A phase starts; `bytes_total` if its size is known or estimated.
    PhaseStarted {
        phase: Phase,
        bytes_total: Option<u64>,
    },
    /// Bytes processed in a phase so far.
    PhaseProgress {
        phase: Phase,
        bytes_done: u64,
    },
    PhaseEnded {
        phase: Phase,
        summary: String,
        duration_ms: u64,
    },
    TableStarted {
        table: String,
        bytes_estimated: u64,
    },
    TableProgress {
        table: String,
        bytes_done: u64,
    },
    TableEnded {
        table: String,
        rows: u64,
        bytes: u64,
    },
    /// Something the user should know; the run continues. `code` is stable.
    Warning {
        code: String,
        message: String,
        hint: Option<String>,
    },
    /// Detail for `-v` and log files.
    Note {
        message: String,
    },
}

/// Receives events. Must not block for long: the threads that move data call it.
pub trait Monitor: Send + Sync {
    fn event(&self, event: Event);
}

/// Shortcuts for callers below `ui`.
impl dyn Monitor + '_ {
    pub fn warn(&self, code: &str, message: impl Into<String>, hint: Option<String>) {
        self.event(Event::Warning { code: code.to_string(), message: message.into(), hint });
    }

    pub fn note(&self, message: impl Into<String>) {
        self.event(Event::Note { message: message.into() });
    }
}

/// Discards every event.
#[derive(Debug, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn event(&self, _event: Event) {}
}

/// Records every event, for tests.
#[derive(Debug, Default)]
pub struct Recording {
    events: Mutex<Vec<Event>>,
}

impl Recording {
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().map(|events| events.clone()).unwrap_or_default()
    }

    pub fn warnings(&self) -> Vec<String> {
        let code = |event: Event| if let Event::Warning { code, .. } = event { Some(code) } else { None };
        self.events().into_iter().filter_map(code).collect()
    }
}

impl Monitor for Recording {
    fn event(&self, event: Event) {
        if let Ok(mut events) = self.events.lock() {
            events.push(event);
        }
    }
}
