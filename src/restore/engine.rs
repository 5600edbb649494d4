//! The entry point of a restore: one snapshot, one target, plan and execution.
//!
//! Invariant: `execute` takes a [`ConfirmedPlan`] and nothing less.

use super::parts::vault;
use super::rows::tables;
use super::source::SnapshotSource;
use super::target::{scope, state};
use super::{execute, into_schema, plan};
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
    /// The snapshot's vault secrets, decrypted if a key was given.
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
    /// What could not be created, object by object. The causes are among the exceptions.
    pub left_out: Vec<LeftOut>,
    /// What the restore was allowed to touch, determined before it began. `None`: nothing was done.
    pub scope: Option<scope::Scope>,
}

impl Engine<'_> {
    /// Examines the target and returns what a restore would do. Writes nothing.
    ///
    /// # Errors
    /// `NotConfirmed` for a target that must not be written to, `Denied` for missing privileges, and the server's
    /// errors.
    pub async fn plan(&self) -> Result<RestorePlan> {
        match &self.request.into_schema {
            Some(schema) => into_schema::plan(self, schema).await,
            None => plan::plan(self).await,
        }
    }

    /// What this restore may touch, with the target as it is now: the proof looks no further.
    pub async fn scope(&self) -> Result<scope::Scope> {
        let (_, examined) = state::examine(self).await?;
        Ok(examined.scope)
    }

    /// The tables whose rows this restore brings back.
    pub fn tables(&self, scope: &scope::Scope) -> Vec<QualifiedName> {
        tables::Tables::new(self.source, scope, self.request, self.monitor).records().map(|r| r.name.clone()).collect()
    }

    /// Executes the plan. If it fails, the target is unchanged (one transaction) or `undo` can empty it.
    ///
    /// # Errors
    /// `NotConfirmed` when the target is not the plan's, else the first failure.
    pub async fn execute(&self, plan: &ConfirmedPlan) -> Result<Done> {
        match &self.request.into_schema {
            Some(schema) => into_schema::execute(self, plan, schema).await,
            None => execute::execute(self, plan).await,
        }
    }
}
