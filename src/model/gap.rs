//! A gap: something in the source that this snapshot lacks, or holds only in part.
//!
//! Invariant: a snapshot with a gap is never called complete. The code is stable; the other fields are for people.

use serde::{Deserialize, Serialize};

/// One gap: what is missing, why, and what the user can do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Stable word for programs, e.g. `role_passwords_unreadable`.
    pub code: String,
    /// What is missing, e.g. the name of the role, table or extension.
    pub what: String,
    /// Why it could not be captured.
    pub why: String,
    /// What to do before a restore, or how to close the gap.
    pub todo: String,
}

impl Gap {
    pub fn new(code: &str, what: impl Into<String>, why: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { code: code.to_string(), what: what.into(), why: why.into(), todo: todo.into() }
    }
}
