//! What a restore ends without, in words.

use serde::{Deserialize, Serialize};

/// Something of the snapshot that will not be there afterwards, or that a person has to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exception {
    /// Stable word, e.g. `extension_missing`.
    pub code: String,
    pub what: String,
    pub why: String,
    pub todo: String,
}
