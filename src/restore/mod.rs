//! The restore engine: examines a target, plans, and carries out a confirmed plan.
//!
//! Invariant: nothing is written without a [`ConfirmedPlan`]; what is written comes from a snapshot whose checksums
//! the caller has verified; statements go over the protocol, never through psql; no error is passed over in silence.
//! It takes no snapshot, proves nothing by itself and asks nobody: `ops` does.

mod around;
pub mod belongs;
pub mod beside;
mod built_on;
mod causes;
mod computed;
mod constraint;
pub mod contents;
pub mod converge;
pub mod creation;
mod database;
mod defaults;
pub mod delta;
mod domains;
pub mod drop;
pub mod entries;
#[cfg(test)]
mod entries_tests;
mod entry_class;
mod entry_names;
pub mod entry_sql;
mod execute;
mod extensions;
mod fence;
pub mod files;
pub use crate::model::identity;
mod jobs;
mod judge;
pub mod large_objects;
pub mod leave_out;
pub mod left_over;
mod libraries;
mod locks;
mod made_roles;
pub use libraries::LIBRARY_MISSING;
pub mod load;
mod marks;
mod member_rows;
mod members;
mod mend;
mod merge;
mod only_schema;
pub use only_schema::SERVER_MIN as ONLY_SCHEMA_SERVER_MIN;
mod other_platform;
mod overloads;
mod own_settings;
mod parallel;
mod partitions;
mod plan;
pub mod pool;
mod predicted;
mod put_right;
mod queues;
mod refusals;
pub mod replace;
pub mod replication;
mod roles;
pub use roles::OWN_PASSWORD;
pub mod rows;
pub mod runner;
pub mod scope;
mod services;
pub use services::{PLATFORM_OPEN, is_left};
mod settle;
pub mod source;
mod state;
mod statements;
pub mod stubs;
mod tables;
mod take_away;
mod unwritten;
pub mod vault;
mod versions;
mod waiting;

use crate::model::cancel::Cancel;
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;
use crate::model::left_out::LeftOut;
use crate::model::name::QualifiedName;
use crate::model::restore::{ConfirmedPlan, Exception, RestorePlan, RestoreRequest};
use crate::monitor::Monitor;
use source::SnapshotSource;

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
