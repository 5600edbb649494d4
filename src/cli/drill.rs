//! `stacksnap drill SNAP`, also used for `verify SNAP --level restore` and for the drill after `create --verify
//! restore`.
//!
//! Invariant: only `--target-url` names a target; without it a throw-away cluster is created.

use std::path::{Path, PathBuf};

use super::args::DrillArgs;
use super::{Ended, Surroundings, block_on, clock, recovery, wiring};
use crate::config::Settings;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::visible;
use crate::monitor::Monitor;
use crate::ops::drill::assertions::{self, Assertion};
use crate::ops::drill::{Drill, DrillReport, DrillRequest, Where, exit_kind};
use crate::pgtools::client::SearchPlaces;
use crate::root::folder::Root;
use crate::ui::connection;
use crate::ui::drill;
use crate::ui::out::{self, Ui, Verbosity};
use crate::ui::screen::screen;

/// Generous for a file that is written by hand.
const ASSERTIONS_BYTES_MAX: u64 = 4 << 20;

pub fn run(around: &Surroundings, args: &DrillArgs) -> Result<Ended> {
    let mut inputs = wiring::inputs(&around.globals, &around.environment);
    inputs.flags.jobs = args.jobs;
    inputs.flags.pg_bin = args.pg_bin.clone();
    let mut settings = wiring::settings(around.ui, &inputs)?;
    recovery::root_of_path(around, &mut settings, &args.snapshot);
    let root = Root::new(settings.root.clone());
    let place = root.resolve(&args.snapshot)?;
    let mut request = request(around, &settings);
    request.keep = args.keep;
    request.vouch = args.vouch.clone();
    if let Some(file) = &args.assertions {
        request.assertions = read_assertions(file)?;
    }
    if let Some(text) = &args.target_url {
        let target = recovery::target(around, text)?;
        connection::say(around.ui, "writing to", &target);
        request.on = Where::Target(Box::new(target));
    }
    let report = block_on(async {
        let cancel = recovery::limited(around.ui, args.timeout)?;
        let screen = screen(around.ui);
        Drill { root: &root, request: &request, monitor: screen.as_ref(), cancel: &cancel }.run(&place).await
    })?;
    Ok(finish(around.ui, &report))
}

/// A request for a drill in a throw-away cluster, with the settings applied.
pub fn request(around: &Surroundings, settings: &Settings) -> DrillRequest {
    let programs = SearchPlaces { named: settings.pg_bin.clone(), path: wiring::program_folders(&around.environment) };
    DrillRequest {
        now: clock::now(),
        jobs: recovery::jobs(settings),
        assertions: Vec::new(),
        keep: false,
        vouch: None,
        on: Where::Cluster { programs, parents: parents(around, settings) },
    }
}

/// Candidate folders for a throw-away cluster, in order of preference.
fn parents(around: &Surroundings, settings: &Settings) -> Vec<PathBuf> {
    let named = around.environment.get("TMPDIR").filter(|text| !text.is_empty()).map(PathBuf::from);
    let usual = ["/tmp", "/var/tmp"].map(PathBuf::from);
    named.into_iter().chain(usual).chain([settings.root.clone()]).collect()
}

fn read_assertions(file: &Path) -> Result<Vec<Assertion>> {
    let shown = visible(&file.to_string_lossy());
    let cannot = |e: std::io::Error| {
        let kind = if e.kind() == std::io::ErrorKind::NotFound { FailureKind::NotFound } else { FailureKind::Failed };
        Failure::new(kind, e).context(format!("cannot read the assertions file {shown}"))
    };
    if std::fs::metadata(file).map_err(cannot)?.len() > ASSERTIONS_BYTES_MAX {
        return Err(Failure::msg(
            FailureKind::Usage,
            format!("the assertions file {shown} is too large: at most 4 MiB"),
        ));
    }
    assertions::parse(&std::fs::read_to_string(file).map_err(cannot)?)
}

/// The drill after `create --verify restore`, of the snapshot just taken.
pub fn after_create(
    around: &Surroundings,
    settings: &Settings,
    root: &Root,
    place: &Path,
    monitor: &dyn Monitor,
) -> Result<DrillReport> {
    let request = request(around, settings);
    block_on(async {
        let cancel = recovery::watched(around.ui)?;
        Drill { root, request: &request, monitor, cancel: &cancel }.run(place).await
    })
}

/// How `create --verify restore` ends: the worse of the two. A failed drill outweighs gaps.
pub fn both(created: Ended, drilled: Option<&Result<DrillReport>>) -> Ended {
    let drilled = match drilled {
        Some(Ok(report)) => exit_kind(report),
        Some(Err(failure)) => Some(failure.kind),
        None => None,
    };
    match (created, drilled) {
        (created, None | Some(FailureKind::Partial)) => created.or(drilled),
        (_, drilled) => drilled,
    }
}

/// Prints the report and returns how the command ends.
fn finish(ui: Ui, report: &DrillReport) -> Ended {
    if !ui.is_text() {
        ui.document("drill", report);
    } else if ui.verbosity > Verbosity::Quiet {
        out::data(&drill::render(report));
    }
    exit_kind(report)
}
