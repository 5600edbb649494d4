//! The roles that a restore creates: the record names them before the first write, so that `undo` can drop them. And
//! the roles that a guarded command created.
//!
//! Invariant: only roles that the plan creates and the target did not have; never a predefined role (`pg_*`). Their
//! OIDs are added when the restore has ended, so a role of the same name that is created later is not mistaken for it.

use std::collections::BTreeSet;

use super::Recovery;
use crate::model::connection::ConnSpec;
use crate::model::failure::Result;
use crate::model::identity::unquoted;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{RestorePlan, RoleMade};
use crate::pg::catalog::role_uses::role_uses;
use crate::pg::catalog::target::{RoleNew, roles_new_to};
use crate::pg::session::Session;

/// The roles that a plan creates, without OIDs.
pub fn made_by(plan: &RestorePlan) -> Vec<RoleMade> {
    let names = plan.create.iter().filter(|o| o.kind == ObjectKind::Role).map(|o| unquoted(&o.identity));
    names.filter(|name| !name.starts_with("pg_")).map(|name| RoleMade { name, oid: None }).collect()
}

/// Adds the OIDs and removes roles that were not created. If the query fails, the names alone remain.
pub async fn number(recovery: &Recovery<'_>, made: &mut Vec<RoleMade>) {
    if made.is_empty() {
        return;
    }
    let names: Vec<String> = made.iter().map(|role| role.name.clone()).collect();
    let asked = async {
        let session = Session::open(recovery.target, "stacksnap").await?;
        role_uses(&session, &names, false).await
    };
    match recovery.guarded(asked).await {
        Ok(there) => *made = there.into_iter().map(|role| RoleMade { name: role.name, oid: Some(role.oid) }).collect(),
        Err(failure) => {
            recovery.monitor.note(format!("cannot read the OIDs of the created roles: {failure}"));
        }
    }
}

/// The roles that a command created, by comparing the server before and after it.
#[derive(Debug, Default)]
pub struct Since {
    /// `None`: the query before failed, so no role counts as new.
    before: Option<BTreeSet<u32>>,
}

impl Since {
    /// Reads the roles before the command. If that fails, the command runs all the same.
    pub async fn now(spec: &ConnSpec) -> Self {
        let came = later(spec).await.ok();
        Self { before: came.map(|roles| roles.into_iter().map(|role| role.oid).collect()) }
    }

    /// Reads the roles after the command; returns those that a rollback of this database drops.
    pub async fn made(&self, spec: &ConnSpec) -> Vec<RoleMade> {
        let Some(before) = &self.before else { return Vec::new() };
        let came = later(spec).await.unwrap_or_default();
        came.into_iter()
            .filter(|role| !before.contains(&role.oid) && role.is_of_the_change())
            .map(|role| RoleMade { name: role.name, oid: Some(role.oid) })
            .collect()
    }
}

async fn later(spec: &ConnSpec) -> Result<Vec<RoleNew>> {
    roles_new_to(&Session::open(spec, "stacksnap").await?, &[]).await
}
