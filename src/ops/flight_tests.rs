//! Tests of a run around simulated work: what the status file holds afterwards, and how a cancelled run ends.

use std::path::Path;

use super::*;
use crate::model::gap::Gap;
use crate::model::ids::SnapshotName;
use crate::monitor::Recording;

fn moment() -> Timestamp {
    "2026-01-30T12:00:05Z".parse().unwrap()
}

fn clock() -> Timestamp {
    "2026-01-30T12:10:00Z".parse().unwrap()
}

fn taken() -> TakeReport {
    let name = SnapshotName::at(moment(), 1);
    TakeReport {
        skipped: None,
        complete: true,
        ..TakeReport::skipped(SkipReason::Busy, "", Some((name.clone(), name.as_str().into())))
    }
}

async fn fly(root: &Path, cancel: &Cancel, work: impl Future<Output = Result<TakeReport>>) -> Result<TakeReport> {
    let root = Root::new(root);
    let run = Run { id: RunId::at(moment(), 7), started_at: moment(), background: false };
    let monitor = Recording::default();
    let Clearance::Cleared(lock) = clear(&root, &run, None, &monitor).unwrap() else { panic!("free") };
    logs::open_for_writing(root.path(), &run.id).unwrap();
    let timeout = Some(Duration::from_millis(200));
    Flight { root: &root, run: &run, lock: &lock, timeout, cancel, monitor: &monitor, clock }.fly(work).await
}

#[tokio::test]
async fn the_status_tells_the_last_good_snapshot_and_the_last_failure_apart() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fly(root, &Cancel::new(), async {
        assert_eq!(status::read(root).running.unwrap().run, "run_20260130_120005_7");
        Ok(taken())
    })
    .await
    .unwrap();
    let after = status::read(root);
    let good = after.last_good.unwrap();
    assert_eq!((good.at, good.snapshot.as_str()), (clock(), "comprehensive_backup_20260130_120005"));
    assert_eq!(after.last_run.unwrap().state, RunState::Ok);
    assert!(after.running.is_none() && after.last_failure.is_none());
    let run = logs::run_of(root, &good.snapshot);
    assert_eq!(run, Some(RunId::at(moment(), 7)), "its log is found by its name");

    let partial = TakeReport { complete: false, gaps: vec![Gap::new("x", "a", "b", "c")], ..taken() };
    fly(root, &Cancel::new(), async { Ok(partial) }).await.unwrap();
    let after = status::read(root);
    assert_eq!(after.last_run.unwrap().state, RunState::Partial);
    assert!(after.last_good.is_some(), "the older good one still is");

    let failure = Failure::msg(FailureKind::Denied, "no right").hint("grant it");
    fly(root, &Cancel::new(), async { Err(failure) }).await.unwrap_err();
    let after = status::read(root);
    let failed = after.last_failure.unwrap();
    assert_eq!((failed.exit, failed.message.as_str(), failed.hint.as_deref()), (12, "no right", Some("grant it")));
    assert!(after.last_good.is_some());
}

#[tokio::test]
async fn a_cancelled_run_ends_with_the_reason_and_what_it_was_doing() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::new();
    let failure = fly(dir.path(), &cancel, async {
        cancel.cancelled().await;
        Err(Failure::msg(FailureKind::Unreachable, "pg_dump was stopped").hint("is the server up?"))
    })
    .await
    .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Failed, "--timeout");
    assert_eq!(failure.to_string(), "the time limit of --timeout ran out: pg_dump was stopped");
    assert_eq!(failure.hints.len(), 1);
    assert!(failure.hints[0].contains("--timeout"));

    let cancel = Cancel::new();
    cancel.cancel(CancelReason::Interrupted);
    let done = fly(dir.path(), &cancel, async { Ok(taken()) }).await;
    assert!(done.is_ok(), "what was sealed before the signal was heard stays");
}

#[tokio::test]
async fn work_that_does_not_stop_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::new();
    cancel.cancel(CancelReason::Interrupted);
    cancel.hurry();
    let start = std::time::Instant::now();
    let failure = fly(dir.path(), &cancel, std::future::pending()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Interrupted);
    assert!(start.elapsed() >= HURRIED_GRACE && start.elapsed() < CLEANUP_GRACE);
    assert!(status::read(dir.path()).running.is_none());
}
