//! One guarded run of `create`: the lock, the sweep, `--min-interval`, the status file and the time limit around the
//! work.
//!
//! Invariant: the work runs only under the root's lock. However it ends, `status.json` records it; a cancelled run
//! fails with the reason of its cancellation. It never takes a snapshot itself: the work is a parameter.

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

/// The run's identity in the status file and the lock file.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: RunId,
    pub started_at: Timestamp,
    pub background: bool,
}

/// The decision whether a run starts.
#[derive(Debug)]
pub enum Clearance {
    /// The run starts, under this lock.
    Cleared(RootLock),
    /// No run now: a report with `skipped` says why.
    Skipped(Box<TakeReport>),
}

/// Takes the lock, or reports why no run starts now. `--min-interval` is decided by the manifests.
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

/// The context of a run.
pub struct Flight<'a> {
    pub root: &'a Root,
    pub run: &'a Run,
    pub lock: &'a RootLock,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    pub cancel: &'a Cancel,
    pub monitor: &'a dyn Monitor,
    /// Gives the time when the run ended.
    pub clock: fn() -> Timestamp,
}

impl Flight<'_> {
    /// Removes stale folders, maintains the status file, limits the time of the work and turns a cancellation into a
    /// failure.
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
        monitor.warn("stale_partial_removed", format!("removed {name}, which a dead run left behind"), None);
    }
    for (name, why) in swept.kept {
        let hint = Some("remove it by hand; it is not a snapshot".to_string());
        monitor.warn("stale_partial_kept", format!("cannot remove {name}, which a dead run left behind: {why}"), hint);
    }
    Ok(())
}

/// Runs `work` until it ends. Once cancelled, it may take the grace period at most.
async fn bounded<F>(timeout: Option<Duration>, cancel: &Cancel, work: F) -> Result<TakeReport>
where
    F: Future<Output = Result<TakeReport>>,
{
    // The timer is a task of its own, because the work may block its thread for as long as pg_dump runs.
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
        () = out_of_grace => Err(Failure::msg(FailureKind::Failed, "the run did not stop in time and was aborted")),
    };
    if let Some(timer) = timer {
        timer.abort();
    }
    match (outcome, cancel.reason()) {
        (Err(failure), Some(reason)) => Err(cancelled(failure, reason, timeout)),
        (outcome, _) => outcome,
    }
}

/// The failure of a cancelled run: the reason of the cancellation first, then what the run was doing.
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
        monitor.warn(
            "run_died",
            format!("the run {} died without recording its end (process {})", lost.run, lost.pid),
            None,
        );
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
            message: "the run died without recording its end: it was killed, or the machine went down".to_string(),
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

/// Records how the run ended. If the status cannot be written, that is a warning: the snapshot is still good.
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
