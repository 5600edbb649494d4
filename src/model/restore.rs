//! A restore as data: what was asked, what the target is, what will be done, what came of it.
//!
//! Invariant: only [`RestorePlan::confirm`] makes a [`ConfirmedPlan`], and nothing is written without one. A plan says
//! everything that will be replaced or dropped by name; its digest changes whenever any of it does. No secret is in it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use super::exception::Exception;
use super::failure::{Failure, FailureKind, Result};
use super::hex::hex;
use super::left_out::LeftOut;
use super::load_reason::LoadReason;
use super::manifest::FormatVersion;
use super::name::QualifiedName;
pub use super::object_name::ObjectName;
pub use super::restore_request::{ConflictPolicy, RestorePart, RestoreRequest, RoleMade};

/// What the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A Supabase project with nothing of a user's in it.
    FreshProject,
    /// The database that the snapshot was taken of.
    SameDatabase,
    /// Another database that has objects of its own.
    OtherDatabase,
    /// No platform schemas and nothing in it.
    Bare,
}

impl TargetKind {
    /// Does it hold what somebody built, and what the snapshot does not have goes?
    pub fn has_a_past(self) -> bool {
        matches!(self, Self::SameDatabase | Self::OtherDatabase)
    }
}

/// The target as it was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    pub kind: TargetKind,
    pub database: String,
    pub user: String,
    pub host_sha256: String,
    pub system_identifier: Option<String>,
    pub database_oid: u32,
    pub server_version_num: u32,
    pub is_superuser: bool,
    /// May switch triggers and foreign keys off for its session (`session_replication_role`).
    pub sets_replica_role: bool,
    pub is_supabase: bool,
}

/// One table's rows that will be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLoad {
    pub table: QualifiedName,
    pub rows: u64,
    pub bytes_raw: u64,
    #[serde(rename = "why")]
    pub reason: LoadReason,
}

/// Everything that a restore will do. A dry run prints exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePlan {
    pub format: FormatVersion,
    pub snapshot: String,
    pub manifest_sha256: String,
    pub target: TargetFacts,
    /// Everything happens in one transaction: all or nothing.
    pub one_transaction: bool,
    pub only: Vec<RestorePart>,
    /// In the target and not in the snapshot.
    pub drop: Vec<ObjectName>,
    /// In both, and different: dropped and made again, or altered.
    pub replace: Vec<ObjectName>,
    /// In the snapshot and not in the target.
    pub create: Vec<ObjectName>,
    pub load: Vec<TableLoad>,
    /// Tables whose rows are equal and are left alone.
    pub tables_equal: u64,
    /// Those of them that the server vouched for and that were not read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tables_vouched: u64,
    /// What may be missing afterwards, with what depends on it, because somebody said so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<ObjectName>,
    pub exceptions: Vec<Exception>,
    /// What to do by hand afterwards.
    pub manual: Vec<String>,
    pub estimated_ms: u64,
    /// sha256 of the plan with this field empty.
    pub digest: String,
}

/// What an older plan does not say is not in a newer one either, so that its digest is the same.
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl RestorePlan {
    /// Fills in the digest.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.digest = self.compute_digest();
        self
    }

    /// The digest of what the plan says; the estimate of time and the way to what it says do not count.
    pub fn compute_digest(&self) -> String {
        let plain = Self { digest: String::new(), estimated_ms: 0, tables_vouched: 0, ..self.clone() };
        let text = serde_json::to_vec(&plain).unwrap_or_default();
        hex(&Sha256::digest(&text))
    }

    /// Are these copies in a schema of their own, which touch nothing that exists?
    pub fn copies(&self) -> bool {
        let only_made = self.drop.is_empty() && self.replace.is_empty() && !self.load.is_empty();
        only_made && self.load.iter().all(|load| matches!(load.reason, LoadReason::CopyOf { .. }))
    }

    /// Is there anything to do?
    pub fn is_empty(&self) -> bool {
        self.drop.is_empty() && self.replace.is_empty() && self.create.is_empty() && self.load.is_empty()
    }

    /// The typed name must be the target database's, and the digest that of the plan that was shown.
    pub fn confirm(self, typed: &str, digest: &str) -> Result<ConfirmedPlan> {
        if typed != self.target.database {
            return Err(Failure::msg(FailureKind::NotConfirmed, "nothing was written: that is not the target's name")
                .hint("type the name of the target database, or pass it with --confirm"));
        }
        if digest != self.digest || self.digest != self.compute_digest() {
            return Err(Failure::msg(
                FailureKind::NotConfirmed,
                "nothing was written: the target or the snapshot changed since the plan was made",
            )
            .hint("make a new plan and read it: stacksnap restore … --dry-run"));
        }
        Ok(ConfirmedPlan(self))
    }
}

/// A plan that somebody said yes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedPlan(RestorePlan);

impl ConfirmedPlan {
    pub fn plan(&self) -> &RestorePlan {
        &self.0
    }
}

/// How good the restored stack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreVerdict {
    Restorable,
    /// Everything but the exceptions, which are named.
    Except,
    Not,
}

/// One difference or failed probe after a restore.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProofFinding {
    /// `object_differs`, `object_missing`, `object_extra`, `rows_differ`, `probe_failed`, `census_worse`, …
    pub code: String,
    pub what: String,
    pub expected: String,
    pub found: String,
}

/// One functional probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOutcome {
    /// Stable word, e.g. `auth_admin_reads_users`.
    pub name: String,
    /// None: it does not apply here, and `detail` says why.
    pub passed: Option<bool>,
    pub detail: String,
}

/// How open a database is. Compared before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityCensus {
    /// Tables outside of managed schemas without row security.
    pub tables_rls_off: Vec<String>,
    /// SECURITY DEFINER functions that `anon` may call.
    pub definer_functions_anon: Vec<String>,
    /// Tables that `anon` may read or write, and how.
    pub tables_anon: Vec<String>,
}

/// The proof after a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub verdict: RestoreVerdict,
    pub findings: Vec<ProofFinding>,
    pub exceptions: Vec<Exception>,
    pub probes: Vec<ProbeOutcome>,
    pub census_before: Option<SecurityCensus>,
    pub census_after: SecurityCensus,
    pub objects_compared: u64,
    pub tables_compared: u64,
    pub rows_compared: u64,
    pub duration_ms: u64,
}

/// What one restore did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// `restore_YYYYMMDD_HHMMSS`: what `undo` takes.
    pub id: String,
    pub snapshot: String,
    pub target: TargetFacts,
    pub plan_digest: String,
    pub started_at: Timestamp,
    pub duration_ms: u64,
    /// The snapshot of the target before it, which `undo` restores.
    pub safety_snapshot: Option<String>,
    pub statements: u64,
    pub rows_loaded: u64,
    pub bytes_loaded: u64,
    /// Everything that is not there afterwards, or not as it was: what the plan and the engine said, and what the proof found.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// What could not be made, object by object; the causes are among the exceptions too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// What is left to do by hand.
    #[serde(default)]
    pub manual: Vec<String>,
    pub proof: Option<Proof>,
}

impl RestoreReport {
    /// Whoever reads `exceptions` reads all of them.
    pub fn take_proof(&mut self, proof: Option<Proof>) {
        self.exceptions.extend(proof.iter().flat_map(|proof| proof.exceptions.iter().cloned()));
        self.exceptions.sort();
        self.exceptions.dedup();
        self.proof = proof;
    }
}
