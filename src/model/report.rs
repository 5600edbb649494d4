//! The report of `create`.
//!
//! Invariant: a report describes a sealed snapshot or a run that skipped on purpose (`skipped`). A failure is a
//! `Failure`, never a report.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::failure::FailureKind;
use super::gap::Gap;
use super::ids::SnapshotName;
use super::manifest::SnapshotKind;
use super::schema_verification::SchemaVerification;

/// Why no snapshot was taken although nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// `--if-changed` was given, and nothing changed.
    Unchanged,
    /// `--min-interval` was given, and the last complete snapshot is younger.
    TooSoon,
    /// Another run has locked the root folder.
    Busy,
}

/// Why a run took no snapshot, with the message for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub reason: SkipReason,
    pub message: String,
}

/// The result of `create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeReport {
    /// The snapshot that was taken; for a skipped run the last complete one, if any.
    pub snapshot: Option<SnapshotName>,
    pub place: Option<PathBuf>,
    pub kind: SnapshotKind,
    pub label: Option<String>,
    pub complete: bool,
    /// Keyed by the manifest's words: `tables`, `rows`, `users`, `user_roles`, `policies`, …
    pub counts: BTreeMap<String, u64>,
    pub gaps: Vec<Gap>,
    /// Whether our own restore could create the schema. `None` for a run that took no snapshot.
    pub schema_verification: Option<SchemaVerification>,
    pub bytes_total: u64,
    pub duration_ms: u64,
    pub skipped: Option<Skipped>,
}

impl TakeReport {
    /// A run that took no snapshot; `last` is the existing snapshot that it relies on, if any.
    pub fn skipped(reason: SkipReason, message: impl Into<String>, last: Option<(SnapshotName, PathBuf)>) -> Self {
        let (snapshot, place) = last.unzip();
        Self {
            snapshot,
            place,
            kind: SnapshotKind::Full,
            label: None,
            complete: false,
            counts: BTreeMap::new(),
            gaps: Vec::new(),
            schema_verification: None,
            bytes_total: 0,
            duration_ms: 0,
            skipped: Some(Skipped { reason, message: message.into() }),
        }
    }

    /// The failure kind for the exit code; `None` is success. A full snapshot that is not complete, or any gap, is
    /// `Partial`. A requested verification that could not be made is `NotProven`.
    pub fn exit_kind(&self) -> Option<FailureKind> {
        if self.skipped.is_some() {
            Some(FailureKind::Skipped)
        } else if self.schema_verification.as_ref().is_some_and(SchemaVerification::is_missed) {
            Some(FailureKind::NotProven)
        } else if !self.gaps.is_empty() || (self.kind == SnapshotKind::Full && !self.complete) {
            Some(FailureKind::Partial)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_incomplete_full_snapshots_are_partial() {
        let mut report = TakeReport::skipped(SkipReason::Busy, "another run", None);
        assert_eq!(report.exit_kind(), Some(FailureKind::Skipped));
        report.skipped = None;
        assert_eq!(report.exit_kind(), Some(FailureKind::Partial));
        report.kind = SnapshotKind::Partial;
        assert_eq!(report.exit_kind(), None, "a partial one that was asked for");
        report.gaps.push(Gap::new("x", "a", "b", "c"));
        assert_eq!(report.exit_kind(), Some(FailureKind::Partial));
        report.gaps.clear();
        report.kind = SnapshotKind::Full;
        report.complete = true;
        assert_eq!(report.exit_kind(), None);
    }
}
