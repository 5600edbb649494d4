//! Progress on a terminal: a bar for each running phase and one for each table being processed.
//!
//! Invariant: at most [`TABLES_MAX`] tables have a bar; warnings are printed above the bars and stay on the screen;
//! when the bars end, they leave nothing on the screen.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::lines::describe;
use super::out::Ui;
use super::terminal;
use super::text::line;
use crate::monitor::{Event, Monitor, Phase};

pub const TABLES_MAX: usize = 6;
const NAME_WIDTH: usize = 44;
const NAME_WIDTH_NARROW: usize = 28;

pub struct Bars {
    ui: Ui,
    multi: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phases: HashMap<Phase, ProgressBar>,
    tables: HashMap<String, ProgressBar>,
    /// Size estimates of tables that started while all bars were in use.
    unseen: HashMap<String, u64>,
}

impl Bars {
    pub fn new(ui: Ui) -> Self {
        Self { ui, multi: terminal::draw(), state: Mutex::default() }
    }

    /// `place`: phases are shown above the tables, in the order in which they started.
    fn phase_bar(&self, phase: Phase, total: Option<u64>, place: usize) -> ProgressBar {
        let bar = self.multi.insert(place, ProgressBar::new(total.unwrap_or(0)));
        let template = match total {
            Some(_) if terminal::is_wide() => {
                "{spinner} {msg:32} {wide_bar} {decimal_bytes:>10} / {decimal_total_bytes:10} {eta:>4}"
            }
            Some(_) => "{spinner} {wide_msg} {decimal_bytes:>9} / {decimal_total_bytes:9} {percent:>3} %",
            None => "{spinner} {wide_msg} {bytes_or_nothing}{elapsed:>4}",
        };
        bar.set_style(style(template));
        bar.set_message(phase.title());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    fn table_bar(&self, table: &str, estimate: u64) -> ProgressBar {
        let bar = self.multi.add(ProgressBar::new(estimate.max(1)));
        let (template, name_width) = match terminal::is_wide() {
            true => ("    {msg:44} {wide_bar} {decimal_bytes:>10} / {decimal_total_bytes:10}", NAME_WIDTH),
            false => ("    {wide_msg} {decimal_bytes:>9} / {decimal_total_bytes:9}", NAME_WIDTH_NARROW),
        };
        bar.set_style(style(template));
        bar.set_message(shortened(&line(table), name_width));
        bar
    }

    fn table_progress(&self, state: &mut State, table: &str, done: u64) {
        // A late event of another thread must not recreate the bar of a table that has already ended.
        if state.tables.len() < TABLES_MAX
            && let Some(estimate) = state.unseen.remove(table)
        {
            state.tables.insert(table.to_string(), self.table_bar(table, estimate));
        }
        if let Some(bar) = state.tables.get(table) {
            if bar.length().is_some_and(|length| length < done) {
                bar.set_length(done);
            }
            bar.set_position(done);
        }
    }

    fn remove(&self, bar: Option<ProgressBar>) {
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    /// Removes all bars from the screen.
    pub fn clear(&self) {
        if let Ok(mut state) = self.state.lock() {
            let State { phases, tables, unseen } = &mut *state;
            for bar in phases.drain().map(|(_, bar)| bar).chain(tables.drain().map(|(_, bar)| bar)) {
                self.remove(Some(bar));
            }
            unseen.clear();
        }
        let _ = self.multi.clear();
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
        terminal::stop_drawing();
    }
}

impl Monitor for Bars {
    fn event(&self, event: Event) {
        let text = describe(&event, self.ui.verbosity);
        let Ok(mut state) = self.state.lock() else { return };
        match &event {
            Event::PhaseStarted { phase, bytes_total } => {
                let before = state.phases.remove(phase);
                self.remove(before);
                let bar = self.phase_bar(*phase, *bytes_total, state.phases.len());
                state.phases.insert(*phase, bar);
            }
            Event::PhaseProgress { phase, bytes_done } => {
                if let Some(bar) = state.phases.get(phase) {
                    bar.set_position(*bytes_done);
                }
            }
            Event::PhaseEnded { phase, .. } => {
                let bar = state.phases.remove(phase);
                self.remove(bar);
            }
            Event::TableStarted { table, bytes_estimated } => {
                if state.tables.len() < TABLES_MAX {
                    let bar = self.table_bar(table, *bytes_estimated);
                    let before = state.tables.insert(table.clone(), bar);
                    self.remove(before);
                } else {
                    state.unseen.insert(table.clone(), *bytes_estimated);
                }
            }
            Event::TableProgress { table, bytes_done } => self.table_progress(&mut state, table, *bytes_done),
            Event::TableEnded { table, .. } => {
                state.unseen.remove(table);
                let bar = state.tables.remove(table);
                self.remove(bar);
            }
            Event::Warning { .. } | Event::Note { .. } => {}
        }
        drop(state);
        if let Some(text) = text {
            self.ui.say(&text);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ").with_key(
        "bytes_or_nothing",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            if state.pos() > 0 {
                let _ = write!(out, "{:>10} ", super::text::bytes(state.pos()));
            }
        },
    )
}

/// Cuts a name in the middle, so that its schema and its end stay visible.
fn shortened(name: &str, width: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= width {
        return name.to_string();
    }
    let half = (width - 1) / 2;
    letters[..half].iter().chain(&['…']).chain(&letters[letters.len() - half..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_tables_than_places_are_no_trouble() {
        let bars = Bars::new(Ui::default());
        bars.multi.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        bars.event(Event::PhaseStarted { phase: Phase::Dump, bytes_total: Some(100) });
        for i in 0..20 {
            bars.event(Event::TableStarted { table: format!("t{i}"), bytes_estimated: 10 });
        }
        assert_eq!(bars.state.lock().unwrap().tables.len(), TABLES_MAX);
        bars.event(Event::TableEnded { table: "t0".into(), rows: 1, bytes: 1 });
        bars.event(Event::TableProgress { table: "t19".into(), bytes_done: 50 });
        assert_eq!(bars.state.lock().unwrap().tables.len(), TABLES_MAX);
        assert_eq!(bars.state.lock().unwrap().tables["t19"].length(), Some(50));
        for i in 0..20 {
            bars.event(Event::TableEnded { table: format!("t{i}"), rows: 1, bytes: 1 });
        }
        bars.event(Event::PhaseEnded { phase: Phase::Dump, summary: String::new(), duration_ms: 1 });
        let state = bars.state.lock().unwrap();
        assert!(state.tables.is_empty() && state.phases.is_empty() && state.unseen.is_empty());
    }

    #[test]
    fn long_names_keep_both_ends() {
        let name = format!("schema.{}_end", "x".repeat(80));
        let short = shortened(&name, NAME_WIDTH);
        assert!(short.chars().count() <= NAME_WIDTH && short.starts_with("schema.") && short.ends_with("_end"));
    }
}
