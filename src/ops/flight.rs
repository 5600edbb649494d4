//! One guarded run of `create`: the lock, the sweep, the interval, the status file and the time limit around the
//! work itself.
//!
//! Invariant: the work runs under the root's lock only; whatever way it ends, `status.json` says so; a cancelled run
//! ends with the reason of its cancellation. It never takes a snapshot by itself: the work is a parameter.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::cancel::{Cancel, CancelReason};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::manifest::Manifest;
use crate::model::report::{SkipReason, TakeReport};
use crate::model::run::RunId;
use crate::monitor::Monitor;
use crate::proc::own;
use crate::root::folder::Root;
use crate::root::lock;
use crate::root::lock::{Acquired, Holder, RootLock};
use crate::root::logs;
use crate::root::status;
use crate::root::status::{EndedRun, FailedRun, GoodSnapshot, RunState, RunningRun, Status};

/// How long a cancelled run may take to clean up before it is dropped.
pub const CLEANUP_GRACE: Duration = Duration::from_secs(30);
/// The same after a second Ctrl-C.
pub const HURRIED_GRACE: Duration = Duration::from_secs(5);

/// The run as status and lock name it.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: RunId,
    pub started_at: Timestamp,
    pub background: bool,
}

/// The decision before a run.
#[derive(Debug)]
pub enum Clearance {
    /// Go, with the lock.
    Cleared(RootLock),
    /// Not now, and why: a report with `skipped`.
    Skipped(Box<TakeReport>),
}

/// Takes the lock, or says why there is no run now. Decides on `--min-interval` from the manifests.
pub fn clear(root: &Root, run: &Run, min_interval: Option<Duration>, monitor: &dyn Monitor) -> Result<Clearance> {
    root.create()?;
    let lock = match lock::acquire(root.path())? {
        Acquired::Held(lock) => lock,
        Acquired::Busy(holder) => {
            let message = busy_message(holder.as_ref());
            return Ok(Clearance::Skipped(Box::new(TakeReport::skipped(SkipReason::Busy, message, None))));
        }
    };
    if let Some(interval) = min_interval
        && let Some(report) = too_soon(root, run.started_at, interval, monitor)?
    {
        return Ok(Clearance::Skipped(Box::new(report)));
    }
    sign(lock, run).map(Clearance::Cleared)
}

/// Writes this process into the lock file.
pub fn sign(mut lock: RootLock, run: &Run) -> Result<RootLock> {
    let holder = Holder { pid: own::pid(), run: run.id.to_string(), started_at: run.started_at };
    lock.sign(&holder)?;
    Ok(lock)
}

fn busy_message(holder: Option<&Holder>) -> String {
    match holder {
        Some(holder) => {
            format!(
                "another run holds the root folder: {}, process {}, since {}",
                holder.run, holder.pid, holder.started_at
            )
        }
        None => "another run holds the root folder".to_string(),
    }
}

fn too_soon(root: &Root, now: Timestamp, interval: Duration, monitor: &dyn Monitor) -> Result<Option<TakeReport>> {
    let Some((name, place, last)) = root.latest_complete()? else { return Ok(None) };
    match interval_left(&last, now, interval) {
        IntervalLeft::Over => Ok(None),
        IntervalLeft::FromTheFuture => {
            let message = format!("the last snapshot {name} is dated {}, after this machine's clock", last.created_at);
            monitor.warn(
                "clock_went_back",
                message,
                Some("--min-interval is ignored this time; check the clock".into()),
            );
            Ok(None)
        }
        IntervalLeft::Young(age) => {
            let message = format!(
                "the last complete snapshot {name} is {} old, and --min-interval is {}",
                seconds_text(age),
                seconds_text(interval)
            );
            Ok(Some(TakeReport::skipped(SkipReason::TooSoon, message, Some((name, place)))))
        }
    }
}

enum IntervalLeft {
    Over,
    Young(Duration),
    FromTheFuture,
}

fn interval_left(last: &Manifest, now: Timestamp, interval: Duration) -> IntervalLeft {
    match Duration::try_from(now.duration_since(last.created_at)) {
        Err(_) => IntervalLeft::FromTheFuture,
        Ok(age) if age < interval => IntervalLeft::Young(age),
        Ok(_) => IntervalLeft::Over,
    }
}

fn seconds_text(duration: Duration) -> String {
    let s = duration.as_secs();
    match (s / 86_400, s % 86_400 / 3600, s % 3600 / 60, s % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m{s:02}s"),
        (0, h, m, _) => format!("{h}h{m:02}m"),
        (d, h, _, _) => format!("{d}d{h:02}h"),
    }
}

/// Everything that stands around the work.
pub struct Flight<'a> {
    pub root: &'a Root,
    pub run: &'a Run,
    pub lock: &'a RootLock,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    pub cancel: &'a Cancel,
    pub monitor: &'a dyn Monitor,
    /// The time of the end.
    pub clock: fn() -> Timestamp,
}

impl Flight<'_> {
    /// Sweeps, keeps the status file, bounds the work and turns a cancellation into its failure.
    pub async fn fly<F>(&self, work: F) -> Result<TakeReport>
    where
        F: Future<Output = Result<TakeReport>>,
    {
        begin(self.root, self.run, self.monitor)?;
        let outcome = match sweep(self.root, self.lock, self.monitor) {
            Ok(()) => bounded(self.timeout, self.cancel, work).await,
            Err(failure) => Err(failure),
        };
        end(self.root, self.run, &outcome, (self.clock)(), self.monitor);
        outcome
    }
}

fn sweep(root: &Root, lock: &RootLock, monitor: &dyn Monitor) -> Result<()> {
    let swept = root.sweep(lock)?;
    for name in swept.removed {
        monitor.warn("stale_partial_removed", format!("removed {name}, left behind by a run that died"), None);
    }
    for (name, why) in swept.kept {
        let hint = Some("remove it by hand; it is no snapshot".to_string());
        monitor.warn(
            "stale_partial_kept",
            format!("cannot remove {name}, left behind by a run that died: {why}"),
            hint,
        );
    }
    Ok(())
}

/// Runs `work` until it ends, or, once cancelled, for the grace at most.
async fn bounded<F>(timeout: Option<Duration>, cancel: &Cancel, work: F) -> Result<TakeReport>
where
    F: Future<Output = Result<TakeReport>>,
{
    // A task of its own: the work may block the thread that it runs on for as long as pg_dump takes.
    let timer = timeout.map(|limit| {
        let cancel = cancel.clone();
        tokio::spawn(async move {
            if tokio::time::timeout(limit, cancel.cancelled()).await.is_err() {
                cancel.cancel(CancelReason::Timeout);
            }
        })
    });
    let out_of_grace = async {
        cancel.cancelled().await;
        tokio::select! {
            () = tokio::time::sleep(CLEANUP_GRACE) => {}
            () = async { cancel.hurried().await; tokio::time::sleep(HURRIED_GRACE).await } => {}
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = work => outcome,
        () = out_of_grace => Err(Failure::msg(FailureKind::Failed, "the run did not stop in time and was dropped")),
    };
    if let Some(timer) = timer {
        timer.abort();
    }
    match (outcome, cancel.reason()) {
        (Err(failure), Some(reason)) => Err(cancelled(failure, reason, timeout)),
        (outcome, _) => outcome,
    }
}

/// The failure of a run that was told to stop: what stopped it comes first, what it was doing after it.
fn cancelled(failure: Failure, reason: CancelReason, timeout: Option<Duration>) -> Failure {
    let mut stopped = Failure { kind: reason.failure_kind(), ..failure }.context(reason.sentence());
    stopped.hints.clear();
    match (reason, timeout) {
        (CancelReason::Timeout, Some(limit)) => stopped.hint(format!(
            "nothing was kept; give it more than {} with --timeout, or find what it waited for in its log: stacksnap logs latest",
            seconds_text(limit)
        )),
        _ => stopped.hint("nothing was kept; start again with: stacksnap create"),
    }
}

fn begin(root: &Root, run: &Run, monitor: &dyn Monitor) -> Result<()> {
    let mut now = status::read(root.path());
    if let Some(lost) = now.running.take().filter(|r| r.run != run.id.as_str()) {
        monitor.warn("run_died", format!("the run {} ended without a word (process {})", lost.run, lost.pid), None);
        now.last_run = Some(EndedRun {
            run: lost.run.clone(),
            state: RunState::Failed,
            started_at: lost.started_at,
            ended_at: run.started_at,
            snapshot: None,
            log: lost.log,
        });
        now.last_failure = Some(FailedRun {
            run: lost.run,
            at: run.started_at,
            code: FailureKind::Failed.word().to_string(),
            exit: FailureKind::Failed.exit_code(),
            message: "the run ended without a word: it was killed, or the machine went down".to_string(),
            hint: None,
        });
    }
    now.running = Some(RunningRun {
        run: run.id.to_string(),
        pid: own::pid(),
        started_at: run.started_at,
        background: run.background,
        log: logs::relative(&run.id),
    });
    status::write(root.path(), &now)
}

/// Writes how it ended. A status that cannot be written does not undo a snapshot: it is a warning.
fn end(root: &Root, run: &Run, outcome: &Result<TakeReport>, at: Timestamp, monitor: &dyn Monitor) {
    let mut now: Status = status::read(root.path());
    now.running = None;
    let taken = outcome.as_ref().ok().filter(|report| report.skipped.is_none());
    let state = match outcome.as_ref().map(TakeReport::exit_kind) {
        Ok(None) => RunState::Ok,
        Ok(Some(FailureKind::Skipped)) => RunState::Skipped,
        Ok(Some(_)) => RunState::Partial,
        Err(_) => RunState::Failed,
    };
    now.last_run = Some(EndedRun {
        run: run.id.to_string(),
        state,
        started_at: run.started_at,
        ended_at: at,
        snapshot: taken.and_then(|report| report.snapshot.clone()),
        log: logs::relative(&run.id),
    });
    if let Some(snapshot) = taken.filter(|r| r.complete).and_then(|report| report.snapshot.clone()) {
        now.last_good = Some(GoodSnapshot { snapshot, run: run.id.to_string(), at });
    }
    if let Err(failure) = outcome {
        now.last_failure = Some(FailedRun {
            run: run.id.to_string(),
            at,
            code: failure.kind.word().to_string(),
            exit: failure.kind.exit_code(),
            message: failure.to_string(),
            hint: failure.hints.first().cloned(),
        });
    }
    let linked =
        taken.and_then(|report| report.snapshot.as_ref()).map_or(Ok(()), |name| logs::link(root.path(), name, &run.id));
    for failure in [status::write(root.path(), &now), linked].into_iter().filter_map(Result::err) {
        monitor.warn("status_not_written", failure.to_string(), failure.hints.first().cloned());
    }
}

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
