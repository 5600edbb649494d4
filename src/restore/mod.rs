//! The restore engine: examines a target, plans, and carries out a confirmed plan.
//!
//! Invariant: nothing is written without a [`ConfirmedPlan`]; what is written comes from a snapshot whose checksums
//! the caller has verified; statements go over the protocol, never through psql; no error is passed over in silence.
//! It takes no snapshot, proves nothing by itself and asks nobody: `ops` does.

mod identity;
pub mod load;
pub mod source;
pub mod stubs;

use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::restore::{ConfirmedPlan, Exception, RestorePlan, RestoreRequest};
use crate::monitor::Monitor;
use source::SnapshotSource;

/// One restore of one snapshot into one target.
pub struct Engine<'a> {
    pub source: &'a SnapshotSource,
    pub target: &'a ConnSpec,
    pub request: &'a RestoreRequest,
    pub monitor: &'a dyn Monitor,
    pub cancel: &'a Cancel,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    pub statements: u64,
    pub rows_loaded: u64,
    pub bytes_loaded: u64,
    pub exceptions: Vec<Exception>,
}

impl Engine<'_> {
    /// Examines the target and says what a restore would do. Writes nothing.
    pub async fn plan(&self) -> Result<RestorePlan> {
        Err(Failure::msg(FailureKind::Failed, "under construction"))
    }

    /// Does what the plan says, or ends with the target as it was (one transaction) or as `undo` can mend it.
    pub async fn execute(&self, _plan: &ConfirmedPlan) -> Result<Done> {
        Err(Failure::msg(FailureKind::Failed, "under construction"))
    }
}
