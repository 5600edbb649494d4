//! `stacksnap diff A B | A live [--schema] [--data] [--security]`
//!
//! Invariant: it only reads. A difference is a result (exit 4), not an error.

use super::args::DiffArgs;
use super::{Ended, Surroundings, block_on, signals, wiring};
use crate::config;
use crate::model::cancel::Cancel;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::ops::diff::{Depth, DiffRequest, Other, diff};
use crate::root::folder::Root;
use crate::ui::connection::{self, With};
use crate::ui::out::{self, Verbosity};
use crate::ui::screen::screen;

/// Stands for the live database in place of a second snapshot.
const LIVE: &str = "live";

pub fn run(around: &Surroundings, args: &DiffArgs) -> Result<Ended> {
    let ui = around.ui;
    if args.left == LIVE {
        return Err(Failure::msg(FailureKind::Usage, "live must be the second argument, the snapshot the first")
            .hint(format!("stacksnap diff {} live", if args.right == LIVE { "latest" } else { &args.right })));
    }
    let inputs = wiring::inputs(&around.globals, &around.environment);
    let settings = wiring::settings(ui, &inputs)?;
    let root = Root::new(settings.root.clone());
    let left = root.resolve(&args.left)?;
    let depth = depth(args);
    let right = if args.right == LIVE {
        let source = config::resolve_source(&inputs, &settings)?;
        connection::say(ui, "reading", &source);
        if depth >= Depth::Rows {
            ui.say("every row of the database will be read once; --schema compares objects only");
        }
        Other::Live(Box::new(source))
    } else {
        Other::Snapshot(root.resolve(&args.right)?)
    };
    let jobs = args
        .jobs
        .or(settings.jobs)
        .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |jobs| jobs as usize);
    let live = if let Other::Live(source) = &right { Some(source.clone()) } else { None };
    let request = DiffRequest { left, right, depth, jobs, lock_wait: settings.lock_wait };
    let screen = screen(ui);
    let found = block_on(async {
        let cancel = Cancel::new();
        signals::interruptible(args.timeout, diff(&request, screen.as_ref(), &cancel)).await
    })?;
    drop(screen);
    if !ui.is_text() {
        match &live {
            Some(source) => ui.document("diff", &With::new(source, &found)),
            None => ui.document("diff", &found),
        }
    } else if ui.verbosity > Verbosity::Quiet {
        out::data(&crate::ui::diff::render(ui, &found));
    }
    Ok((!found.equal).then_some(FailureKind::DifferencesFound))
}

fn depth(args: &DiffArgs) -> Depth {
    match (args.security, args.schema, args.data) {
        (true, ..) => Depth::Security,
        (_, true, _) => Depth::Schema,
        (_, _, true) => Depth::Keys,
        _ => Depth::Rows,
    }
}
