//! `create --background`: starts this program again as a detached child, prints where its log is, and returns.
//!
//! Invariant: the checks (no other run, minimum interval) are made here, before the child is started, and the child
//! inherits the lock without releasing it. A database URL is passed in the environment, never in the child's arguments.

use std::ffi::OsString;

use serde::Serialize;

use super::args::CreateArgs;
use super::finish::finish;
use super::{Ended, Surroundings};
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::shell;
use crate::model::secret::Secret;
use crate::ops::flight::{self, Clearance, Run};
use crate::proc::detach::{self, Detached, Started};
use crate::root::folder::Root;
use crate::root::lock;
use crate::root::lock::RootLock;
use crate::root::logs;
use crate::snapshot::layout::ROOT_STATUS;
use crate::ui::out;
use crate::ui::screen::screen;

#[derive(Serialize)]
struct StartedDocument {
    background: bool,
    run: String,
    pid: u32,
    log: String,
    status: String,
}

/// Starts the run and returns at once.
pub fn start(around: &Surroundings, args: &CreateArgs, root: &Root, run: &Run, source: &ConnSpec) -> Result<Ended> {
    let monitor = screen(around.ui);
    let lock = match flight::clear(root, run, args.min_interval, monitor.as_ref())? {
        Clearance::Cleared(lock) => lock,
        Clearance::Skipped(skipped) => return Ok(finish(around.ui, source, &skipped)),
    };
    let env = around.globals.db_url.as_ref().map(|url| ("STACKSNAP_DB_URL", Secret::new(url)));
    let what = Detached {
        args: child_args(&around.raw_args, run),
        env: env.into_iter().collect(),
        lock: lock.share()?,
        log: logs::open_for_writing(root.path(), &run.id)?,
    };
    let started = detach::start(what)
        .map_err(|e| Failure::new(FailureKind::Failed, e).context("cannot start the background run"))?;
    drop(lock);
    let log = logs::place(root.path(), &run.id);
    match started {
        Started::Running { pid } => {
            say(around, root, run, pid);
            Ok(None)
        }
        Started::Ended { code } => {
            let code = code.map_or_else(|| "by a signal".to_string(), |code| format!("with exit code {code}"));
            Err(Failure::msg(FailureKind::Failed, format!("the background run ended immediately, {code}"))
                .hint(format!("read its log: {}", log.display())))
        }
    }
}

fn say(around: &Surroundings, root: &Root, run: &Run, pid: u32) {
    let log = logs::place(root.path(), &run.id).to_string_lossy().into_owned();
    let status = root.path().join(ROOT_STATUS).to_string_lossy().into_owned();
    if !around.ui.is_text() {
        let document = StartedDocument { background: true, run: run.id.to_string(), pid, log, status };
        around.ui.document("create", &document);
        return;
    }
    if around.ui.verbosity == out::Verbosity::Quiet {
        return;
    }
    let same_root = match &around.globals.root {
        Some(path) => format!(" --root {}", shell(&path.to_string_lossy())),
        None => String::new(),
    };
    out::data(&format!(
        "📦 a snapshot is being taken in the background ({}, process {pid})\n   follow it:  stacksnap{same_root} logs latest -f\n   \
         its log:    {log}\n   its status: {status}",
        run.id
    ));
}

/// The arguments of the child: those of the parent without `--background`, the output format and `--db-url`.
fn child_args(raw: &[OsString], run: &Run) -> Vec<OsString> {
    let mut args = Vec::new();
    let mut rest = raw.iter();
    while let Some(arg) = rest.next() {
        match arg.to_str() {
            Some("--background" | "--") => {}
            Some("--db-url" | "-o" | "--output") => {
                rest.next();
            }
            Some(text) if text.starts_with("--db-url=") || text.starts_with("--output=") => {}
            _ => args.push(arg.clone()),
        }
    }
    args.push(format!("--run-id={}", run.id).into());
    args
}

/// The lock inherited from the parent; `None` if this process was started by hand.
pub fn inherited_lock(root: &Root) -> Option<RootLock> {
    lock::inherit(root.path(), detach::inherited_lock().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::run::RunId;

    #[test]
    fn the_child_is_told_no_secret_and_not_to_start_a_child() {
        let started_at = "2026-01-30T12:00:05Z".parse().unwrap();
        let run = Run { id: RunId::at(started_at, 7), started_at, background: true };
        let raw =
            ["--db-url", "postgres://u:canary@h/db", "-o", "json", "create", "--background", "--db-url=x://canary"];
        let more = ["--note=--background", "--label", "A", "--"];
        let raw: Vec<OsString> = raw.iter().chain(&more).map(OsString::from).collect();
        assert_eq!(
            child_args(&raw, &run),
            ["create", "--note=--background", "--label", "A", "--run-id=run_20260130_120005_7"].map(OsString::from)
        );
    }
}
