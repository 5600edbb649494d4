//! `stacksnap create`: resolves settings and source, then runs under the lock, in the foreground or as the child
//! process of `--background`.
//!
//! Invariant: nothing is written before settings and source are validated; every run has a log; exactly one document is
//! printed to standard output.

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::CreateArgs;
use super::finish::finish;
use super::{Ended, Surroundings, background, block_on, clock, drill, signals, wiring};
use crate::config::{self, Settings, Verify};
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::report::TakeReport;
use crate::model::request::CreateRequest;
use crate::model::run::RunId;
use crate::monitor::Monitor;
use crate::ops::create;
use crate::ops::drill::DrillReport;
use crate::ops::flight::{self, Clearance, Flight, Run};
use crate::proc::own;
use crate::root::folder::Root;
use crate::root::lock::RootLock;
use crate::root::logs;
use crate::ui::connection::{self, With};
use crate::ui::lines::{LogFile, Tee};
use crate::ui::out::{self, Ui, Verbosity};
use crate::ui::screen::screen;
use crate::ui::{drill as ui_drill, error, report};

pub fn run(around: &Surroundings, args: &CreateArgs) -> Result<Ended> {
    let mut ui = around.ui;
    if args.run_id.is_some() {
        own::leave_terminal();
        own::be_nice();
        // Its log has every message with the time; the parent has already printed warnings about settings.
        ui.verbosity = Verbosity::Quiet;
    }
    let started_at = clock::now();
    let inputs = wiring::create_inputs(&around.globals, args, &around.environment);
    let mut settings = wiring::settings(ui, &inputs)?;
    settings.reveal_seal(&inputs)?;
    let source = config::resolve_source(&inputs, &settings)?;
    connection::say(ui, "reading", &source);
    let root = Root::new(settings.root.clone());
    let request = request(args, started_at);
    if args.verify == Some(Verify::Schema) && request.is_narrowed() {
        let text = "--verify schema needs a full snapshot, and --only, --skip and -t take a part";
        return Err(Failure::msg(FailureKind::Usage, text).hint("omit --verify, or omit --only, --skip and -t"));
    }
    let inherited = args.run_id.as_deref().and_then(RunId::parse);
    let id = inherited.clone().unwrap_or_else(|| RunId::at(started_at, own::pid()));
    let run = Run { id, started_at, background: inherited.is_some() || args.background };
    if args.background {
        return background::start(around, args, &root, &run, &source);
    }
    let lock = match inherited.and_then(|_| background::inherited_lock(&root)) {
        Some(lock) => flight::sign(lock, &run)?,
        None => {
            let monitor = screen(ui);
            match flight::clear(&root, &run, request.min_interval, monitor.as_ref())? {
                Clearance::Cleared(lock) => lock,
                Clearance::Skipped(skipped) => return Ok(finish(ui, &source, &skipped)),
            }
        }
    };
    let (settings, source) = (&settings, &source);
    let guarded = Guarded { around, root: &root, run: &run, lock: &lock, request: &request, settings, source };
    guarded.fly(ui)
}

/// A run that holds the lock.
struct Guarded<'a> {
    around: &'a Surroundings,
    root: &'a Root,
    run: &'a Run,
    lock: &'a RootLock,
    request: &'a CreateRequest,
    settings: &'a Settings,
    source: &'a ConnSpec,
}

impl Guarded<'_> {
    fn fly(&self, ui: Ui) -> Result<Ended> {
        let log = LogFile::new(logs::open_for_writing(self.root.path(), &self.run.id)?, clock::now);
        log.write(&format!("{}: stacksnap {} reads {}", self.run.id, env!("CARGO_PKG_VERSION"), self.source.display()));
        let bar = (!self.run.background).then(|| screen(ui));
        let monitor = Tee(bar.iter().map(AsRef::as_ref).chain([&log as &dyn Monitor]).collect());
        let outcome = self.work(ui, &monitor);
        match &outcome {
            Ok(done) => log.write(&report::render(done)),
            Err(failure) => log.write(&error::text(Ui::default(), failure)),
        }
        let drilled = outcome.as_ref().ok().and_then(|done| self.drill(done, &monitor, &log));
        drop(monitor);
        drop(bar);
        match outcome {
            // The child of --background writes to its log only.
            Ok(done) if self.run.background => Ok(drill::both(done.exit_kind(), drilled.as_ref())),
            Err(failure) if self.run.background => Ok(Some(failure.kind)),
            Ok(done) => finish_with_drill(ui, self.source, &done, drilled),
            Err(failure) => Err(failure),
        }
    }

    /// The drill of `--verify restore`; `None` if it was not requested or no snapshot was taken.
    fn drill(&self, done: &TakeReport, monitor: &dyn Monitor, log: &LogFile) -> Option<Result<DrillReport>> {
        let place =
            done.place.as_ref().filter(|_| self.settings.verify == Some(Verify::Restore) && done.skipped.is_none())?;
        let drilled = drill::after_create(self.around, self.settings, self.root, place, monitor);
        match &drilled {
            Ok(report) => log.write(&ui_drill::render(report)),
            Err(failure) => log.write(&error::text(Ui::default(), failure)),
        }
        Some(drilled)
    }

    fn work(&self, ui: Ui, monitor: &dyn Monitor) -> Result<TakeReport> {
        block_on(async {
            let cancel = Cancel::new();
            signals::watch(ui, &cancel).map_err(|e| Failure::from(e).context("cannot watch for signals"))?;
            let flight = Flight {
                root: self.root,
                run: self.run,
                lock: self.lock,
                timeout: self.settings.timeout,
                cancel: &cancel,
                monitor,
                clock: clock::now,
            };
            flight.fly(create::create(self.request, self.settings, self.source, monitor, &cancel)).await
        })
    }
}

#[derive(Serialize)]
struct CreateDocument<'a> {
    #[serde(flatten)]
    report: &'a TakeReport,
    drill: &'a DrillReport,
}

/// Prints the report of the snapshot and of its drill. If the drill could not be done, the error follows the report.
fn finish_with_drill(
    ui: Ui,
    source: &ConnSpec,
    report: &TakeReport,
    drilled: Option<Result<DrillReport>>,
) -> Result<Ended> {
    let drilled = match drilled {
        Some(Ok(drilled)) => drilled,
        Some(Err(failure)) => {
            finish(ui, source, report);
            return Err(failure.context("the snapshot was taken, but the drill failed"));
        }
        None => return Ok(finish(ui, source, report)),
    };
    if !ui.is_text() {
        ui.document("create", &With::new(source, &CreateDocument { report, drill: &drilled }));
    } else if ui.verbosity > Verbosity::Quiet {
        out::data(&format!("{}\n{}", report::render(report), ui_drill::render(&drilled)));
    }
    Ok(drill::both(report.exit_kind(), Some(&Ok(drilled))))
}

fn request(args: &CreateArgs, now: jiff::Timestamp) -> CreateRequest {
    CreateRequest {
        now,
        label: args.label.clone(),
        note: args.note.clone(),
        tags: args.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
        only: args.only.clone(),
        skip: args.skip.clone(),
        tables: args.tables.clone(),
        if_changed: args.if_changed,
        min_interval: args.min_interval,
        background: args.background || args.run_id.is_some(),
    }
}
