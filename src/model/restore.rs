//! A restore as data: the request, the target, the plan and the result.
//!
//! Invariant: only [`RestorePlan::confirm`] creates a [`ConfirmedPlan`], and nothing is ever written without one. A
//! plan names everything that will be replaced or dropped; its digest changes whenever any of that changes. It has no
//! secret.

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

/// What kind of database the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A Supabase project without user objects.
    FreshProject,
    /// The database that the snapshot was taken from.
    SameDatabase,
    /// Another database that has objects of its own.
    OtherDatabase,
    /// An empty database without the platform's schemas.
    Bare,
}

impl TargetKind {
    /// Whether it has objects of a user, so that the restore drops objects that the snapshot lacks.
    pub fn has_user_objects(self) -> bool {
        matches!(self, Self::SameDatabase | Self::OtherDatabase)
    }
}

/// Facts about the target.
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
    /// May disable triggers and foreign keys for its session (`session_replication_role`).
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

/// Everything a restore will do. A dry run prints exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePlan {
    pub format: FormatVersion,
    pub snapshot: String,
    pub manifest_sha256: String,
    pub target: TargetFacts,
    /// Everything runs in one transaction: all or nothing.
    pub one_transaction: bool,
    pub only: Vec<RestorePart>,
    /// Objects that only the target has.
    pub drop: Vec<ObjectName>,
    /// Objects that differ: they are altered, or dropped and recreated.
    pub replace: Vec<ObjectName>,
    /// Objects that only the snapshot has.
    pub create: Vec<ObjectName>,
    pub load: Vec<TableLoad>,
    /// Tables with equal rows, which are not written.
    pub tables_equal: u64,
    /// Those that were not read, because the server vouches that they were not written to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tables_vouched: u64,
    /// Objects that the user allowed to be missing afterwards, with everything that depends on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<ObjectName>,
    pub exceptions: Vec<Exception>,
    /// Manual steps after the restore.
    pub manual: Vec<String>,
    pub estimated_ms: u64,
    /// sha256 of the plan with this field empty.
    pub digest: String,
}

/// A zero is not serialized, so that the digest of a plan from an older version stays the same.
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

    /// The digest of the plan, without the time estimate and without which tables were read to make it.
    pub fn compute_digest(&self) -> String {
        let plain = Self { digest: String::new(), estimated_ms: 0, tables_vouched: 0, ..self.clone() };
        let text = serde_json::to_vec(&plain).unwrap_or_default();
        hex(&Sha256::digest(&text))
    }

    /// Whether the plan only creates copies in a separate schema and touches no existing object.
    pub fn copies(&self) -> bool {
        let only_made = self.drop.is_empty() && self.replace.is_empty() && !self.load.is_empty();
        only_made && self.load.iter().all(|load| matches!(load.reason, LoadReason::CopyOf { .. }))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.drop.is_empty() && self.replace.is_empty() && self.create.is_empty() && self.load.is_empty()
    }

    /// Confirms the plan: `typed` must be the target database's name, and `digest` that of the plan that was shown.
    pub fn confirm(self, typed: &str, digest: &str) -> Result<ConfirmedPlan> {
        if typed != self.target.database {
            return Err(Failure::msg(
                FailureKind::NotConfirmed,
                "nothing was written: the typed name is not the target's",
            )
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

/// A plan that the user confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedPlan(RestorePlan);

impl ConfirmedPlan {
    pub fn plan(&self) -> &RestorePlan {
        &self.0
    }
}

/// The verdict about a restored stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreVerdict {
    Restorable,
    /// Everything except the listed exceptions.
    Except,
    Not,
}

/// One difference or failed probe found after a restore.
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
    /// `None`: not applicable here; `detail` says why.
    pub passed: Option<bool>,
    pub detail: String,
}

/// How much of a database is exposed. Compared before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityCensus {
    /// Tables outside managed schemas that have row security off.
    pub tables_rls_off: Vec<String>,
    /// SECURITY DEFINER functions that `anon` may execute.
    pub definer_functions_anon: Vec<String>,
    /// Tables that `anon` may read or write, with the privileges.
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

/// The record of one restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// `restore_YYYYMMDD_HHMMSS`, the argument of `undo`.
    pub id: String,
    pub snapshot: String,
    pub target: TargetFacts,
    pub plan_digest: String,
    pub started_at: Timestamp,
    pub duration_ms: u64,
    /// The safety snapshot of the target, which `undo` restores.
    pub safety_snapshot: Option<String>,
    pub statements: u64,
    pub rows_loaded: u64,
    pub bytes_loaded: u64,
    /// Everything that is missing or different afterwards: exceptions of the plan, of the engine and of the proof.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Objects that could not be created, one by one. The causes are in `exceptions` too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Manual steps that remain.
    #[serde(default)]
    pub manual: Vec<String>,
    pub proof: Option<Proof>,
}

impl RestoreReport {
    /// Adds the proof, and merges its exceptions so that `exceptions` is the full list.
    pub fn take_proof(&mut self, proof: Option<Proof>) {
        self.exceptions.extend(proof.iter().flat_map(|proof| proof.exceptions.iter().cloned()));
        self.exceptions.sort();
        self.exceptions.dedup();
        self.proof = proof;
    }
}
