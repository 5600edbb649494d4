//! Settings and sources: flags, environment, `.env`, `stacksnap.toml` and libpq's own files, resolved once.
//!
//! Invariant: it is the only reader of the environment (`Environment::from_process`). Every value records its source;
//! secrets are `Secret` and show as `***`. It opens no connection and starts no program.

pub mod connection;
pub mod conninfo;
pub mod dotenv;
pub mod environment;
pub mod file;
pub mod pgpass;
pub mod placeholder;
pub mod pooler;
pub mod resolve;
pub mod schema;
pub mod seal;
pub mod secret;
pub mod service;
pub mod settings;
pub mod show;
pub mod suggest;
pub mod tenants;
pub mod toml_reader;
pub mod value;
pub mod variables;

use std::path::PathBuf;
use std::time::Duration;

use crate::model::secret::Secret;

pub use connection::{resolve_source, resolve_target};
pub use environment::Environment;
pub use schema::json_schema;
pub use seal::SealSetting;
pub use secret::{Inputs, SecretCommand, SecretRef};
pub use settings::{Provenance, Settings, load, validate};
pub use show::{ShownValue, show};
pub use value::{Format, ReadableCompression, Verify, parse_duration};

/// The command line's options. Paths are as the user wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub env_file: Option<PathBuf>,
    pub project: Option<String>,
    pub db_url: Option<Secret>,
    pub root: Option<PathBuf>,
    pub formats: Option<Vec<Format>>,
    pub readable_compression: Option<ReadableCompression>,
    pub keep_days: Option<u32>,
    pub jobs: Option<u32>,
    pub lock_wait: Option<Duration>,
    pub timeout: Option<Duration>,
    pub pg_bin: Option<PathBuf>,
    pub project_dir: Option<PathBuf>,
    pub storage_dir: Option<PathBuf>,
    /// Added to those of the configuration.
    pub exclude_data: Vec<String>,
    pub keep_sessions: Option<bool>,
    pub verify: Option<Verify>,
}
