//! The database itself: restores its connection limit and template flag, names differences of encoding and locale.
//!
//! Invariant: what only a new database can have is in the plan before the first write. Whatever still differs
//! afterwards is an exception. An untrusted snapshot changes nothing here.

use std::collections::BTreeMap;

use crate::model::difference::{PropertyDifference, database_properties};
use crate::model::failure::Result;
use crate::model::inventory::Inventory;
use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::restore::Engine;
use crate::restore::sql::runner::Runner;
use crate::restore::target::state::Examined;

/// The exception code.
pub const DIFFERS: &str = "database_differs";

/// What will be restored, and what cannot be.
pub fn predict(engine: &Engine<'_>, examined: &Examined, live: &Inventory) -> (Vec<ObjectName>, Option<Exception>) {
    if !is_ours(examined) {
        return (Vec::new(), None);
    }
    let all = database_properties(&engine.source.inventory, live);
    let (set, fixed): (Vec<_>, Vec<_>) = all.into_iter().partition(|property| property.alter_option().is_some());
    let name = |property: &PropertyDifference| ObjectName {
        kind: ObjectKind::Database,
        identity: format!("database: {}", property.word()),
    };
    (set.iter().map(name).collect(), exception(&fixed, live, None))
}

/// Sets the properties at the end of the transaction. Returns an exception for what still differs.
pub async fn put_back(
    engine: &Engine<'_>,
    examined: &Examined,
    live: &Inventory,
    runner: &Runner<'_>,
    words: &mut BTreeMap<String, String>,
) -> Result<Option<Exception>> {
    if !is_ours(examined) {
        return Ok(None);
    }
    let mut left = Vec::new();
    for property in database_properties(&engine.source.inventory, live) {
        let Some(option) = property.alter_option() else {
            left.push(property);
            continue;
        };
        let what = format!("{} of the database", property.word());
        let sql = format!("ALTER DATABASE {} WITH {option}", ident(&examined.facts.database));
        if let Some(failure) = runner.attempt(&what, &sql).await? {
            words.insert(what, failure.to_string());
            left.push(property);
        }
    }
    Ok(exception(&left, live, Some(engine)))
}

/// Is the database part of what was asked for?
fn is_ours(examined: &Examined) -> bool {
    examined.scope.is_whole() && !examined.scope.untrusted
}

/// `engine`: given at the end, when the owner is compared too.
fn exception(left: &[PropertyDifference], live: &Inventory, engine: Option<&Engine<'_>>) -> Option<Exception> {
    let owner =
        |inventory: &Inventory| inventory.of_kind(ObjectKind::Database).next().and_then(|object| object.owner.clone());
    let mut differences: Vec<String> = left.iter().map(PropertyDifference::sentence).collect();
    if let Some(engine) = engine {
        let (was, is) = (owner(&engine.source.inventory), owner(live));
        let name = |owner: Option<String>| owner.unwrap_or_else(|| "none".to_string());
        if was != is {
            differences.push(format!("the owner {}, the target {}", name(was), name(is)));
        }
    }
    if differences.is_empty() {
        return None;
    }
    let fixed = left.iter().any(|property| property.alter_option().is_none());
    let todo = if fixed {
        "create a database with the source's encoding and locale (CREATE DATABASE … TEMPLATE template0) and restore into that"
    } else {
        "its owner or a superuser can set it: ALTER DATABASE"
    };
    Some(Exception {
        code: DIFFERS.into(),
        what: "DATABASE database".into(),
        why: format!("the snapshot has {}", differences.join("; ")),
        todo: todo.into(),
    })
}
