//! A named database as the target of a drill: whether it may be used, and how it is emptied afterwards.
//!
//! Invariant: only an empty database whose name contains `_drill_` is written to. Roles belong to the whole server and
//! a drill must not change them, so each role of the snapshot must be equal on that server, or missing. Whatever cannot
//! be removed is named.

use std::collections::BTreeMap;

use super::place::Ground;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::CatalogObject;
use crate::model::name::{ident, visible};
use crate::model::object_kind::ObjectKind;
use crate::pg::catalog::inventory::inventory;
use crate::pg::catalog::target::target;
use crate::pg::session::Session;
use crate::restore::source::SnapshotSource;

/// The text that the name of the database must contain.
const MARK: &str = "_drill_";
const NAMED_MAX: usize = 8;
const NOT_READABLE: &str = "PASSWORD not readable";

/// Examines the target. Refuses (`NotConfirmed`) everything but an empty database for drills.
pub async fn examined(source: &SnapshotSource, spec: &ConnSpec) -> Result<Ground> {
    let refused = |text: String| Failure::msg(FailureKind::NotConfirmed, format!("nothing was written: {text}"));
    let shown = visible(&spec.database);
    if !spec.database.contains(MARK) {
        return Err(refused(format!("a drill needs a database with {MARK} in its name, this one is {shown}"))
            .hint("create one: createdb shop_drill_1, and give it as --target-url"));
    }
    let session = Session::open(spec, "stacksnap drill").await?;
    let state = target(&session, spec).await?;
    if state.has_user_objects || state.is_supabase {
        return Err(refused(format!("the database {shown} is not empty"))
            .hint("drop and recreate it, or give another database"));
    }
    let here = inventory(&session).await?;
    let differ = roles_that_differ(&source.inventory.objects, &here.objects);
    if !differ.is_empty() {
        let named: Vec<&str> = differ.iter().take(NAMED_MAX).map(String::as_str).collect();
        let text = format!(
            "roles of this server differ from the snapshot's, and a drill would change them: {}",
            named.join(", ")
        );
        return Err(
            refused(text).hint("use a server of its own, or leave --target-url out to use a throw-away cluster")
        );
    }
    Ok(Ground { spec: spec.clone(), server_version: state.facts.server_version, cluster: None })
}

/// Names of roles that exist on both sides and differ. A password verifier that one side cannot read does not count.
fn roles_that_differ(snapshot: &[CatalogObject], here: &[CatalogObject]) -> Vec<String> {
    let roles = |objects: &[CatalogObject]| -> BTreeMap<String, String> {
        let kinds = objects.iter().filter(|o| o.kind == ObjectKind::Role || o.kind == ObjectKind::RoleSetting);
        kinds.map(|o| (format!("{} {}", o.kind, o.identity), o.definition.clone())).collect()
    };
    let (theirs, ours) = (roles(snapshot), roles(here));
    let without = |text: &str| text.split(" PASSWORD ").next().unwrap_or_default().to_string();
    let same = |a: &str, b: &str| {
        a == b || ((a.contains(NOT_READABLE) || b.contains(NOT_READABLE)) && without(a) == without(b))
    };
    let differing = theirs.iter().filter(|(name, a)| ours.get(*name).is_some_and(|b| !same(a, b)));
    differing.map(|(name, _)| visible(name)).collect()
}

/// Drops everything that the drill created in the database. Returns the names of what remains.
pub async fn emptied(source: &SnapshotSource, spec: &ConnSpec) -> Result<Vec<String>> {
    let session = Session::open(spec, "stacksnap drill").await?;
    let mut left = Vec::new();
    // A drop may fail until another one was done, or CASCADE may drop further objects: try twice.
    for _ in 0..2 {
        left.clear();
        let objects = inventory(&session).await?.objects;
        for (what, sql) in drops(&objects) {
            if let Err(failure) = session.execute(&sql).await {
                left.push(format!("{}: {failure}", visible(&what)));
            }
        }
    }
    let unlink = "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata";
    if let Err(failure) = session.rows(unlink, &[]).await {
        left.push(format!("large objects: {failure}"));
    }
    let roles = source.inventory.of_kind(ObjectKind::Role).count();
    left.push(format!("{roles} roles of the snapshot, which belong to the whole server"));
    Ok(left)
}

/// The DROP statements, dependents first.
fn drops(objects: &[CatalogObject]) -> Vec<(String, String)> {
    const ORDER: [(ObjectKind, &str); 7] = [
        (ObjectKind::EventTrigger, "DROP EVENT TRIGGER IF EXISTS {} CASCADE"),
        (ObjectKind::Publication, "DROP PUBLICATION IF EXISTS {} CASCADE"),
        (ObjectKind::Server, "DROP SERVER IF EXISTS {} CASCADE"),
        (ObjectKind::Extension, "DROP EXTENSION IF EXISTS {} CASCADE"),
        (ObjectKind::ForeignDataWrapper, "DROP FOREIGN DATA WRAPPER IF EXISTS {} CASCADE"),
        (ObjectKind::Schema, "DROP SCHEMA IF EXISTS {} CASCADE"),
        (ObjectKind::ProceduralLanguage, "DROP LANGUAGE IF EXISTS {} CASCADE"),
    ];
    let mut found = Vec::new();
    for (kind, sql) in ORDER {
        let of_kind = objects.iter().filter(|o| o.kind == kind && o.extension.is_none() && o.identity != "plpgsql");
        found.extend(of_kind.map(|o| (format!("{kind} {}", o.identity), sql.replace("{}", &o.identity))));
    }
    found.push(("SCHEMA public".to_string(), format!("CREATE SCHEMA IF NOT EXISTS {}", ident("public"))));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn roles_of_the_server_must_not_change() {
        let snapshot = [
            object("ROLE", "a", "LOGIN PASSWORD sha256:1"),
            object("ROLE", "b", "LOGIN"),
            object("ROLE", "c", "LOGIN"),
        ];
        let here = |a: &str| [object("ROLE", "a", a), object("ROLE", "b", "NOLOGIN")];
        assert_eq!(roles_that_differ(&snapshot, &here("LOGIN PASSWORD sha256:2")), ["ROLE a", "ROLE b"]);
        assert_eq!(roles_that_differ(&snapshot, &here("LOGIN PASSWORD not readable")), ["ROLE b"]);
    }

    #[test]
    fn what_others_hang_on_goes_last() {
        let objects = [object("SCHEMA", "\"a b\"", ""), object("EVENT TRIGGER", "e", ""), object("TABLE", "t", "")];
        let sql: Vec<String> = drops(&objects).into_iter().map(|(_, sql)| sql).collect();
        assert_eq!(sql.len(), 3);
        assert!(sql[0].contains("EVENT TRIGGER") && sql[1] == "DROP SCHEMA IF EXISTS \"a b\" CASCADE");
    }
}
