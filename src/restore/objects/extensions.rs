//! Creates extensions that a target lacks, each as its owner.
//!
//! Invariant: the owner of an extension cannot be altered, so a restoring superuser creates it as its owner, who
//! becomes a superuser for that moment, inside a transaction that no other session sees. Where that is not possible,
//! the snapshot's own file creates it. Pure: it builds statements.

use std::collections::BTreeSet;

use crate::model::identity::unquoted;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;

/// The message that creates an extension as its owner. `None`: the restoring role is the owner, so the file does it
/// too.
pub fn made_by_owner(
    extension: &CatalogObject,
    definition: &str,
    restorer: &str,
    superusers: &BTreeSet<String>,
) -> Option<String> {
    let owner = extension.owner.as_deref().filter(|owner| *owner != restorer)?;
    let role = ident(owner);
    let create = definition.trim_end().trim_end_matches(';');
    let as_owner =
        format!("SET LOCAL SESSION AUTHORIZATION {role};\n{create};\nSET LOCAL SESSION AUTHORIZATION DEFAULT");
    if superusers.contains(owner) {
        return Some(as_owner);
    }
    Some(format!("ALTER ROLE {role} SUPERUSER;\n{as_owner};\nALTER ROLE {role} NOSUPERUSER"))
}

/// The archived definition, then the same without its schema: an extension whose control file names a schema creates a
/// missing schema itself, but not if the statement names it.
pub fn definitions(archived: &str) -> impl Iterator<Item = &str> {
    let bare = archived.rfind(" WITH SCHEMA ").map(|at| &archived[..at]);
    std::iter::once(archived).chain(bare)
}

/// Roles that are superusers on the target.
pub fn superusers(live: &Inventory) -> BTreeSet<String> {
    let is_super = |o: &&CatalogObject| o.definition.split(' ').next() == Some("SUPERUSER");
    live.of_kind(ObjectKind::Role).filter(is_super).map(|o| unquoted(&o.identity)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_that_makes_its_schema_is_tried_without_it() {
        let tries: Vec<_> = definitions("CREATE EXTENSION IF NOT EXISTS pgmq WITH SCHEMA pgmq;\n").collect();
        assert_eq!(tries[1], "CREATE EXTENSION IF NOT EXISTS pgmq");
        assert_eq!(definitions("CREATE EXTENSION plpgsql;").count(), 1);
    }

    #[test]
    fn r18_an_extension_is_made_as_its_owner() {
        let extension = CatalogObject {
            kind: ObjectKind::Extension,
            schema: None,
            identity: "pgmq".into(),
            definition: String::new(),
            owner: Some("postgres".into()),
            extension: None,
            address: None,
        };
        let make = |restorer, superusers: &[&str]| {
            let superusers = superusers.iter().map(ToString::to_string).collect();
            made_by_owner(&extension, "CREATE EXTENSION pgmq;\n", restorer, &superusers)
        };
        assert_eq!(make("postgres", &[]), None);
        let as_owner = "SET LOCAL SESSION AUTHORIZATION \"postgres\";\nCREATE EXTENSION pgmq;\nSET LOCAL SESSION AUTHORIZATION DEFAULT";
        assert_eq!(make("admin", &["postgres"]).unwrap(), as_owner);
        assert_eq!(
            make("admin", &["admin"]).unwrap(),
            format!("ALTER ROLE \"postgres\" SUPERUSER;\n{as_owner};\nALTER ROLE \"postgres\" NOSUPERUSER")
        );
    }
}
