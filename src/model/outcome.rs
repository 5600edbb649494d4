//! How a collector ended and what it left on disk.
//!
//! Invariant: every planned collector has exactly one outcome in the manifest. A failure never goes unreported: it is
//! an outcome and a gap.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::category::Category;
use super::count::Count;

/// One file of a snapshot, as recorded in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Path relative to the snapshot folder, separated by `/`. Bytes that are not UTF-8 are percent-encoded.
    pub path: String,
    pub category: Category,
    pub bytes: u64,
    /// Lower-case hexadecimal sha256 of the bytes on disk.
    pub sha256: String,
}

/// How one collector ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It ran. `counts` is what it wrote, by the manifest's words (`policies`, `users`, …).
    Collected { counts: BTreeMap<String, u64> },
    /// It had nothing to do, or was not requested.
    Skipped { reason: String },
    /// It failed; a gap gives the same reason.
    Failed { error: String },
}

impl Outcome {
    /// One of its counts, if it wrote that one.
    pub fn count(&self, count: Count) -> Option<u64> {
        match self {
            Self::Collected { counts } => counts.get(count.word()).copied(),
            Self::Skipped { .. } | Self::Failed { .. } => None,
        }
    }
}

/// The outcome of one collector under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectorOutcome {
    pub collector: String,
    pub category: Category,
    #[serde(flatten)]
    pub outcome: Outcome,
    pub duration_ms: u64,
}
