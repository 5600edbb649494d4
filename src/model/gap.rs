//! A gap: something that the source has and this snapshot does not hold, or does not hold whole.
//!
//! Invariant: a snapshot with a gap is never called complete. The code is stable, the rest is for a person.

use serde::{Deserialize, Serialize};

/// One named gap: what is missing, why, and what a person can do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Stable word for programs, e.g. `role_passwords_unreadable`.
    pub code: String,
    /// What is missing, e.g. the name of the role, table or extension.
    pub what: String,
    /// Why it could not be captured.
    pub why: String,
    /// What to do: before a restore, or to close the gap.
    pub todo: String,
}

impl Gap {
    pub fn new(code: &str, what: impl Into<String>, why: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { code: code.to_string(), what: what.into(), why: why.into(), todo: todo.into() }
    }
}
