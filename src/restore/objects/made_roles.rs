//! Roles that are dropped: those that an undone restore created, and in place those that were created after the
//! snapshot and that something in the database refers to (`Scope::roles_new`). Later roles that stay are named.
//!
//! Invariant: drops only a role that the snapshot does not have and that the confirmed plan names. It revokes the
//! role's privileges in this database and runs `DROP ROLE`, which drops nothing else and fails where anything depends
//! on the role. Never `DROP OWNED`, which would drop objects. A role that stays is named with the reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::failure::{Failure, Result};
use crate::model::identity::unquoted;
use crate::model::inventory::CatalogObject;
use crate::model::name::{dollar_quoted, literal, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, RestorePlan, RoleMade, TargetKind};
use crate::pg::catalog::role_uses::{RoleUse, role_uses};
use crate::pg::catalog::target::{RoleNew, roles_new_to};
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::sql::runner::Runner;
use crate::restore::target::scope::Scope;
use crate::restore::target::state::Examined;

/// The exception code of a role that stays.
pub const ROLE_STAYS: &str = "role_stays";

const ROLE: ObjectKind = ObjectKind::Role;

const TAKE_RIGHTS: &str = include_str!("../sql/take_rights.sql");

/// More uses of a role are counted, not named.
const NAMED_MAX: usize = 4;

/// What the plan knows about roles.
#[derive(Debug, Default)]
pub struct Predicted {
    pub drop: Vec<ObjectName>,
    pub exceptions: Vec<Exception>,
}

/// Which roles will be dropped, and which must stay because something outside this database needs them.
pub async fn predict(engine: &Engine<'_>, scope: &Scope, session: &Session) -> Result<Predicted> {
    let mut foretold = Predicted::default();
    for role in droppable_roles(engine, scope, session).await? {
        match stays(&role) {
            Some(exception) => foretold.exceptions.push(exception),
            None => foretold.drop.push(ObjectName { kind: ROLE, identity: role.identity }),
        }
    }
    foretold.exceptions.extend(later_roles_that_stay(engine, scope, session).await?);
    Ok(foretold)
}

/// In place: roles that the snapshot does not have and that may belong to others. A renamed role of the snapshot is
/// reported as such: renaming it back would affect other databases and clear an MD5 password.
async fn later_roles_that_stay(engine: &Engine<'_>, scope: &Scope, session: &Session) -> Result<Vec<Exception>> {
    if !scope.kind.has_user_objects() || !scope.is_whole() || scope.untrusted || scope.roles_kept.is_empty() {
        return Ok(Vec::new());
    }
    let roles: Vec<&CatalogObject> = engine.source.inventory.of_kind(ROLE).collect();
    if roles.is_empty() {
        return Ok(Vec::new());
    }
    let known: Vec<String> = roles.iter().map(|o| unquoted(&o.identity)).collect();
    let mut came = roles_new_to(session, &known).await?;
    came.retain(|role| scope.roles_kept.contains(&role.name));
    if scope.kind == TargetKind::OtherDatabase {
        // On a server with many databases most roles have nothing to do with this one.
        came.retain(|role| role.referred || role.only_database);
        return Ok(came.iter().map(of_another_project).collect());
    }
    let was = |role: &RoleNew| roles.iter().find(|o| o.address.is_some_and(|a| a.oid == role.oid)).map(|o| &o.identity);
    Ok(came.iter().map(|role| exception_for_later_role(role, was(role).map(String::as_str))).collect())
}

/// A role of the project whose database this snapshot replaces.
fn of_another_project(role: &RoleNew) -> Exception {
    let powers = if role.powers.is_empty() { String::new() } else { format!(": {}", visible(&role.powers.join(", "))) };
    Exception {
        code: ROLE_STAYS.into(),
        what: format!("{ROLE} {}", role.identity),
        why: format!(
            "it belongs to the target's project; it stays because another database of the server may need it{powers}"
        ),
        todo: format!("when nothing needs it: DROP ROLE {}", role.identity),
    }
}

/// `was`: the role's name in the snapshot.
fn exception_for_later_role(role: &RoleNew, was: Option<&str>) -> Exception {
    let name = &role.identity;
    let powers = if role.powers.is_empty() { String::new() } else { format!(": {}", visible(&role.powers.join(", "))) };
    let (why, todo) = match was {
        Some(was) => (
            format!("it is the snapshot's role {}, renamed since; it keeps its new name{powers}", visible(was)),
            format!(
                "before a restore: ALTER ROLE {name} RENAME TO {was} (an MD5 password must be set again); after it, if \
                 {was} was created again: DROP ROLE {name}"
            ),
        ),
        None => (
            format!(
                "it was created after the snapshot; it stays because another database of the server may need it{powers}"
            ),
            format!("when nothing needs it: DROP ROLE {name}"),
        ),
    };
    Exception { code: ROLE_STAYS.into(), what: format!("{ROLE} {name}"), why, todo }
}

/// Drops the planned roles in the caller's transaction, after everything else was restored. A role that must stay loses
/// its privileges in this database: at the snapshot it had none.
pub async fn drop_planned(
    engine: &Engine<'_>,
    examined: &Examined,
    plan: &RestorePlan,
    runner: &Runner<'_>,
) -> Result<Vec<Exception>> {
    let planned: BTreeSet<&str> = plan.drop.iter().filter(|o| o.kind == ROLE).map(|o| o.identity.as_str()).collect();
    let there = droppable_roles(engine, &examined.scope, runner.session).await?;
    // A role may be in use since the plan was made. One that the plan did not name is not dropped either.
    let goes = |role: &RoleUse| role.uses.is_empty() && planned.contains(role.identity.as_str());
    let (mut left, used): (Vec<_>, Vec<_>) = there.into_iter().partition(goes);
    let mut words = BTreeMap::new();
    // A role that granted something to another role of the list can only be dropped after that one: try again while any
    // drop succeeds.
    loop {
        let before = left.len();
        let mut refused = Vec::new();
        for role in left {
            if let Some(failure) = drop_one(&role, examined, runner).await? {
                words.insert(role.name.clone(), failure.to_string());
                refused.push(role);
            }
        }
        left = refused;
        if left.is_empty() || left.len() == before {
            break;
        }
    }
    for role in &used {
        let sql = take_rights(role, examined, false);
        if let Some(failure) = runner.attempt(&format!("rights of ROLE {}", role.identity), &sql).await? {
            engine.monitor.warn("not_done", failure.to_string(), None);
        }
    }
    // The plan has already named the roles that it does not drop.
    let untold = used.iter().filter(|role| planned.contains(role.identity.as_str()));
    let mut exceptions: Vec<Exception> = untold.filter_map(stays).collect();
    let names: Vec<String> = left.into_iter().map(|role| role.name).collect();
    for role in role_uses(runner.session, &names, true).await? {
        let refused = || exception(&role.identity, words.remove(&role.name).unwrap_or_default());
        exceptions.push(stays(&role).unwrap_or_else(refused));
    }
    Ok(exceptions)
}

/// Runs `DROP ROLE`. If privileges in this database prevent it, revokes them first.
async fn drop_one(role: &RoleUse, examined: &Examined, runner: &Runner<'_>) -> Result<Option<Failure>> {
    let (what, drop) = (format!("drop ROLE {}", role.identity), format!("DROP ROLE {}", role.identity));
    if runner.attempt(&what, &drop).await?.is_none() {
        return Ok(None);
    }
    runner.attempt(&what, &format!("{};\n{drop}", take_rights(role, examined, true))).await
}

/// Only a member of a role may alter its default privileges.
fn take_rights(role: &RoleUse, examined: &Examined, all: bool) -> String {
    let name = &role.identity;
    let body = TAKE_RIGHTS.replace("{all}", if all { "true" } else { "false" }).replace("{role}", &literal(name));
    let take = format!("DO {}", dollar_quoted(&body));
    if examined.facts.is_superuser {
        return take;
    }
    format!("GRANT {name} TO CURRENT_USER;\n{take};\nREVOKE {name} FROM CURRENT_USER")
}

/// The existing roles that this restore may drop: those that the undone restore created and those that are new. Never a
/// role of the snapshot.
async fn droppable_roles(engine: &Engine<'_>, scope: &Scope, session: &Session) -> Result<Vec<RoleUse>> {
    let made = &engine.request.drop_roles;
    let known: BTreeSet<String> = engine.source.inventory.of_kind(ROLE).map(|o| unquoted(&o.identity)).collect();
    // A snapshot without roles cannot tell which roles are new.
    if known.is_empty() || !scope.is_whole() || scope.untrusted {
        return Ok(Vec::new());
    }
    let names: BTreeSet<&String> = made.iter().map(|role| &role.name).chain(&scope.roles_new).collect();
    let names: Vec<String> = names.into_iter().filter(|name| !known.contains(*name)).cloned().collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut there = role_uses(session, &names, false).await?;
    there.retain(|role| scope.roles_new.contains(&role.name) || is_made(made, role));
    Ok(there)
}

/// Is it the very role that was created? A role with this name but another OID was created later by someone else.
fn is_made(made: &[RoleMade], role: &RoleUse) -> bool {
    made.iter().any(|m| m.name == role.name && m.oid.is_none_or(|oid| oid == role.oid))
}

fn stays(role: &RoleUse) -> Option<Exception> {
    if role.uses.is_empty() {
        return None;
    }
    let mut uses: Vec<String> = role.uses.iter().take(NAMED_MAX).cloned().collect();
    if role.uses.len() > NAMED_MAX {
        uses.push(format!("{} more", role.uses.len() - NAMED_MAX));
    }
    Some(exception(&role.identity, uses.join("; ")))
}

fn exception(name: &str, why: String) -> Exception {
    Exception {
        code: ROLE_STAYS.into(),
        what: format!("{ROLE} {name}"),
        why: format!("the snapshot does not have it, but it must stay: {}", visible(&why)),
        todo: format!("when nothing needs it any more: DROP ROLE {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::ident;

    fn role(name: &str, oid: u32, uses: &[&str]) -> RoleUse {
        RoleUse { name: name.into(), identity: ident(name), oid, uses: uses.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn a_role_of_another_number_is_somebody_elses() {
        let made = [RoleMade { name: "a".into(), oid: Some(20_000) }, RoleMade { name: "b".into(), oid: None }];
        assert!(is_made(&made, &role("a", 20_000, &[])));
        assert!(!is_made(&made, &role("a", 20_001, &[])));
        assert!(is_made(&made, &role("b", 20_001, &[])), "killed before its number was known");
        assert!(!is_made(&made, &role("c", 20_000, &[])));
    }

    #[test]
    fn what_stays_says_why_and_what_to_run() {
        assert_eq!(stays(&role("a", 1, &[])), None);
        let uses = ["it owns something in the database x", "b", "c", "d", "e"];
        let exception = stays(&role("a b", 1, &uses)).unwrap();
        assert_eq!((exception.code.as_str(), exception.what.as_str()), (ROLE_STAYS, "ROLE \"a b\""));
        assert!(exception.why.contains("it owns something in the database x") && exception.why.ends_with("; 1 more"));
        assert!(exception.todo.ends_with("DROP ROLE \"a b\""));
    }
}
