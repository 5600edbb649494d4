//! `restore`, `undo` and the rollback of `guard`: verify, plan, (the caller confirms,) safety snapshot, record, write,
//! prove, record.
//!
//! Invariant: a plan is made only from a snapshot whose checksums were verified just before. Nothing is written without
//! a [`ConfirmedPlan`], the root's lock and a record on disk. However a restore ends, the record says so, and a failure
//! names the command that undoes it. It asks no questions and prints nothing.

mod check;
mod proof;
pub mod roles;
mod safety;

use std::future::Future;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use super::flight::{CLEANUP_GRACE, HURRIED_GRACE};
use super::trust;
use super::trust::Asked;
use crate::config::Settings;
use crate::model::cancel::Cancel;
use crate::model::connection::{ConnSpec, Host};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::left_out;
use crate::model::name::{shell, visible};
use crate::model::restore::{
    ConfirmedPlan, RestorePlan, RestoreReport, RestoreRequest, RestoreVerdict, TargetFacts, TargetKind,
};
use crate::monitor::Monitor;
use crate::monitor::millis;
use crate::restore::parts::vault::Vault;
use crate::restore::source::SnapshotSource;
use crate::restore::{Done, Engine};
use crate::root::folder::Root;
use crate::root::lock::RootLock;
use crate::root::restores;
use crate::root::restores::{RestoreFailure, RestoreId, RestoreRecord, RestoreState};
use crate::snapshot::age_file::Keys;
use crate::verify::{Level, verify_sealed};

pub use check::{Found, same_target};
pub use proof::Before;

/// Options in addition to the engine's own request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Take a snapshot of the target first.
    pub safety_snapshot: bool,
    pub proof: bool,
    pub undo_of: Option<RestoreId>,
    /// The required target: that of the restore to undo, or the database that `guard` read.
    pub expected: Option<TargetFacts>,
    /// The keys that may open the sealed vault secrets.
    pub keys: Keys,
    /// `--vouch`: the first digits of the checksum of a manifest that this root's key did not sign.
    pub vouch: Option<String>,
}

/// One restore, from the checks to the record.
pub struct Recovery<'a> {
    pub root: &'a Root,
    pub settings: &'a Settings,
    pub target: &'a ConnSpec,
    pub request: &'a RestoreRequest,
    pub options: &'a Options,
    pub monitor: &'a dyn Monitor,
    pub cancel: &'a Cancel,
    pub clock: fn() -> Timestamp,
}

/// A verified snapshot, and the plan to restore it.
#[derive(Debug)]
pub struct Prepared {
    source: SnapshotSource,
    vault: Vault,
    plan: RestorePlan,
}

impl Prepared {
    pub fn plan(&self) -> &RestorePlan {
        &self.plan
    }
}

impl Recovery<'_> {
    /// Verifies every checksum of the snapshot in `place`, examines the target and plans. Writes nothing.
    ///
    /// Errors: `Integrity` when the snapshot is damaged or this root's key did not sign it; `NotConfirmed` when it is
    /// partial without `--allow-partial`, or when the target is not the expected one.
    pub async fn prepare(&self, place: &Path) -> Result<Prepared> {
        let jobs = usize::try_from(self.request.jobs.max(1)).unwrap_or(1);
        let verification = verify_sealed(place, Level::ForRestore, self.root.path(), self.monitor, jobs)?;
        if let Some(damage) = verification.failure() {
            return Err(damage.context("nothing was written"));
        }
        trust::require_trusted_origin(place, self.root.path(), &verification, &self.asked())?;
        let source = trust::open(place, &verification)?;
        check::whole_enough(&source.manifest, self.request.allow_partial)?;
        if let Some(expected) = &self.options.expected {
            self.guarded(check::expected_target(self.target, expected)).await?;
        }
        let whole = self.request.only.is_empty() && self.request.tables.is_empty();
        let vault = if whole { Vault::read(&source, &self.options.keys)? } else { Vault::default() };
        let plan = self.guarded(self.engine(&source, &vault).plan()).await?;
        Ok(Prepared { source, vault, plan })
    }

    /// Executes `plan`. The report is in the record too.
    pub async fn carry_out(
        &self,
        prepared: &Prepared,
        plan: &ConfirmedPlan,
        _lock: &RootLock,
    ) -> Result<RestoreReport> {
        let clock = Instant::now();
        let mut record =
            restores::reserve(self.root.path(), self.request.now, |id| self.record(id, &prepared.source, plan))?;
        let mut report = self.report(&record, plan);
        match self.write_and_prove(prepared, plan, &mut record, &mut report).await {
            Ok(()) => {
                report.duration_ms = millis(clock.elapsed());
                record.state = RestoreState::Finished;
                record.report = Some(report.clone());
                self.close(&mut record);
                self.mark_undone(&record);
                Ok(report)
            }
            Err(failure) => {
                let rolled_back = record.one_transaction && failure.kind != FailureKind::Unreachable;
                if record.state == RestoreState::Preparing || (rolled_back && self.cancel.reason().is_none()) {
                    record.roles_made.clear();
                }
                let failure = self.explained(failure, &record);
                record.state = RestoreState::Failed;
                record.failure = Some(RestoreFailure {
                    code: failure.kind.word().to_string(),
                    exit: failure.kind.exit_code(),
                    message: failure.to_string(),
                    left_out: failure.left_out.clone(),
                });
                self.close(&mut record);
                Err(failure)
            }
        }
    }

    /// For an empty plan: only the proof. There is no record, because nothing is written.
    pub async fn already_equal(&self, prepared: &Prepared) -> Result<RestoreReport> {
        let clock = Instant::now();
        let mut report = RestoreReport {
            id: String::new(),
            snapshot: prepared.plan.snapshot.clone(),
            target: prepared.plan.target.clone(),
            plan_digest: prepared.plan.digest.clone(),
            started_at: self.request.now,
            duration_ms: 0,
            safety_snapshot: None,
            statements: 0,
            rows_loaded: 0,
            bytes_loaded: 0,
            exceptions: prepared.plan.exceptions.clone(),
            left_out: Vec::new(),
            manual: Vec::new(),
            proof: None,
        };
        if self.options.proof {
            let before = self.guarded(proof::before(self)).await?;
            report.take_proof(self.guarded(proof::prove(self, prepared, &Done::default(), before)).await?);
        }
        report.duration_ms = millis(clock.elapsed());
        Ok(report)
    }

    async fn write_and_prove(
        &self,
        prepared: &Prepared,
        plan: &ConfirmedPlan,
        record: &mut RestoreRecord,
        report: &mut RestoreReport,
    ) -> Result<()> {
        if self.options.safety_snapshot && check::needs_safety(plan.plan()) {
            let (name, manifest_sha256) = safety::take(self, &record.id).await?;
            report.safety_snapshot = Some(name.clone());
            (record.safety_snapshot, record.safety_manifest_sha256) = (Some(name), Some(manifest_sha256));
        }
        let before = if self.options.proof { self.guarded(proof::before(self)).await? } else { Before::default() };
        self.stop_here()?;
        record.state = RestoreState::Running;
        restores::write(self.root.path(), record)?;
        let done = self.guarded(self.engine(&prepared.source, &prepared.vault).execute(plan)).await?;
        roles::number(self, &mut record.roles_made).await;
        report.statements = done.statements;
        report.rows_loaded = done.rows_loaded;
        report.bytes_loaded = done.bytes_loaded;
        report.exceptions.extend(done.exceptions.iter().cloned());
        report.left_out.clone_from(&done.left_out);
        report.exceptions.sort();
        report.exceptions.dedup();
        if self.options.proof {
            // The restore is done even if the proof fails: that is a warning, and the exit code is 15.
            match self.guarded(proof::prove(self, prepared, &done, before)).await {
                Ok(proof) => report.take_proof(proof),
                Err(failure) => {
                    self.monitor.warn("not_proven", format!("the proof could not run: {failure}"), None);
                }
            }
        }
        Ok(())
    }

    fn asked(&self) -> Asked<'_> {
        Asked { vouch: self.options.vouch.as_deref(), untrusted: self.request.untrusted }
    }

    fn engine<'s>(&'s self, source: &'s SnapshotSource, vault: &'s Vault) -> Engine<'s> {
        let Self { target, request, monitor, cancel, .. } = *self;
        Engine { source, vault, target, request, monitor, cancel }
    }

    fn record(&self, id: RestoreId, source: &SnapshotSource, plan: &ConfirmedPlan) -> RestoreRecord {
        let plan = plan.plan();
        RestoreRecord {
            schema: restores::SCHEMA.to_string(),
            id,
            state: RestoreState::Preparing,
            snapshot: plan.snapshot.clone(),
            manifest_sha256: source.manifest.manifest_sha256.clone(),
            target: plan.target.clone(),
            plan_digest: plan.digest.clone(),
            one_transaction: plan.one_transaction,
            safety_snapshot: None,
            safety_manifest_sha256: None,
            undo_of: self.options.undo_of.clone(),
            undone_by: None,
            roles_made: roles::made_by(plan),
            started_at: self.request.now,
            ended_at: None,
            failure: None,
            report: None,
        }
    }

    fn report(&self, record: &RestoreRecord, plan: &ConfirmedPlan) -> RestoreReport {
        let plan = plan.plan();
        RestoreReport {
            id: record.id.to_string(),
            snapshot: plan.snapshot.clone(),
            target: plan.target.clone(),
            plan_digest: plan.digest.clone(),
            started_at: record.started_at,
            duration_ms: 0,
            safety_snapshot: None,
            statements: 0,
            rows_loaded: 0,
            bytes_loaded: 0,
            exceptions: plan.exceptions.clone(),
            left_out: Vec::new(),
            manual: plan.manual.clone(),
            proof: None,
        }
    }

    /// Records how the restore ended. If the record cannot be written, that is a warning: the restore itself stands.
    fn close(&self, record: &mut RestoreRecord) {
        record.ended_at = Some((self.clock)());
        if let Err(failure) = restores::write(self.root.path(), record) {
            self.monitor.warn("record_not_written", failure.to_string(), failure.hints.first().cloned());
        }
    }

    /// Writes into the record of the undone restore which restore undid it.
    fn mark_undone(&self, record: &RestoreRecord) {
        let Some(undone) = &record.undo_of else { return };
        let marked = restores::read(self.root.path(), undone).and_then(|mut other| {
            other.undone_by = Some(record.id.clone());
            restores::write(self.root.path(), &other)
        });
        if let Err(failure) = marked {
            self.monitor.warn("record_not_written", failure.to_string(), None);
        }
    }

    fn stop_here(&self) -> Result<()> {
        match self.cancel.reason() {
            Some(reason) => Err(Failure::msg(reason.failure_kind(), reason.sentence())),
            None => Ok(()),
        }
    }

    /// Runs the work until it ends. Once cancelled, it may take the grace period at most. The work sees the token
    /// itself.
    async fn guarded<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let out_of_grace = async {
            self.cancel.cancelled().await;
            tokio::select! {
                () = tokio::time::sleep(CLEANUP_GRACE) => {}
                () = async { self.cancel.hurried().await; tokio::time::sleep(HURRIED_GRACE).await } => {}
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = work => outcome,
            () = out_of_grace => Err(Failure::msg(FailureKind::Failed, "it did not stop in time and was aborted")),
        };
        match (outcome, self.cancel.reason()) {
            (Err(failure), Some(reason)) => {
                Err(Failure { kind: reason.failure_kind(), ..failure }.context(reason.sentence()))
            }
            (outcome, _) => outcome,
        }
    }

    /// Adds the state of the target and the next command.
    fn explained(&self, failure: Failure, record: &RestoreRecord) -> Failure {
        if record.state == RestoreState::Preparing {
            return failure.context(format!("{} did not start: nothing was written to the target", record.id));
        }
        let lost = failure.kind == FailureKind::Unreachable;
        let undo = undo_command(&record.id, self.target);
        let failure = failure.context(format!("{} failed", record.id));
        match (record.one_transaction && !lost, &record.safety_snapshot) {
            (true, _) => failure.hint("it was one transaction, which the server rolled back: the target is unchanged"),
            (false, Some(_)) if record.one_transaction => failure
                .hint(format!("the connection was lost; if that happened during COMMIT, the target may be restored already. Check with: {undo} --dry-run")),
            (false, Some(_)) => failure.hint(format!("a part of it may be written; to restore the state before: {undo}")),
            (false, None) => failure.hint(
                "a part of it may be written and there is no safety snapshot: run the same command again (with --replace-other-project where the target was empty before)",
            ),
        }
    }
}

/// The command that undoes a restore. It holds no password: `--to` finds it in ~/.pgpass or PGPASSWORD.
pub fn undo_command(id: &RestoreId, target: &ConnSpec) -> String {
    format!("stacksnap undo {id} --to {}", shell(&target_words(target)))
}

/// A connection as libpq keywords, without the password, for a command line.
pub fn target_words(target: &ConnSpec) -> String {
    let quoted = |text: &str| format!("'{}'", visible(text).replace('\\', r"\\").replace('\'', r"\'"));
    let plain =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:,@".contains(c));
    let value = |text: &str| if plain(text) { text.to_string() } else { quoted(text) };
    let host = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.to_string_lossy().into_owned(),
    };
    let hosts: Vec<String> = target.hosts.iter().map(|(h, _)| host(h)).collect();
    let ports: Vec<String> = target.hosts.iter().map(|(_, port)| port.to_string()).collect();
    format!(
        "host={} port={} user={} dbname={} sslmode={}",
        value(&hosts.join(",")),
        ports.join(","),
        value(&target.user),
        value(&target.database),
        target.ssl_mode.word()
    )
}

/// The exit code of the command: `None` is 0. `NotProven` if a proof was wanted and there is none.
pub fn exit_kind(report: &RestoreReport, proof_wanted: bool) -> Option<FailureKind> {
    match (&report.proof, proof_wanted) {
        // A database that is more open than the source is never acceptable, whatever else is equal.
        _ if left_out::is_open(&report.left_out) => Some(FailureKind::Integrity),
        (Some(proof), _) => match proof.verdict {
            RestoreVerdict::Not => Some(FailureKind::Integrity),
            RestoreVerdict::Except => Some(FailureKind::Partial),
            RestoreVerdict::Restorable if report.exceptions.is_empty() => None,
            RestoreVerdict::Restorable => Some(FailureKind::Partial),
        },
        (None, true) => Some(FailureKind::NotProven),
        (None, false) => (!report.exceptions.is_empty()).then_some(FailureKind::Partial),
    }
}

/// How messages name a kind of target.
pub fn target_word(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::FreshProject => "a fresh Supabase project",
        TargetKind::SameDatabase => "the database that the snapshot was taken from",
        TargetKind::OtherDatabase => "another database, with objects of its own",
        TargetKind::Bare => "a plain, empty database",
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
