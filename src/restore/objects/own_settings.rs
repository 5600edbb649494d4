//! Settings that an empty target carried before the restore, and the snapshot does not have.
//!
//! Invariant: whoever made the database gave it them, so they stay and are named; one that the snapshot has too is as
//! the snapshot has it. In place they go: the snapshot's state is what was asked for. Pure.

use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, TargetKind};
use crate::restore::target::state::Examined;

/// One exception for each of them.
pub fn kept(wanted: &Inventory, live: &Inventory, examined: &Examined) -> Vec<Exception> {
    let fresh = matches!(examined.facts.kind, TargetKind::Bare | TargetKind::FreshProject);
    if !fresh || !examined.scope.is_whole() {
        return Vec::new();
    }
    let known = |o: &CatalogObject| wanted.of_kind(o.kind).any(|w| w.identity == o.identity);
    live.objects.iter().filter(|o| is_of_the_database(o) && !known(o)).map(exception).collect()
}

/// In place: privileges on objects of the server itself that the snapshot does not tell of, as nobody had changed them.
/// `drop` is what the plan drops: privileges of roles go with them.
pub fn of_server(wanted: &Inventory, live: &Inventory, examined: &Examined, drop: &[ObjectName]) -> Vec<Exception> {
    if examined.facts.kind != TargetKind::SameDatabase || !examined.scope.is_whole() {
        return Vec::new();
    }
    let known = |o: &CatalogObject| wanted.of_kind(ObjectKind::Acl).any(|w| w.identity == o.identity);
    // The schema `public` has the last number that initdb gives, and is the user's.
    let of_initdb = |o: &CatalogObject| o.address.is_some_and(|a| a.oid < 16_384 && a.sub == 0 && a.oid != 2200);
    let is_extra = |o: &&CatalogObject| {
        let of_users = o.identity == "DATABASE" || o.identity.starts_with("LARGE OBJECT ");
        o.extension.is_none() && of_initdb(o) && !known(o) && !examined.scope.may_drop(o) && !of_users
    };
    let is_extra = |o: &&CatalogObject| is_extra(o) && !goes_with_roles(o, drop);
    let told = |o: &CatalogObject| Exception {
        code: "server_acl".into(),
        what: format!("{} {}", o.kind, o.identity),
        why: format!(
            "privileges on what the server brings were changed since, and stay: {}",
            o.definition.replace('\n', ", ")
        ),
        todo: "as a superuser: REVOKE what came, GRANT what went (pg_init_privs has what the server had)".into(),
    };
    live.of_kind(ObjectKind::Acl).filter(is_extra).map(told).collect()
}

/// Is everything in this ACL of roles that are dropped, but for what owner and PUBLIC have?
fn goes_with_roles(acl: &CatalogObject, drop: &[ObjectName]) -> bool {
    let is_of = |line: &str, role: &ObjectName| line.strip_prefix(&role.identity).is_some_and(|l| l.starts_with('='));
    let goes = |line: &&str| drop.iter().any(|role| role.kind == ObjectKind::Role && is_of(line, role));
    let (going, others): (Vec<&str>, Vec<&str>) = acl.definition.lines().partition(goes);
    let is_usual = |line: &&str| {
        let owner = line.rsplit_once('/').map_or("", |(_, grantor)| grantor);
        line.starts_with("PUBLIC=") || line.strip_prefix(owner).is_some_and(|rest| rest.starts_with('='))
    };
    !going.is_empty() && others.iter().all(is_usual)
}

/// Is it a setting that the database has for everybody, or for one role in it?
fn is_of_the_database(object: &CatalogObject) -> bool {
    match object.kind {
        ObjectKind::DatabaseSetting => true,
        ObjectKind::RoleSetting => object.identity.contains(" in this database "),
        _ => false,
    }
}

fn exception(object: &CatalogObject) -> Exception {
    Exception {
        code: "setting_stays".into(),
        what: format!("{} {}", object.kind, object.identity),
        why: "the target carried it before the restore, and the snapshot does not have it".into(),
        todo: "take it away where it is not wanted: ALTER DATABASE … RESET, or ALTER ROLE … IN DATABASE … RESET".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn only_what_the_database_carries() {
        assert!(is_of_the_database(&object("DATABASE SETTING", "in this database work_mem", "1MB")));
        assert!(is_of_the_database(&object("ROLE SETTING", "role a in this database work_mem", "1MB")));
        assert!(!is_of_the_database(&object("ROLE SETTING", "role a work_mem", "1MB")), "it is the whole server's");
        assert!(!is_of_the_database(&object("TABLE", "public.t", "")));
    }
}
