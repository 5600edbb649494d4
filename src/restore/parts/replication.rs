//! Replication slots and subscriptions, which tie a database to others. None is created, altered or dropped.
//!
//! Invariant: one that is missing, extra or different on the target is named, with the statement that the user can run.

use std::collections::BTreeSet;

use crate::model::failure::Result;
use crate::model::identity::unquoted;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::literal;
use crate::model::object_kind::ObjectKind;
use crate::model::replication::{SLOT, SUBSCRIPTION, create_slot};
use crate::model::restore::{Exception, ObjectName};
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::restore::target::scope::Scope;

/// Comments on subscriptions that the target does not have.
pub async fn comments_without(engine: &Engine<'_>, session: &Session) -> Result<Vec<ObjectName>> {
    let wanted = &engine.source.inventory;
    if wanted.of_kind(SUBSCRIPTION).next().is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT pg_catalog.quote_ident(s.subname) FROM pg_catalog.pg_subscription s WHERE s.subdbid = \
               (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";
    let rows = session.rows(sql, &[]).await?;
    let there: BTreeSet<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let of_none = |o: &&CatalogObject| comment_on(o).is_some_and(|name| !there.contains(name));
    Ok(wanted.of_kind(ObjectKind::Comment).filter(of_none).map(ObjectName::of).collect())
}

/// The subscription that a comment is on.
pub fn comment_on(object: &CatalogObject) -> Option<&str> {
    object.identity.strip_prefix("subscription ").filter(|_| object.kind == ObjectKind::Comment)
}

/// Every slot and subscription that differs, for the plan. An empty target keeps what it has.
pub fn exceptions(wanted: &Inventory, live: &Inventory, scope: &Scope) -> Vec<Exception> {
    if !scope.is_whole() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for kind in [SLOT, SUBSCRIPTION] {
        for object in wanted.of_kind(kind) {
            match live.of_kind(kind).find(|o| o.identity == object.identity) {
                None => found.push(missing(object, wanted)),
                Some(other) if other.definition != object.definition || other.owner != object.owner => {
                    found.push(differs(object, other));
                }
                Some(_) => {}
            }
        }
        let extra = live.of_kind(kind).filter(|o| !wanted.of_kind(kind).any(|w| w.identity == o.identity));
        found.extend(
            extra.filter(|_| scope.kind.has_user_objects() && (kind != SLOT || wanted.tells_replication)).map(stays),
        );
    }
    found
}

fn exception(object: &CatalogObject, slot: &str, subscription: &str, why: String, todo: String) -> Exception {
    let code = if object.kind == SLOT { slot } else { subscription };
    Exception { code: code.into(), what: format!("{} {}", object.kind, object.identity), why, todo }
}

fn missing(object: &CatalogObject, wanted: &Inventory) -> Exception {
    let (why, todo) = if object.kind == SLOT {
        (
            "a replication slot cannot be restored: it is a position in its server's WAL; its consumer stops"
                .to_string(),
            format!("when its consumer starts over: {}", create_slot(object)),
        )
    } else {
        let commented = wanted.objects.iter().any(|o| comment_on(o) == Some(object.identity.as_str()));
        (
            format!(
                "it would connect to its publisher, so it is not created{}",
                if commented { ", and neither is its comment" } else { "" }
            ),
            "create it by hand if this database should receive changes: the archive has CREATE SUBSCRIPTION with \
             connect = false, which restore_complete_backup.sh runs"
                .to_string(),
        )
    };
    exception(object, "slot_not_made", "subscription_not_made", why, todo)
}

fn stays(object: &CatalogObject) -> Exception {
    let name = &object.identity;
    let (why, todo) = if object.kind == SLOT {
        (
            "the snapshot does not have it, and the server keeps WAL for its consumer".to_string(),
            format!("when it has no consumer: SELECT pg_drop_replication_slot({})", literal(&unquoted(name))),
        )
    } else {
        (
            "the snapshot does not have it, and it keeps writing into tables".to_string(),
            format!(
                "ALTER SUBSCRIPTION {name} DISABLE before the restore; to drop it without its publisher: \
                     ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name}"
            ),
        )
    };
    exception(object, "slot_stays", "subscription_stays", why, todo)
}

fn differs(wanted: &CatalogObject, live: &CatalogObject) -> Exception {
    let described = |o: &CatalogObject| {
        let owner = o.owner.as_ref().map_or_else(String::new, |owner| format!(", of {owner}"));
        format!("{}{owner}", o.definition.replace('\n', " "))
    };
    let why = format!("it is left as it is: {}; the snapshot has {}", described(live), described(wanted));
    let todo = if wanted.kind == SLOT {
        let name = literal(&unquoted(&wanted.identity));
        format!("when it has no consumer: SELECT pg_drop_replication_slot({name}); {}", create_slot(wanted))
    } else {
        format!("alter it by hand: ALTER SUBSCRIPTION {}", wanted.identity)
    };
    exception(wanted, "slot_differs", "subscription_differs", why, todo)
}
