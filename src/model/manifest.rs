//! `manifest.json`: the record of one snapshot for machines. Described in `doc/format.md`, which came first.
//!
//! Invariant: it is written last, and its presence makes a folder a snapshot. It holds no secret and no host name
//! (a hash of it). A reader refuses a newer major format instead of guessing.

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

/// Version of the folder's format: readers accept their own major and any minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatVersion {
    pub major: u32,
    pub minor: u32,
}

pub const FORMAT: FormatVersion = FormatVersion { major: 1, minor: 5 };

impl FormatVersion {
    /// Can this program read a snapshot of that format?
    pub fn readable(self) -> bool {
        self.major == FORMAT.major
    }
}

/// What was asked for. Only `Full` counts as protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotKind {
    Full,
    Partial,
    DataOnly,
    SchemaOnly,
}

/// Where it came from. The host is a hash: enough to tell two sources apart, not enough to find one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    pub host_sha256: String,
    pub database: String,
    pub user: String,
    /// `pg_control_system()` where the role may read it: 64 bits, as text.
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

/// The instant that everything in the snapshot shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consistency {
    /// The exported snapshot's name on the server.
    pub exported_snapshot: String,
    /// The server's clock when the snapshot was taken.
    pub taken_at: Timestamp,
    /// Write-ahead log position, e.g. `0/1A2B3C4`; none on a server that does not tell.
    pub wal_lsn: Option<String>,
    /// `pg_current_snapshot()`: `xmin:xmax:in-progress`.
    pub transaction_horizon: String,
    /// How often the run started over because a table was altered under it.
    pub restarts: u32,
}

/// The programs that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    pub stacksnap: String,
    pub pg_dump: String,
    /// e.g. `gzip:1` or `zstd:1`.
    pub codec: String,
    /// Since 1.4: of the readable SQL and the CSV, `none` or `zstd:1`; absent without an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readable_codec: Option<String>,
    pub jobs: u32,
}

/// One kind of object counted twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    pub kind: ObjectKind,
    pub in_catalogs: u64,
    pub in_archive: u64,
}

/// The whole record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: FormatVersion,
    pub id: SnapshotName,
    pub kind: SnapshotKind,
    /// Nothing is missing: no gap, no failed collector, coverage agrees, and it is a full one.
    pub complete: bool,
    pub label: Option<String>,
    pub note: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub duration_ms: u64,
    pub source: SourceFacts,
    pub consistency: Consistency,
    pub tools: Tools,
    /// Counts for a person: `tables`, `rows`, `users`, `policies`, `functions`, …
    pub counts: BTreeMap<String, u64>,
    pub coverage: Vec<Coverage>,
    pub tables: Vec<TableRecord>,
    /// Since 1.3: marks of tables of extensions that are not among `tables`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub member_marks: Vec<MemberMark>,
    /// Since 1.4: what the server computed and no archive holds. None: nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Vec<ComputedRecord>>,
    pub outcomes: Vec<CollectorOutcome>,
    /// Since 1.5: could the schema be restored when the snapshot was taken? None: nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_verification: Option<SchemaVerification>,
    pub gaps: Vec<Gap>,
    /// Kinds of secrets that the files hold, with the file: what to keep an eye on.
    pub secrets: Vec<SecretNotice>,
    pub artifacts: Vec<Artifact>,
    /// Lets `create --if-changed` tell whether anything moved. See `model::manifest::ChangeMarker`.
    pub change_marker: Option<ChangeMarker>,
    pub sha256sums_sha256: String,
    /// sha256 of this file with these 64 digits as zeros.
    pub manifest_sha256: String,
}

/// A kind of secret in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretNotice {
    pub path: String,
    pub what: String,
}

/// What was true of the source, cheap to ask again. Equal markers prove that nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMarker {
    /// Next transaction id not yet assigned, and none in progress below it.
    pub transaction_horizon: String,
    /// sha256 over catalogs, sequences, roles, settings.
    pub catalogs_sha256: String,
    /// sha256 over the write counters of every table, and the time since which they count.
    pub counters_sha256: String,
    /// sha256 over what is copied from the project's and the storage folders (names, sizes, times, links).
    pub files_sha256: String,
    /// sha256 over the settings that decide what a snapshot holds.
    pub settings_sha256: String,
    /// Since when the marks of tables count. None: the server could not vouch for them, and no table has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_since: Option<String>,
}

/// The tag of a snapshot that was taken of a target before a restore; its value is the restore's id.
pub const SAFETY_TAG: &str = "stacksnap.safety_of";

impl Manifest {
    /// Was it taken of a restore's target, to undo that restore? Then it is never the latest snapshot of anything:
    /// `restore latest`, said twice, must not restore what the first one replaced.
    pub fn is_safety_copy(&self) -> bool {
        self.tags.contains_key(SAFETY_TAG)
    }

    /// Rows of all tables.
    pub fn rows_total(&self) -> u64 {
        self.tables.iter().map(|t| t.rows).sum()
    }

    /// Bytes of all files but SHA256SUMS and the manifest.
    pub fn bytes_total(&self) -> u64 {
        self.artifacts.iter().map(|a| a.bytes).sum()
    }
}
