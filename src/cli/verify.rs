//! `stacksnap verify SNAP [--level checksum|read|restore]`

use std::time::Duration;

use serde::Serialize;

use super::args::{DrillArgs, VerifyArgs, VerifyLevel};
use super::{Ended, Surroundings, block_on, drill, signals, wiring};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ui::screen::screen;
use crate::ui::{out, verification};
use crate::verify::{Level, Verdict, Verification, verify_sealed};

#[derive(Serialize)]
struct VerifyDocument<'a> {
    snapshot: String,
    #[serde(flatten)]
    verification: &'a Verification,
}

pub fn run(around: &Surroundings, args: &VerifyArgs) -> Result<Ended> {
    let level = match args.level {
        VerifyLevel::Checksum => Level::Checksum,
        VerifyLevel::Read => Level::Read,
        VerifyLevel::Restore => return drill::run(around, &as_drill(args)),
    };
    let ui = around.ui;
    let root = wiring::root(ui, &around.globals, &around.environment)?;
    let place = root.resolve(&args.snapshot)?;
    let jobs = args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize);
    let screen = screen(ui);
    let verification = bounded(args.timeout, {
        let (place, root) = (place.clone(), root.path().to_path_buf());
        move || verify_sealed(&place, level, &root, screen.as_ref(), jobs)
    })?;
    if ui.is_text() {
        out::data(&verification::render(&place, &verification));
    } else {
        let snapshot = place.to_string_lossy().into_owned();
        ui.document("verify", &VerifyDocument { snapshot, verification: &verification });
    }
    Ok((verification.verdict == Verdict::Bad).then_some(FailureKind::Integrity))
}

/// After a signal or the time limit, the thread keeps running until the process exits.
fn bounded<T: Send + 'static>(
    timeout: Option<Duration>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    block_on(signals::interruptible(timeout, async {
        let gone = |_| Failure::msg(FailureKind::Failed, "the verification thread panicked");
        tokio::task::spawn_blocking(work).await.map_err(gone)?
    }))
}

fn as_drill(args: &VerifyArgs) -> DrillArgs {
    DrillArgs {
        snapshot: args.snapshot.clone(),
        pg_bin: None,
        target_url: None,
        assertions: None,
        keep: false,
        jobs: args.jobs,
        timeout: args.timeout,
        vouch: None,
    }
}
