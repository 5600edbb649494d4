//! What was asked of `create`, as plain data.
//!
//! Invariant: everything that decides what a run does and is not in the settings is here, checked; no secret is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::category::Category;
use super::ids::Label;

/// A derived form of the data that `--formats` names. The archive itself (`dump`) is always one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataFormat {
    /// pg_dump's directory archive.
    Dump,
    /// The readable SQL.
    Sql,
    /// One CSV a table.
    Csv,
}

impl DataFormat {
    pub const ALL: [DataFormat; 3] = [Self::Dump, Self::Sql, Self::Csv];

    pub fn word(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::Sql => "sql",
            Self::Csv => "csv",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }
}

/// How the readable SQL and the CSV are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadableCompression {
    None,
    Zstd,
}

/// One `create`. `None` or empty means: as the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequest {
    /// The moment of the call: names the folder and is the snapshot's `created_at`.
    pub now: Timestamp,
    pub label: Option<Label>,
    pub note: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Only these parts (and what they need).
    pub only: Vec<Category>,
    pub skip: Vec<Category>,
    /// `schema.table` or a pattern with `*` and `?`; empty: all tables.
    pub tables: Vec<String>,
    /// Patterns of tables whose rows are left out; added to those of the settings.
    pub exclude_data: Vec<String>,
    pub formats: Option<Vec<DataFormat>>,
    pub readable_compression: Option<ReadableCompression>,
    pub jobs: Option<u32>,
    /// Do nothing when nothing changed since the last complete snapshot.
    pub if_changed: bool,
    /// Already applied before the run is called; kept for the log.
    pub min_interval: Option<Duration>,
    pub lock_wait: Option<Duration>,
    /// Applied by the caller through the `Cancel` token; kept for the log.
    pub timeout: Option<Duration>,
    pub pg_bin: Option<PathBuf>,
    pub project_dir: Option<PathBuf>,
    pub storage_dir: Option<PathBuf>,
    /// `Some(true)`: sessions and tokens go into the users' SQL; `Some(false)`: they stay out.
    pub keep_sessions: Option<bool>,
    /// Started by `--background`: one job unless told otherwise.
    pub background: bool,
}

impl CreateRequest {
    /// A request for everything, at `now`.
    pub fn full(now: Timestamp) -> Self {
        Self {
            now,
            label: None,
            note: None,
            tags: BTreeMap::new(),
            only: Vec::new(),
            skip: Vec::new(),
            tables: Vec::new(),
            exclude_data: Vec::new(),
            formats: None,
            readable_compression: None,
            jobs: None,
            if_changed: false,
            min_interval: None,
            lock_wait: None,
            timeout: None,
            pg_bin: None,
            project_dir: None,
            storage_dir: None,
            keep_sessions: None,
            background: false,
        }
    }

    /// Is less asked for than everything? Then the snapshot is of kind `partial` and protects nothing.
    pub fn is_narrowed(&self) -> bool {
        !(self.only.is_empty() && self.skip.is_empty() && self.tables.is_empty())
    }
}
