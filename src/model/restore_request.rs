//! The request of one `restore`, as plain data.
//!
//! Invariant: it says what the user wants, never what will be done: that is the plan. It has no secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::QualifiedName;

/// One `restore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    pub now: Timestamp,
    /// Empty: all parts.
    pub only: Vec<RestorePart>,
    /// Exact `schema.table` names; empty: all.
    pub tables: Vec<QualifiedName>,
    /// Only create copies of `tables` in this schema, alongside the existing tables.
    pub into_schema: Option<String>,
    pub conflicts: ConflictPolicy,
    /// Restore rows of sessions, refresh tokens and one-time tokens.
    pub keep_sessions: bool,
    /// Keep cron jobs active if they were active in the source.
    pub activate_jobs: bool,
    pub allow_partial: bool,
    /// The target is another project with its own objects, which will be dropped.
    pub replace_other: bool,
    /// The snapshot is not trusted: restore only what cannot run foreign code, and run none of the snapshot's files.
    pub untrusted: bool,
    /// Read every table, even those that the server vouches were not written to.
    pub read_all: bool,
    /// `--leave-out`: `KIND name` of objects that may be missing afterwards, with their dependents.
    pub leave_out: Vec<String>,
    /// Also in place: create checks that the snapshot's rows violate as NOT VALID and report them. The source was in
    /// that state too.
    pub checks_not_valid: bool,
    /// Roles to drop although they are not in the snapshot: those created by the restore that is being undone.
    pub drop_roles: Vec<RoleMade>,
    pub jobs: u32,
    /// Maximum wait for a lock.
    pub lock_wait_ms: u64,
}

impl RestoreRequest {
    /// Everything the snapshot has, even if parts are missing, without any opt-in behaviour.
    pub fn whole(now: Timestamp, jobs: u32, lock_wait_ms: u64) -> Self {
        Self {
            now,
            only: Vec::new(),
            tables: Vec::new(),
            into_schema: None,
            conflicts: ConflictPolicy::Overwrite,
            keep_sessions: true,
            activate_jobs: false,
            allow_partial: true,
            replace_other: false,
            untrusted: false,
            read_all: false,
            leave_out: Vec::new(),
            checks_not_valid: false,
            drop_roles: Vec::new(),
            jobs,
            lock_wait_ms,
        }
    }
}

/// What to do with rows of `auth` and `storage` in the target that differ from the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictPolicy {
    /// Make the tables equal to the snapshot: newer rows are deleted.
    #[default]
    Overwrite,
    /// Keep the target's rows unchanged and only add missing ones.
    Keep,
    /// Stop the restore before the first write if any row differs.
    Abort,
}

/// `--only`: one part of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestorePart {
    Users,
    Roles,
    Policies,
    Functions,
    Encryption,
    Schema,
    Data,
    Migrations,
}

impl RestorePart {
    pub const ALL: [Self; 8] = [
        Self::Users,
        Self::Roles,
        Self::Policies,
        Self::Functions,
        Self::Encryption,
        Self::Schema,
        Self::Data,
        Self::Migrations,
    ];

    /// The word used in flags, plans and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Roles => "roles",
            Self::Policies => "policies",
            Self::Functions => "functions",
            Self::Encryption => "encryption",
            Self::Schema => "schema",
            Self::Data => "data",
            Self::Migrations => "migrations",
        }
    }

    /// Parses a word of `--only`; `None` if there is no such part.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }
}

/// A role that a restore created: it did not exist on the server before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleMade {
    pub name: String,
    /// Its OID. `None`: the restore stopped early, or the OID could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<u32>,
}
