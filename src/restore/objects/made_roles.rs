//! Roles that go: those that a restore made, when it is undone, and in place those that came after the snapshot and that
//! something of the database refers to (`Scope::roles_new`). And those that came later and stay, which are named.
//!
//! Invariant: only a role that the snapshot does not have and that the confirmed plan drops.
//! `DROP ROLE` alone takes it away, after its rights in this database: it takes nothing along, and the server refuses where
//! anything depends on the role. Never `DROP OWNED`, which would drop objects. What stays is named with the reason.

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

/// The word for a role that stays.
pub const ROLE_STAYS: &str = "role_stays";

const ROLE: ObjectKind = ObjectKind::Role;

const TAKE_RIGHTS: &str = include_str!("../sql/take_rights.sql");

/// More uses of a role are counted, not named.
const NAMED_MAX: usize = 4;

/// What is known before anything is written.
#[derive(Debug, Default)]
pub struct Foretold {
    pub drop: Vec<ObjectName>,
    pub exceptions: Vec<Exception>,
}

/// Which roles will be dropped, and which have to stay because something beyond this database needs them.
pub async fn foretell(engine: &Engine<'_>, scope: &Scope, session: &Session) -> Result<Foretold> {
    let mut foretold = Foretold::default();
    for role in ours(engine, scope, session).await? {
        match stays(&role) {
            Some(exception) => foretold.exceptions.push(exception),
            None => foretold.drop.push(ObjectName { kind: ROLE, identity: role.identity }),
        }
    }
    foretold.exceptions.extend(came_and_stay(engine, scope, session).await?);
    Ok(foretold)
}

/// In place: roles of the server that the snapshot does not have and that may be somebody else's. Which of them are the
/// snapshot's under another name is told: renaming one back would reach other databases, and clear an MD5 password.
async fn came_and_stay(engine: &Engine<'_>, scope: &Scope, session: &Session) -> Result<Vec<Exception>> {
    if !scope.kind.has_a_past() || !scope.is_whole() || scope.untrusted || scope.roles_kept.is_empty() {
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
        // On a server of many databases most roles have nothing to do with this one.
        came.retain(|role| role.referred || role.only_database);
        return Ok(came.iter().map(of_another_project).collect());
    }
    let was = |role: &RoleNew| roles.iter().find(|o| o.address.is_some_and(|a| a.oid == role.oid)).map(|o| &o.identity);
    Ok(came.iter().map(|role| came_later(role, was(role).map(String::as_str))).collect())
}

/// A role of the project whose database gets this snapshot.
fn of_another_project(role: &RoleNew) -> Exception {
    let powers = if role.powers.is_empty() { String::new() } else { format!(": {}", visible(&role.powers.join(", "))) };
    Exception {
        code: ROLE_STAYS.into(),
        what: format!("{ROLE} {}", role.identity),
        why: format!("it is of the other project and stays, as it may be for another database of the server{powers}"),
        todo: format!("when nothing needs it: DROP ROLE {}", role.identity),
    }
}

/// `was`: its name in the snapshot.
fn came_later(role: &RoleNew, was: Option<&str>) -> Exception {
    let name = &role.identity;
    let powers = if role.powers.is_empty() { String::new() } else { format!(": {}", visible(&role.powers.join(", "))) };
    let (why, todo) = match was {
        Some(was) => (
            format!("it is the snapshot's role {} under another name, which the server keeps{powers}", visible(was)),
            format!(
                "before a restore: ALTER ROLE {name} RENAME TO {was} (an MD5 password has to be set again); after it, where \
                 {was} was made anew: DROP ROLE {name}"
            ),
        ),
        None => (
            format!("it came after the snapshot and stays, as it may be for another database of the server{powers}"),
            format!("when nothing needs it: DROP ROLE {name}"),
        ),
    };
    Exception { code: ROLE_STAYS.into(), what: format!("{ROLE} {name}"), why, todo }
}

/// Drops those that the plan names, inside of the transaction of the caller, when everything else is as it was. One that
/// has to stay loses its rights in this database: it had none before.
pub async fn drop_planned(
    engine: &Engine<'_>,
    examined: &Examined,
    plan: &RestorePlan,
    runner: &Runner<'_>,
) -> Result<Vec<Exception>> {
    let planned: BTreeSet<&str> = plan.drop.iter().filter(|o| o.kind == ROLE).map(|o| o.identity.as_str()).collect();
    let there = ours(engine, &examined.scope, runner.session).await?;
    // Somebody may have begun to use one since the plan was made; what the plan did not name is not dropped either.
    let goes = |role: &RoleUse| role.uses.is_empty() && planned.contains(role.identity.as_str());
    let (mut left, used): (Vec<_>, Vec<_>) = there.into_iter().partition(goes);
    let mut words = BTreeMap::new();
    // What one role granted to another goes with the other.
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
    // The plan has told why those stay that it does not drop.
    let untold = used.iter().filter(|role| planned.contains(role.identity.as_str()));
    let mut exceptions: Vec<Exception> = untold.filter_map(stays).collect();
    let names: Vec<String> = left.into_iter().map(|role| role.name).collect();
    for role in role_uses(runner.session, &names, true).await? {
        let said = || exception(&role.identity, words.remove(&role.name).unwrap_or_default());
        exceptions.push(stays(&role).unwrap_or_else(said));
    }
    Ok(exceptions)
}

/// `DROP ROLE`; where rights that the role has in this database are in the way, these are taken first.
async fn drop_one(role: &RoleUse, examined: &Examined, runner: &Runner<'_>) -> Result<Option<Failure>> {
    let (what, drop) = (format!("drop ROLE {}", role.identity), format!("DROP ROLE {}", role.identity));
    if runner.attempt(&what, &drop).await?.is_none() {
        return Ok(None);
    }
    runner.attempt(&what, &format!("{};\n{drop}", take_rights(role, examined, true))).await
}

/// Only a member may alter what new objects of a role are open to.
fn take_rights(role: &RoleUse, examined: &Examined, all: bool) -> String {
    let name = &role.identity;
    let body = TAKE_RIGHTS.replace("{all}", if all { "true" } else { "false" }).replace("{role}", &literal(name));
    let take = format!("DO {}", dollar_quoted(&body));
    if examined.facts.is_superuser {
        return take;
    }
    format!("GRANT {name} TO CURRENT_USER;\n{take};\nREVOKE {name} FROM CURRENT_USER")
}

/// The roles of the request that are those that were made, and those that came later; none that is the snapshot's.
async fn ours(engine: &Engine<'_>, scope: &Scope, session: &Session) -> Result<Vec<RoleUse>> {
    let made = &engine.request.drop_roles;
    let known: BTreeSet<String> = engine.source.inventory.of_kind(ROLE).map(|o| unquoted(&o.identity)).collect();
    // A snapshot that tells of no role at all cannot say which are not its own.
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

/// Is it the very role that was made? One of that name with another number came later, from somebody else.
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
        why: format!("the snapshot does not have it, and it stays: {}", visible(&why)),
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
