//! `manifest.json`: the machine-readable record of one snapshot. `doc/format.md` is its specification.
//!
//! Invariant: it is written last, and its presence makes a folder a snapshot. It never holds a secret or a host name
//! (only a hash of it). A reader refuses a newer major format instead of guessing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::computed::ComputedRecord;
use super::gap::Gap;
use super::ids::SnapshotName;
use super::object_kind::ObjectKind;
use super::outcome::{Artifact, CollectorOutcome};
use super::schema_verification::SchemaVerification;
pub use super::table_record::{MemberMark, TableMark, TableRecord};

/// Version of the folder format. Readers accept their own major version with any minor version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatVersion {
    pub major: u32,
    pub minor: u32,
}

pub const FORMAT: FormatVersion = FormatVersion { major: 1, minor: 5 };

impl FormatVersion {
    /// Whether this program can read snapshots of that format.
    pub fn readable(self) -> bool {
        self.major == FORMAT.major
    }
}

/// The scope that was requested. Only `Full` counts as protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotKind {
    Full,
    Partial,
    DataOnly,
    SchemaOnly,
}

/// The source of the snapshot. The host is hashed: enough to distinguish two sources, not enough to find one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    pub host_sha256: String,
    pub database: String,
    pub user: String,
    /// From `pg_control_system()` if the role may call it: 64 bits, as text.
    pub system_identifier: Option<String>,
    pub database_oid: u32,
    /// e.g. 150018.
    pub server_version_num: u32,
    pub server_version: String,
    pub encoding: String,
    pub locale: String,
    pub is_supabase: bool,
    pub is_standby: bool,
    pub database_bytes: u64,
}

/// The instant of the database that the snapshot shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consistency {
    /// The ID of the exported snapshot on the server.
    pub exported_snapshot: String,
    /// The server's clock when the snapshot was exported.
    pub taken_at: Timestamp,
    /// Write-ahead log position, e.g. `0/1A2B3C4`; `None` if the server does not report it.
    pub wal_lsn: Option<String>,
    /// `pg_current_snapshot()`: `xmin:xmax:in-progress`.
    pub transaction_horizon: String,
    /// How often the run started over because of concurrent DDL.
    pub restarts: u32,
}

/// The programs that created the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    pub stacksnap: String,
    pub pg_dump: String,
    /// e.g. `gzip:1` or `zstd:1`.
    pub codec: String,
    /// Since 1.4: codec of the readable SQL and the CSV, `none` or `zstd:1`; absent without an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readable_codec: Option<String>,
    pub jobs: u32,
}

/// The count of one kind of object in the catalogs and in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub kind: ObjectKind,
    pub in_catalogs: u64,
    pub in_archive: u64,
}

/// The whole manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: FormatVersion,
    pub id: SnapshotName,
    pub kind: SnapshotKind,
    /// True for a full snapshot without gaps and failed collectors whose coverage counts agree.
    pub complete: bool,
    pub label: Option<String>,
    pub note: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub duration_ms: u64,
    pub source: SourceFacts,
    pub consistency: Consistency,
    pub tools: Tools,
    /// Counts for people: `tables`, `rows`, `users`, `policies`, `functions`, …
    pub counts: BTreeMap<String, u64>,
    pub coverage: Vec<Coverage>,
    pub tables: Vec<TableRecord>,
    /// Since 1.3: marks of extension tables that are not in `tables`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub member_marks: Vec<MemberMark>,
    /// Since 1.4: computed contents that no archive holds. `None`: not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Vec<ComputedRecord>>,
    pub outcomes: Vec<CollectorOutcome>,
    /// Since 1.5: whether the schema could be restored when the snapshot was taken. `None`: not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_verification: Option<SchemaVerification>,
    pub gaps: Vec<Gap>,
    /// Kinds of secrets in the files, with the path: handle these files with care.
    pub secrets: Vec<SecretNotice>,
    pub artifacts: Vec<Artifact>,
    /// Lets `create --if-changed` detect changes. See `model::manifest::ChangeMarker`.
    pub change_marker: Option<ChangeMarker>,
    pub sha256sums_sha256: String,
    /// sha256 of this file with these 64 digits replaced by zeros.
    pub manifest_sha256: String,
}

/// A kind of secret in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretNotice {
    pub path: String,
    pub what: String,
}

/// Facts about the source that are cheap to query again. Equal markers prove that nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMarker {
    /// Next unassigned transaction ID, with no transaction in progress below it.
    pub transaction_horizon: String,
    /// sha256 over catalogs, sequences, roles, settings.
    pub catalogs_sha256: String,
    /// sha256 over the write counters of all tables and the time of their last reset.
    pub counters_sha256: String,
    /// sha256 over what is copied from the project and storage folders (names, sizes, times, links).
    pub files_sha256: String,
    /// sha256 over the settings that affect the contents of a snapshot.
    pub settings_sha256: String,
    /// The start of counting for the table marks. `None`: the server could not vouch for them, and no table has a mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_since: Option<String>,
}

/// Tag of a safety snapshot, taken of the target before a restore. Its value is the ID of the restore.
pub const SAFETY_TAG: &str = "stacksnap.safety_of";

impl Manifest {
    /// Whether it was taken of a restore's target, to undo that restore. Such a snapshot is never the latest one:
    /// otherwise a second `restore latest` would restore what the first one replaced.
    pub fn is_safety_copy(&self) -> bool {
        self.tags.contains_key(SAFETY_TAG)
    }

    /// Number of rows in all tables.
    pub fn rows_total(&self) -> u64 {
        self.tables.iter().map(|t| t.rows).sum()
    }

    /// Bytes of all files except SHA256SUMS and the manifest.
    pub fn bytes_total(&self) -> u64 {
        self.artifacts.iter().map(|a| a.bytes).sum()
    }
}
