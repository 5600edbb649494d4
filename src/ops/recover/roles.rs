//! Which roles a restore makes: the record says it before the first write, so that `undo` can take them away.
//!
//! Invariant: only roles that the plan creates, which the target did not have; never one that PostgreSQL brings. Their
//! numbers are added when the restore has come to its end: a role that somebody else makes later has another one.

use super::Recovery;
use crate::model::restore::{RestorePlan, RoleMade};
use crate::pg::catalog::role_uses::role_uses;
use crate::pg::session::Session;
use crate::restore::identity::unquoted;

/// The roles that a plan makes, without their numbers.
pub fn made_by(plan: &RestorePlan) -> Vec<RoleMade> {
    let names = plan.create.iter().filter(|o| o.kind == "ROLE").map(|o| unquoted(&o.identity));
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
