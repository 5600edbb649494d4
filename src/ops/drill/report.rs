//! The report of a drill, its verdict and exit code, and the copy on disk.
//!
//! Invariant: the verdict is `restorable` only if a proof says so and every assertion passed. The report holds no
//! secret.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DrillRequest;
use super::assertions::AssertionOutcome;
use crate::model::failure::{FailureKind, Result};
use crate::model::left_out::{self, LeftOut};
use crate::model::restore::{Exception, Proof, ProofFinding, RestoreVerdict};
use crate::restore::LIBRARY_MISSING;
use crate::restore::source::SnapshotSource;
use crate::root::folder::folder_in;
use crate::root::restores::write_private;
use crate::snapshot::layout::ROOT_DRILLS_DIR;

/// Where the snapshot was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    ThrowAwayCluster,
    Target,
}

/// A restored database that was kept (`--keep`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub connect: String,
    pub remove: String,
    pub folder: Option<String>,
}

/// The whole report. Durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrillReport {
    pub snapshot: String,
    pub manifest_sha256: String,
    /// `None`: it could not be proven.
    pub verdict: Option<RestoreVerdict>,
    pub stage: Stage,
    pub server_version: String,
    pub started_at: Timestamp,
    /// From a verified snapshot to a usable database: verifying and restoring, without starting the server.
    pub recovery_ms: u64,
    pub verify_ms: u64,
    /// Creating and starting the throw-away server.
    pub server_ms: u64,
    pub restore_ms: u64,
    pub proof_ms: u64,
    pub duration_ms: u64,
    pub statements: u64,
    pub rows_loaded: u64,
    pub bytes_loaded: u64,
    /// Errors that stopped the restore; the proof's findings are in `proof`.
    pub findings: Vec<ProofFinding>,
    pub exceptions: Vec<Exception>,
    /// The objects that could not be created; their causes are among the exceptions too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    pub assertions: Vec<AssertionOutcome>,
    pub proof: Option<Proof>,
    pub notes: Vec<String>,
    pub kept: Option<Kept>,
    /// What could not be removed from a named target.
    pub left: Vec<String>,
}

impl DrillReport {
    pub fn new(source: &SnapshotSource, request: &DrillRequest) -> Self {
        Self {
            snapshot: source.manifest.id.to_string(),
            manifest_sha256: source.manifest.manifest_sha256.clone(),
            verdict: None,
            stage: Stage::ThrowAwayCluster,
            server_version: String::new(),
            started_at: request.now,
            recovery_ms: 0,
            verify_ms: 0,
            server_ms: 0,
            restore_ms: 0,
            proof_ms: 0,
            duration_ms: 0,
            statements: 0,
            rows_loaded: 0,
            bytes_loaded: 0,
            findings: Vec::new(),
            exceptions: Vec::new(),
            left_out: Vec::new(),
            assertions: Vec::new(),
            proof: None,
            notes: Vec::new(),
            kept: None,
            left: Vec::new(),
        }
    }

    /// Moves missing libraries from the exceptions to the notes. A throw-away server has the libraries of this machine
    /// and no application connects to it, so a missing library proves nothing about the snapshot.
    pub fn libraries_to_notes(&mut self) {
        let (libraries, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.exceptions).into_iter().partition(|e| e.code == LIBRARY_MISSING);
        self.exceptions = rest;
        self.notes.extend(libraries.into_iter().map(|e| format!("{} was left out: {}", e.what, e.why)));
    }

    /// The exceptions of the restore and of the proof, without duplicates.
    pub fn all_exceptions(&self) -> Vec<Exception> {
        let mut all = self.exceptions.clone();
        all.extend(self.proof.iter().flat_map(|proof| proof.exceptions.iter().cloned()));
        all.sort();
        all.dedup();
        all
    }

    /// Sets the verdict.
    pub fn judge(&mut self) {
        let proven = self.proof.as_ref().map(|proof| proof.verdict);
        let refuted = !self.findings.is_empty() || self.assertions.iter().any(|a| !a.passed);
        self.verdict = match proven {
            _ if refuted => Some(RestoreVerdict::Not),
            Some(RestoreVerdict::Restorable) if !self.all_exceptions().is_empty() => Some(RestoreVerdict::Except),
            other => other,
        };
    }
}

/// The exit code of the command: `None` is 0.
pub fn exit_kind(report: &DrillReport) -> Option<FailureKind> {
    match report.verdict {
        Some(RestoreVerdict::Restorable) => None,
        // A database that is more open than the source is never acceptable.
        Some(RestoreVerdict::Except) if left_out::is_open(&report.left_out) => Some(FailureKind::Integrity),
        Some(RestoreVerdict::Except) => Some(FailureKind::Partial),
        Some(RestoreVerdict::Not) => Some(FailureKind::Integrity),
        None => Some(FailureKind::NotProven),
    }
}

/// Writes `drills/<snapshot>.json` in the root folder and replaces an older one.
pub fn keep(root: &Path, report: &DrillReport) -> Result<()> {
    let folder = folder_in(root, ROOT_DRILLS_DIR)?;
    let mut text = serde_json::to_vec_pretty(report).map_err(anyhow::Error::new)?;
    text.push(b'\n');
    // A snapshot's name holds no path separator, so the file stays in this folder.
    write_private(&folder.join(format!("{}.json", report.snapshot)), &text)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::model::restore::SecurityCensus;

    pub fn report() -> DrillReport {
        DrillReport {
            snapshot: "comprehensive_backup_20260130_120005".into(),
            manifest_sha256: "0".repeat(64),
            verdict: None,
            stage: Stage::ThrowAwayCluster,
            server_version: "15.18".into(),
            started_at: "2026-01-30T12:00:05Z".parse().unwrap(),
            recovery_ms: 2_100,
            verify_ms: 100,
            server_ms: 1_600,
            restore_ms: 2_000,
            proof_ms: 500,
            duration_ms: 4_300,
            statements: 10,
            rows_loaded: 20,
            bytes_loaded: 300,
            findings: vec![],
            exceptions: vec![],
            left_out: vec![],
            assertions: vec![],
            proof: Some(Proof {
                verdict: RestoreVerdict::Restorable,
                findings: vec![],
                exceptions: vec![],
                probes: vec![],
                census_before: None,
                census_after: SecurityCensus::default(),
                objects_compared: 5,
                tables_compared: 2,
                rows_compared: 20,
                duration_ms: 500,
            }),
            notes: vec![],
            kept: None,
            left: vec![],
        }
    }

    #[test]
    fn each_verdict_has_its_exit_code() {
        let code = |change: &dyn Fn(&mut DrillReport)| {
            let mut report = report();
            change(&mut report);
            report.judge();
            exit_kind(&report).map_or(0, FailureKind::exit_code)
        };
        let exception = || Exception {
            code: "extension_missing".into(),
            what: "extension vector".into(),
            why: "x".into(),
            todo: "y".into(),
        };
        let assertion = |passed| AssertionOutcome { query: "SELECT true".into(), passed, detail: String::new() };
        assert_eq!(code(&|_| {}), 0);
        assert_eq!(code(&|r| r.exceptions.push(exception())), 3);
        assert_eq!(code(&|r| r.assertions.push(assertion(true))), 0);
        assert_eq!(code(&|r| r.assertions.push(assertion(false))), 13);
        assert_eq!(code(&|r| r.proof.as_mut().unwrap().verdict = RestoreVerdict::Not), 13);
        assert_eq!(code(&|r| r.proof = None), 15);
        assert_eq!(
            code(&|r| {
                r.proof = None;
                r.assertions.push(assertion(true))
            }),
            15,
            "assertions prove nothing else"
        );
    }
}
