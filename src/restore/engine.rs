//! The entry point of a restore: one snapshot, one target, plan and execution.
//!
//! Invariant: `execute` takes a [`ConfirmedPlan`] and nothing less.

use super::parts::vault;
use super::rows::tables;
use super::source::SnapshotSource;
use super::target::{scope, state};
use super::{beside, execute, plan};
use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;
use crate::model::left_out::LeftOut;
use crate::model::name::QualifiedName;
use crate::model::restore::{ConfirmedPlan, Exception, RestorePlan, RestoreRequest};
use crate::monitor::Monitor;

/// One restore of one snapshot into one target.
pub struct Engine<'a> {
    pub source: &'a SnapshotSource,
    /// The snapshot's secrets of the vault, opened where there was a key.
    pub vault: &'a vault::Vault,
    pub target: &'a ConnSpec,
    pub request: &'a RestoreRequest,
    pub monitor: &'a dyn Monitor,
    pub cancel: &'a Cancel,
}

/// What was done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    pub statements: u64,
    pub rows_loaded: u64,
    pub bytes_loaded: u64,
    pub exceptions: Vec<Exception>,
    /// What could not be made, object by object; the causes are among the exceptions.
    pub left_out: Vec<LeftOut>,
    /// What it could touch, as the target was before. None: nothing was done.
    pub scope: Option<scope::Scope>,
}

impl Engine<'_> {
    /// Examines the target and says what a restore would do. Writes nothing.
    ///
    /// # Errors
    /// `NotConfirmed` for a target that must not be written to, `Denied` for rights that are lacking, and what the
    /// server says.
    pub async fn plan(&self) -> Result<RestorePlan> {
        match &self.request.into_schema {
            Some(schema) => beside::plan(self, schema).await,
            None => plan::plan(self).await,
        }
    }

    /// What this restore may touch, as the target is now: for the proof, which must not look further.
    pub async fn scope(&self) -> Result<scope::Scope> {
        let (_, examined) = state::examine(self).await?;
        Ok(examined.scope)
    }

    /// The tables whose rows this restore brings back.
    pub fn tables(&self, scope: &scope::Scope) -> Vec<QualifiedName> {
        tables::Tables::new(self.source, scope, self.request, self.monitor).records().map(|r| r.name.clone()).collect()
    }

    /// Does what the plan says, or ends with the target as it was (one transaction) or as `undo` can mend it.
    ///
    /// # Errors
    /// `NotConfirmed` when the target is not the plan's, else the first thing that could not be done.
    pub async fn execute(&self, plan: &ConfirmedPlan) -> Result<Done> {
        match &self.request.into_schema {
            Some(schema) => beside::execute(self, plan, schema).await,
            None => execute::execute(self, plan).await,
        }
    }
}
