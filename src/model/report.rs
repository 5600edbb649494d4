//! What `create` has to say when it is done.
//!
//! Invariant: a report speaks of a sealed snapshot or of a run that took none on purpose (`skipped`); a failure is
//! a `Failure`, never a report.

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
    /// `--if-changed`, and nothing changed.
    Unchanged,
    /// `--min-interval`, and the last complete snapshot is younger.
    TooSoon,
    /// Another run holds the root folder.
    Busy,
}

/// A run that took no snapshot, and the words for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub reason: SkipReason,
    pub message: String,
}

/// The result of `create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeReport {
    /// The snapshot that was taken; for a skipped run the last complete one, where there is one.
    pub snapshot: Option<SnapshotName>,
    pub place: Option<PathBuf>,
    pub kind: SnapshotKind,
    pub label: Option<String>,
    pub complete: bool,
    /// By the words of the manifest: `tables`, `rows`, `users`, `user_roles`, `policies`, …
    pub counts: BTreeMap<String, u64>,
    pub gaps: Vec<Gap>,
    /// Could our own restore make the schema? None for a run that took nothing.
    pub schema_verification: Option<SchemaVerification>,
    pub bytes_total: u64,
    pub duration_ms: u64,
    pub skipped: Option<Skipped>,
}

impl TakeReport {
    /// A run that took nothing, because `last` (where there is one) will do.
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

    /// How the command ends: `None` is success. A full snapshot that is not complete, or any gap, is partial. Who asked for
    /// a verification that could not be made is told so.
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
