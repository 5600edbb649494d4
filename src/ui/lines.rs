//! Progress as lines: for pipes, for log files (with the time), for `-v`.
//!
//! Invariant: at most one line per event, and no control character in it.

use std::fs::File;
use std::io::Write;
use std::sync::Mutex;

use jiff::Timestamp;

use super::out::{Ui, Verbosity, print_stderr};
use super::text::{bytes, counted, duration_ms, line};
use crate::monitor::{Event, Monitor};

/// The text of an event at a verbosity; `None` if nothing is printed.
pub fn describe(event: &Event, verbosity: Verbosity) -> Option<String> {
    let verbose = verbosity == Verbosity::Verbose;
    if verbosity == Verbosity::Quiet {
        return None;
    }
    match event {
        Event::PhaseStarted { phase, bytes_total } => verbose.then(|| match bytes_total {
            Some(total) => format!("{} … (about {})", phase.title(), bytes(*total)),
            None => format!("{} …", phase.title()),
        }),
        Event::PhaseEnded { phase, summary, duration_ms: ms } => {
            let summary = if summary.is_empty() { "done".to_string() } else { line(summary) };
            Some(format!("{}: {summary} ({})", phase.title(), duration_ms(*ms)))
        }
        Event::Warning { message, hint, .. } => Some(warning(message, hint.as_deref())),
        Event::Note { message } => verbose.then(|| line(message)),
        Event::TableEnded { table, rows, bytes: size } => {
            verbose.then(|| format!("{}: {}, {}", line(table), counted(*rows, "row", "rows"), bytes(*size)))
        }
        Event::PhaseProgress { .. } | Event::TableStarted { .. } | Event::TableProgress { .. } => None,
    }
}

/// The text of a warning, with its hint.
pub fn warning(message: &str, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("warning: {} ({})", line(message), line(hint)),
        None => format!("warning: {}", line(message)),
    }
}

/// Prints events as lines on standard error.
pub struct Lines {
    pub ui: Ui,
}

impl Monitor for Lines {
    fn event(&self, event: Event) {
        if let Some(text) = describe(&event, self.ui.verbosity) {
            print_stderr(&text);
        }
    }
}

/// Writes all events to the log of a run, each line with its time (UTC).
pub struct LogFile {
    file: Mutex<File>,
    clock: fn() -> Timestamp,
}

impl LogFile {
    pub fn new(file: File, clock: fn() -> Timestamp) -> Self {
        Self { file: Mutex::new(file), clock }
    }

    /// Writes one or more lines. A failed write (full disk) does not end the run.
    pub fn write(&self, text: &str) {
        let now = (self.clock)();
        let stamped: String = text.lines().map(|l| format!("{now:.3} {}\n", line(l))).collect();
        if let Ok(mut file) = self.file.lock() {
            let _ = file.write_all(stamped.as_bytes());
        }
    }
}

impl Monitor for LogFile {
    fn event(&self, event: Event) {
        if let Some(text) = describe(&event, Verbosity::Verbose) {
            self.write(&text);
        }
    }
}

/// Forwards each event to several monitors.
pub struct Tee<'a>(pub Vec<&'a dyn Monitor>);

impl Monitor for Tee<'_> {
    fn event(&self, event: Event) {
        for monitor in &self.0 {
            monitor.event(event.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::Phase;

    #[test]
    fn quiet_says_nothing_and_names_cannot_steer_the_terminal() {
        let event = Event::TableEnded { table: "public.\u{1b}[2Jx\n".into(), rows: 1, bytes: 10 };
        assert_eq!(describe(&event, Verbosity::Normal), None);
        assert_eq!(describe(&event, Verbosity::Verbose).unwrap(), "public.\\u{1b}[2Jx\\u{a}: 1 row, 10 B");
        let warning = Event::Warning { code: "x".into(), message: "m".into(), hint: Some("h".into()) };
        assert_eq!(describe(&warning, Verbosity::Quiet), None);
        assert_eq!(describe(&warning, Verbosity::Normal).unwrap(), "warning: m (h)");
    }

    #[test]
    fn log_lines_have_their_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = LogFile::new(File::create(&path).unwrap(), || "2026-01-30T12:00:05.25Z".parse().unwrap());
        log.event(Event::PhaseEnded { phase: Phase::Dump, summary: "3 tables".into(), duration_ms: 1200 });
        log.write("a\nb");
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "2026-01-30T12:00:05.250Z reading tables: 3 tables (1.2 s)\n\
             2026-01-30T12:00:05.250Z a\n2026-01-30T12:00:05.250Z b\n"
        );
    }
}
