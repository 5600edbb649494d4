//! What was asked of one `restore`, as plain data.
//!
//! Invariant: it says what is wanted and never what will be done: that is the plan's. No secret is in it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::QualifiedName;

/// One `restore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    pub now: Timestamp,
    /// Empty: everything.
    pub only: Vec<RestorePart>,
    /// `schema.table`, exactly; empty: all.
    pub tables: Vec<QualifiedName>,
    /// Copies of `tables` into this schema, beside what is there, and nothing else.
    pub into_schema: Option<String>,
    pub conflicts: ConflictPolicy,
    /// Restore rows of sessions, refresh tokens and one-time tokens.
    pub keep_sessions: bool,
    /// Leave cron jobs switched on as they were.
    pub activate_jobs: bool,
    pub allow_partial: bool,
    /// The target is another project with objects of its own, which will be dropped.
    pub replace_other: bool,
    /// Nobody answers for the snapshot: only what cannot run code of others comes back, and none of its files is run.
    pub untrusted: bool,
    /// Read every table, whatever the server says about which were written to.
    pub read_all: bool,
    /// `--leave-out`: `KIND name` of what may be missing afterwards, with what depends on it.
    pub leave_out: Vec<String>,
    /// Checks that rows of the snapshot break are made NOT VALID and named, in place too: that state was there once.
    pub checks_not_valid: bool,
    /// Roles that the snapshot does not have and that go: those that the restore which is undone made.
    pub drop_roles: Vec<RoleMade>,
    pub jobs: u32,
    /// How long to wait for a lock.
    pub lock_wait_ms: u64,
}

impl RestoreRequest {
    /// Everything that the snapshot has, also where parts are missing, and nothing that has to be asked for.
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

/// What happens to rows of `auth` and `storage` that the target has and that differ from the snapshot's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictPolicy {
    /// The tables become what the snapshot holds: rows that came later are removed.
    #[default]
    Overwrite,
    /// Rows of the target stay as they are; only missing ones are added.
    Keep,
    /// Any row that differs ends the restore before the first write.
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

    /// The word for flags, plans and JSON.
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

    /// Reads a word of `--only`; `None` when there is no such part.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }
}

/// A role that a restore made: it was not on the server before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleMade {
    pub name: String,
    /// Its number. None: the restore did not come to its end, or that could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<u32>,
}
