//! Which roles a restore makes: the record says it before the first write, so that `undo` can take them away. And which a
//! guarded command made.
//!
//! Invariant: only roles that the plan creates, which the target did not have; never one that PostgreSQL brings. Their
//! numbers are added when the restore has come to its end: a role that somebody else makes later has another one.

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

/// The roles that a plan makes, without their numbers.
pub fn made_by(plan: &RestorePlan) -> Vec<RoleMade> {
    let names = plan.create.iter().filter(|o| o.kind == ObjectKind::Role).map(|o| unquoted(&o.identity));
    names.filter(|name| !name.starts_with("pg_")).map(|name| RoleMade { name, oid: None }).collect()
}

/// Adds the numbers, and leaves out what could not be made. Where that cannot be asked the name alone has to do.
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
            recovery.monitor.note(format!("the numbers of the roles that were made are not known: {failure}"));
        }
    }
}

/// Roles that a command made which ran between two looks at the server.
#[derive(Debug, Default)]
pub struct Since {
    /// `None`: that could not be asked, so nothing is known to have come.
    before: Option<BTreeSet<u32>>,
}

impl Since {
    /// The look before. One that fails is no reason not to run the command.
    pub async fn now(spec: &ConnSpec) -> Self {
        let came = later(spec).await.ok();
        Self { before: came.map(|roles| roles.into_iter().map(|role| role.oid).collect()) }
    }

    /// The look after: those that a rollback of this database takes away.
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
