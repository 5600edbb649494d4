//! Settings and privileges that the target had before the restore and the snapshot does not have.
//!
//! Invariant: on an empty target, whoever created the database made these settings, so they stay and are named; a
//! setting that the snapshot has too gets the snapshot's value. In place they are reset: the snapshot's state was asked
//! for. Pure.

use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, TargetKind};
use crate::restore::target::state::Examined;

/// One exception for each setting that stays.
pub fn kept(wanted: &Inventory, live: &Inventory, examined: &Examined) -> Vec<Exception> {
    let fresh = matches!(examined.facts.kind, TargetKind::Bare | TargetKind::FreshProject);
    if !fresh || !examined.scope.is_whole() {
        return Vec::new();
    }
    let known = |o: &CatalogObject| wanted.of_kind(o.kind).any(|w| w.identity == o.identity);
    live.objects.iter().filter(|o| is_of_the_database(o) && !known(o)).map(exception).collect()
}

/// In place: privileges on the server's own objects that were changed since the snapshot, which has none for them.
/// `drop`: what the plan drops; privileges of dropped roles disappear with them.
pub fn of_server(wanted: &Inventory, live: &Inventory, examined: &Examined, drop: &[ObjectName]) -> Vec<Exception> {
    if examined.facts.kind != TargetKind::SameDatabase || !examined.scope.is_whole() {
        return Vec::new();
    }
    let known = |o: &CatalogObject| wanted.of_kind(ObjectKind::Acl).any(|w| w.identity == o.identity);
    // The schema `public` has the OID 2200 of initdb, but belongs to the user.
    let of_initdb = |o: &CatalogObject| o.address.is_some_and(|a| a.oid < 16_384 && a.sub == 0 && a.oid != 2200);
    let is_extra = |o: &&CatalogObject| {
        let of_users = o.identity == "DATABASE" || o.identity.starts_with("LARGE OBJECT ");
        o.extension.is_none() && of_initdb(o) && !known(o) && !examined.scope.may_drop(o) && !of_users
    };
    let is_extra = |o: &&CatalogObject| is_extra(o) && !goes_with_roles(o, drop);
    let exception_of = |o: &CatalogObject| Exception {
        code: "server_acl".into(),
        what: format!("{} {}", o.kind, o.identity),
        why: format!(
            "privileges on an object of the server itself were changed since the snapshot, and stay: {}",
            o.definition.replace('\n', ", ")
        ),
        todo:
            "as a superuser: REVOKE what was added, GRANT what was removed (pg_init_privs has the initial privileges)"
                .into(),
    };
    live.of_kind(ObjectKind::Acl).filter(is_extra).map(exception_of).collect()
}

/// Does this ACL contain only privileges of dropped roles, besides those of its owner and PUBLIC?
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

/// Is it a setting of this database, either for all roles or for one?
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
        why: "the target had it before the restore, and the snapshot does not have it".into(),
        todo: "if you do not want it: ALTER DATABASE … RESET, or ALTER ROLE … IN DATABASE … RESET".into(),
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
