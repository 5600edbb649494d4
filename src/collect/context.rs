//! The input and the output of a collector.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

pub use crate::model::abilities::SourceAbilities;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::gap::Gap;
use crate::model::inventory::Inventory;
use crate::model::manifest::SecretNotice;
use crate::monitor::Monitor;
use crate::pg::session::Session;
pub use crate::snapshot::age_file::SealTo;
use crate::snapshot::reader::ArchiveData;
use crate::snapshot::sink::ArtifactSink;

/// Settings of the collectors, from the configuration and the command line.
#[derive(Debug, Clone, Default)]
pub struct CollectSettings {
    /// Holds `supabase/functions`, `supabase/migrations`, `supabase/config.toml`.
    pub project_dir: Option<PathBuf>,
    /// Root of the storage files (`<root>/<tenant>/<bucket>/<name>/<version>`), if they are copied.
    pub storage_dir: Option<PathBuf>,
    /// Patterns of `schema.table`. Empty: tables are found by name and shape.
    pub user_role_tables: Vec<String>,
    /// Patterns of function names, e.g. `encrypt_*`.
    pub encryption_functions: Vec<String>,
    /// Write sessions, refresh tokens and one-time tokens into the users' SQL.
    pub keep_sessions: bool,
    /// The recipients that vault secrets are sealed for; `None`: they are listed as not captured.
    pub seal: Option<SealTo>,
}

/// Everything that a collector may use.
pub struct Context<'a> {
    /// On the exported snapshot, READ ONLY, with pinned settings. One query at a time.
    pub session: &'a Session,
    pub abilities: &'a SourceAbilities,
    pub inventory: &'a Inventory,
    pub settings: &'a CollectSettings,
    pub sink: &'a ArtifactSink,
    /// The archive's data files; `Some` in the second stage, after pg_dump.
    pub archive: Option<&'a ArchiveData>,
    pub monitor: &'a dyn Monitor,
}

impl Context<'_> {
    pub fn has_schema(&self, name: &str) -> bool {
        self.abilities.schemas.iter().any(|s| s == name)
    }

    pub fn has_extension(&self, name: &str) -> bool {
        self.abilities.extensions.iter().any(|e| e == name)
    }
}

/// The result of a collector. `skipped` says why there was nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// By the words of the manifest's counts: `policies`, `functions`, `users`, …
    pub counts: BTreeMap<String, u64>,
    pub gaps: Vec<Gap>,
    pub secrets: Vec<SecretNotice>,
    pub skipped: Option<String>,
}

impl Collected {
    /// Nothing to do, and why.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self { skipped: Some(reason.into()), ..Self::default() }
    }

    pub fn count(&mut self, count: Count, n: u64) {
        self.counts.insert(count.word().to_string(), n);
    }

    /// Adds to a count whose word is the name of a table or a list.
    pub fn add(&mut self, word: &str, n: u64) {
        *self.counts.entry(word.to_string()).or_default() += n;
    }

    pub fn gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }

    pub fn secret(&mut self, path: &str, what: &str) {
        self.secrets.push(SecretNotice { path: path.to_string(), what: what.to_string() });
    }
}

/// When a collector runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// While pg_dump runs, from the catalogs.
    Catalogs,
    /// After pg_dump, from the archive's data files; the tables are not read again.
    Archive,
}

pub type CollectFuture<'a> = Pin<Box<dyn Future<Output = Result<Collected>> + Send + 'a>>;

/// One collector: its name, its part of the snapshot, when it runs, and the function.
pub struct Collector {
    pub name: &'static str,
    pub category: Category,
    pub stage: Stage,
    pub run: for<'a> fn(&'a Context<'a>) -> CollectFuture<'a>,
}
