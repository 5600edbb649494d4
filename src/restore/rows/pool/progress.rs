//! Reports the progress of the parallel phase.
//!
//! Invariant: bytes are those that were sent, including loads that were tried twice. It decides nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::PoolDone;
use crate::monitor::{Event, Monitor, Phase, millis};
use crate::restore::rows::load::{LoadTask, Loaded};

/// Progress of the whole phase.
pub(super) struct Progress<'a> {
    monitor: &'a dyn Monitor,
    started: Instant,
    bytes_total: u64,
    bytes: AtomicU64,
    tables: usize,
}

pub(super) struct TableProgress<'a> {
    all: &'a Progress<'a>,
    name: String,
}

impl<'a> Progress<'a> {
    pub(super) fn new(loads: &[LoadTask], monitor: &'a dyn Monitor) -> Self {
        let bytes_total = loads.iter().map(|l| l.bytes_raw).sum();
        Self { monitor, started: Instant::now(), bytes_total, bytes: AtomicU64::new(0), tables: loads.len() }
    }

    fn elapsed(&self) -> u64 {
        millis(self.started.elapsed())
    }

    pub(super) fn phase_started(&self) {
        if self.tables == 0 {
            self.monitor.event(Event::PhaseStarted { phase: Phase::Build, bytes_total: None });
        } else {
            self.monitor.event(Event::PhaseStarted { phase: Phase::Load, bytes_total: Some(self.bytes_total) });
        }
    }

    /// The last rows are loaded; only builds remain.
    pub(super) fn loads_done(&self, done: &PoolDone) {
        let summary = format!("{} rows of {} tables", done.rows, self.tables);
        self.monitor.event(Event::PhaseEnded { phase: Phase::Load, summary, duration_ms: self.elapsed() });
        self.monitor.event(Event::PhaseStarted { phase: Phase::Build, bytes_total: None });
    }

    pub(super) fn phase_ended(&self, done: &PoolDone) {
        let summary = format!("{} statements", done.statements);
        self.monitor.event(Event::PhaseEnded { phase: Phase::Build, summary, duration_ms: self.elapsed() });
    }

    pub(super) fn table(&'a self, task: &LoadTask) -> TableProgress<'a> {
        let name = task.table.plain();
        self.monitor.event(Event::TableStarted { table: name.clone(), bytes_estimated: task.bytes_raw });
        TableProgress { all: self, name }
    }
}

impl TableProgress<'_> {
    pub(super) fn sent(&self, bytes_done: u64, more: u64) {
        let bytes_all = self.all.bytes.fetch_add(more, Ordering::Relaxed) + more;
        self.all.monitor.event(Event::TableProgress { table: self.name.clone(), bytes_done });
        self.all.monitor.event(Event::PhaseProgress { phase: Phase::Load, bytes_done: bytes_all });
    }

    pub(super) fn ended(&self, loaded: Loaded) {
        let Loaded { rows, bytes } = loaded;
        self.all.monitor.event(Event::TableEnded { table: self.name.clone(), rows, bytes });
    }
}
