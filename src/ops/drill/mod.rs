//! `drill`: restores a snapshot and proves the result, in a throw-away cluster or in an empty database named for
//! drills.
//!
//! Invariant: neither the source nor another database is touched. The snapshot's checksums are verified first. What was
//! not tried is reported (`not_proven`, 15), never counted as good; whatever is not removed is named. The report is
//! kept next to the snapshots, in `drills/<snapshot>.json`, because a file in the snapshot's own folder would break its
//! checksums.

pub mod assertions;
pub(in crate::ops) mod place;
mod proof;
mod report;
mod target;

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;

use super::trust::{self, Asked};
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::visible;
use crate::model::restore::{ProofFinding, RestoreRequest};
use crate::model::sqlstate::{self, SqlState};
use crate::monitor::Monitor;
use crate::monitor::millis;
use crate::pg::session::Session;
use crate::pgtools::client::SearchPlaces;
use crate::restore::parts::vault::Vault;
use crate::restore::source::SnapshotSource;
use crate::restore::{Engine, OWN_PASSWORD};
use crate::root::folder::Root;
use crate::verify::{Level, verify_sealed};

use assertions::Assertion;
use place::Ground;
pub use report::{DrillReport, Kept, Stage, exit_kind};

/// In a throw-away cluster only our own sessions hold locks.
const LOCK_WAIT_MS: u64 = 60_000;

/// The input of a drill.
#[derive(Debug, Clone)]
pub struct DrillRequest {
    pub now: Timestamp,
    pub jobs: u32,
    pub assertions: Vec<Assertion>,
    /// Keep the restored database running.
    pub keep: bool,
    /// `--vouch`: the first digits of the checksum of a manifest that this root did not seal.
    pub vouch: Option<String>,
    pub on: Where,
}

/// Where the snapshot is restored.
#[derive(Debug, Clone)]
pub enum Where {
    /// A cluster created for the drill: where programs may be, and folders for it, best first.
    Cluster { programs: SearchPlaces, parents: Vec<PathBuf> },
    /// An empty database whose name contains `_drill_`.
    Target(Box<ConnSpec>),
}

/// One drill.
pub struct Drill<'a> {
    pub root: &'a Root,
    pub request: &'a DrillRequest,
    pub monitor: &'a dyn Monitor,
    pub cancel: &'a Cancel,
}

impl Drill<'_> {
    /// Verifies, restores, proves, runs the assertions and cleans up. The report is kept.
    ///
    /// Errors: `Integrity` for a damaged snapshot or one that this root's key did not sign, `NotConfirmed` for a
    /// database that is not one for drills, `NotProven` when it could not be tried, the cancellation's kind. A snapshot
    /// that cannot be restored is a report, not an error.
    pub async fn run(&self, place: &Path) -> Result<DrillReport> {
        let clock = Instant::now();
        let jobs = usize::try_from(self.request.jobs.max(1)).unwrap_or(1);
        let verification = verify_sealed(place, Level::ForRestore, self.root.path(), self.monitor, jobs)?;
        if let Some(damage) = verification.failure() {
            return Err(damage.context("nothing was restored"));
        }
        self.stop_here()?;
        // The throw-away server runs on this machine and executes code from the snapshot.
        let asked = Asked { vouch: self.request.vouch.as_deref(), untrusted: false };
        trust::require_trusted_origin(place, self.root.path(), &verification, &asked)?;
        let source = trust::open(place, &verification)?;
        let mut report = DrillReport::new(&source, self.request);
        report.verify_ms = millis(clock.elapsed());
        let mut ground = self.prepare(&source, &mut report).await?;
        let outcome = tokio::select! {
            biased;
            outcome = self.rehearse(&source, &ground, &mut report) => outcome,
            reason = self.cancel.cancelled() => Err(Failure::msg(reason.failure_kind(), reason.sentence())),
        };
        // The verdict stands even if cleaning up fails.
        let cleared = self.clear(&source, &mut ground, outcome.is_ok(), &mut report).await;
        drop(ground);
        outcome?;
        if let Err(failure) = cleared {
            report.left.push(format!("cleaning up failed: {failure}"));
        }
        report.duration_ms = millis(clock.elapsed());
        if report.stage == Stage::ThrowAwayCluster {
            report.libraries_to_notes();
        }
        report.judge();
        self.record(&report);
        Ok(report)
    }

    async fn prepare(&self, source: &SnapshotSource, report: &mut DrillReport) -> Result<Ground> {
        let clock = Instant::now();
        let ground = match &self.request.on {
            Where::Cluster { programs, parents } => {
                place::throw_away(source, programs, parents, self.request.jobs, self.cancel).await?
            }
            Where::Target(spec) => target::examined(source, spec).await?,
        };
        report.server_ms = millis(clock.elapsed());
        report.stage = ground.stage();
        report.server_version = ground.server_version.clone();
        report.notes.extend(ground.notes().iter().cloned());
        for note in ground.notes() {
            self.monitor.note(note.clone());
        }
        Ok(ground)
    }

    async fn rehearse(&self, source: &SnapshotSource, ground: &Ground, report: &mut DrillReport) -> Result<()> {
        let clock = Instant::now();
        let request = self.restore_request(ground);
        let restored = self.restore(source, &ground.spec, &request, report).await;
        report.restore_ms = millis(clock.elapsed());
        report.recovery_ms = report.verify_ms + report.restore_ms;
        if let Err(failure) = restored {
            return broken(failure, report);
        }
        match place::own_password(source, ground).await {
            Ok(true) => report.exceptions.retain(|e| e.code != OWN_PASSWORD),
            Ok(false) => {}
            Err(failure) => report.notes.push(failure.to_string()),
        }
        let clock = Instant::now();
        self.prove(source, ground, report).await?;
        report.proof_ms = millis(clock.elapsed());
        if !self.request.assertions.is_empty() {
            let session = Session::open(&ground.spec, "stacksnap drill").await?;
            report.assertions = assertions::ask_all(&session, &self.request.assertions).await?;
        }
        Ok(())
    }

    async fn restore(
        &self,
        source: &SnapshotSource,
        target: &ConnSpec,
        request: &RestoreRequest,
        report: &mut DrillReport,
    ) -> Result<()> {
        // A drill has no key, so it cannot decrypt vault secrets. Their rows are compared as they are.
        let vault = Vault::default();
        let engine = Engine { source, vault: &vault, target, request, monitor: self.monitor, cancel: self.cancel };
        let plan = engine.plan().await?;
        report.exceptions.clone_from(&plan.exceptions);
        let (name, digest) = (plan.target.database.clone(), plan.digest.clone());
        // No confirmation: the database was created for this, or named for it and found empty.
        let done = engine.execute(&plan.confirm(&name, &digest)?).await?;
        report.statements = done.statements;
        report.rows_loaded = done.rows_loaded;
        report.bytes_loaded = done.bytes_loaded;
        report.exceptions.extend(done.exceptions.iter().cloned());
        report.left_out = done.left_out;
        report.exceptions.sort();
        report.exceptions.dedup();
        Ok(())
    }

    fn restore_request(&self, ground: &Ground) -> RestoreRequest {
        RestoreRequest {
            // No scheduler runs jobs in a throw-away cluster; another server may have one.
            activate_jobs: ground.stage() == Stage::ThrowAwayCluster,
            ..RestoreRequest::whole(self.request.now, self.request.jobs, LOCK_WAIT_MS)
        }
    }

    async fn prove(&self, source: &SnapshotSource, ground: &Ground, report: &mut DrillReport) -> Result<()> {
        match proof::prove(self, source, ground, report).await {
            Ok(proof) => report.proof = proof,
            Err(failure) if self.cancel.is_cancelled() => return Err(failure),
            Err(failure) => report.notes.push(format!("the proof could not run: {failure}")),
        }
        Ok(())
    }

    async fn clear(
        &self,
        source: &SnapshotSource,
        ground: &mut Ground,
        ended_well: bool,
        report: &mut DrillReport,
    ) -> Result<()> {
        if self.request.keep && ended_well {
            report.kept = Some(ground.keep()?);
            return Ok(());
        }
        if ground.stage() == Stage::Target {
            report.left = target::emptied(source, &ground.spec).await?;
        }
        Ok(())
    }

    /// A report that cannot be written is a warning: the drill itself was done.
    fn record(&self, report: &DrillReport) {
        if let Err(failure) = report::keep(self.root.path(), report) {
            self.monitor.warn("record_not_written", failure.to_string(), failure.hints.first().cloned());
        }
    }

    fn stop_here(&self) -> Result<()> {
        match self.cancel.reason() {
            Some(reason) => Err(Failure::msg(reason.failure_kind(), reason.sentence())),
            None => Ok(()),
        }
    }
}

/// Is the failure about the snapshot, and not about the server that it was tried on?
pub(in crate::ops) fn is_of_the_snapshot(failure: &Failure) -> bool {
    let short_of_something = failure.sqlstate.is_some_and(is_of_the_server) || failure.is_disk_full();
    matches!(failure.kind, FailureKind::Failed | FailureKind::Integrity) && !short_of_something
}

/// The server lacks disk space, memory, connections, or a feature such as XML.
pub(in crate::ops) fn is_of_the_server(code: SqlState) -> bool {
    code.is_of_the_server() || code.is(sqlstate::FEATURE_NOT_SUPPORTED)
}

/// Classifies a restore that failed: a finding about the snapshot, or an error because the cause lies elsewhere.
fn broken(failure: Failure, report: &mut DrillReport) -> Result<()> {
    let text = failure.to_string();
    match failure.kind {
        _ if is_of_the_snapshot(&failure) => {
            let hints: Vec<String> = failure.hints.iter().map(|hint| visible(hint)).collect();
            report.findings.push(ProofFinding {
                code: "restore_failed".to_string(),
                what: visible(&text),
                expected: "a restore without an error".to_string(),
                found: hints.join("; "),
            });
            Ok(())
        }
        FailureKind::Interrupted | FailureKind::Terminated | FailureKind::NotConfirmed => Err(failure),
        _ => Err(Failure { kind: FailureKind::NotProven, ..failure }
            .context("the drill stopped early; the snapshot is neither proved nor disproved")
            .hint("try other server programs with --pg-bin, the source's own major and build first")),
    }
}
