//! `stacksnap create`: settings and source first, then one guarded run, in the foreground or as the child of
//! `--background`.
//!
//! Invariant: nothing is written before settings and source are known to be right; every run has a log; exactly one
//! document ends on standard output.

use std::collections::BTreeMap;

use super::args::CreateArgs;
use super::{Ended, Surroundings, background, block_on, clock, signals, wiring};
use crate::archive::lock::RootLock;
use crate::archive::logs;
use crate::archive::root::Root;
use crate::config::{self, Settings};
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::report::TakeReport;
use crate::model::request::CreateRequest;
use crate::model::run::RunId;
use crate::monitor::Monitor;
use crate::ops::flight::{self, Clearance, Flight, Run};
use crate::ops::take;
use crate::proc::own;
use crate::ui::lines::{LogFile, Tee};
use crate::ui::out::{self, Ui, Verbosity};
use crate::ui::screen::screen;
use crate::ui::{error, report};

pub fn run(around: &Surroundings, args: &CreateArgs) -> Result<Ended> {
    let mut ui = around.ui;
    if args.run_id.is_some() {
        own::leave_terminal();
        own::be_nice();
        // Its log says everything, with the time; what concerns settings was said by the parent.
        ui.verbosity = Verbosity::Quiet;
    }
    let started_at = clock::now();
    let inputs = wiring::create_inputs(&around.globals, args, &around.environment);
    let mut settings = wiring::settings(ui, &inputs)?;
    settings.reveal_seal(&inputs)?;
    let source = config::resolve_source(&inputs, &settings)?;
    if ui.verbosity == Verbosity::Verbose {
        ui.say(&format!("reading {} (from {})", source.display(), source.origin.variable));
    }
    let root = Root::new(settings.root.clone());
    let request = request(args, started_at);
    let inherited = args.run_id.as_deref().and_then(RunId::parse);
    let id = inherited.clone().unwrap_or_else(|| RunId::at(started_at, own::pid()));
    let run = Run { id, started_at, background: inherited.is_some() || args.background };
    if args.background {
        return background::start(around, args, &root, &run);
    }
    let lock = match inherited.and_then(|_| background::inherited_lock(&root)) {
        Some(lock) => flight::sign(lock, &run)?,
        None => {
            let monitor = screen(ui);
            match flight::clear(&root, &run, request.min_interval, monitor.as_ref())? {
                Clearance::Cleared(lock) => lock,
                Clearance::Skipped(skipped) => return Ok(finish(ui, &skipped)),
            }
        }
    };
    let guarded =
        Guarded { root: &root, run: &run, lock: &lock, request: &request, settings: &settings, source: &source };
    guarded.fly(ui)
}

/// A run with the lock in hand.
struct Guarded<'a> {
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
        let outcome = if self.run.background {
            self.work(ui, &log)
        } else {
            let screen = screen(ui);
            self.work(ui, &Tee(vec![screen.as_ref(), &log]))
        };
        match &outcome {
            Ok(done) => log.write(&report::render(done)),
            Err(failure) => log.write(&error::text(Ui::default(), failure)),
        }
        match outcome {
            // The child of --background has its log for all of it.
            Ok(done) if self.run.background => Ok(done.exit_kind()),
            Err(failure) if self.run.background => Ok(Some(failure.kind)),
            Ok(done) => Ok(finish(ui, &done)),
            Err(failure) => Err(failure),
        }
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
            flight.fly(take::create(self.request, self.settings, self.source, monitor, &cancel)).await
        })
    }
}

/// Prints the result and says how the command ends.
pub fn finish(ui: Ui, report: &TakeReport) -> Ended {
    let ended = report.exit_kind();
    if !ui.is_text() {
        ui.document("create", report);
    } else if ui.verbosity > Verbosity::Quiet {
        out::data(&report::render(report));
    } else if ended == Some(FailureKind::Partial) {
        out::aside("the snapshot is not complete; see: stacksnap show latest --gaps");
    }
    ended
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
