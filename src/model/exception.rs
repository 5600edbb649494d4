//! An exception of a restore: what is missing or different afterwards, with the reason and what to do.
//!
//! Invariant: the code is stable; the other fields are for people. It never contains a secret.

use serde::{Deserialize, Serialize};

/// A part of the snapshot that will be missing or different afterwards, or that needs manual work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exception {
    /// Stable word, e.g. `extension_missing`.
    pub code: String,
    pub what: String,
    pub why: String,
    pub todo: String,
}
