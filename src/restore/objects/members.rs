//! In place: members of extensions that somebody altered. No archive holds them: an extension brings its own.
//!
//! Invariant: a member that is not what it was is named in the plan, for it stays as it is. Its grants are no part of
//! this, they are put back like any other.

use std::collections::BTreeMap;

use crate::model::difference::{Change, ObjectDifference, Rules, compare};
use crate::model::identity::unquoted;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, TargetKind};
use crate::restore::target::scope::Scope;

/// The word for it.
pub const MEMBER_DIFFERS: &str = "extension_member_differs";

/// Kinds that stand in an extension's script and nowhere else. Tables and sequences of members live: queues come and go.
const KINDS: [ObjectKind; 8] = [
    ObjectKind::Function,
    ObjectKind::Procedure,
    ObjectKind::Aggregate,
    ObjectKind::View,
    ObjectKind::Type,
    ObjectKind::Domain,
    ObjectKind::Operator,
    ObjectKind::Cast,
];

/// What of extensions that are the same otherwise is not what the snapshot has.
pub fn altered(source: &Inventory, live: &Inventory, scope: &Scope) -> Vec<Exception> {
    if scope.kind != TargetKind::SameDatabase || !scope.is_whole() {
        return Vec::new();
    }
    let versions = |all: &Inventory| -> BTreeMap<String, String> {
        all.of_kind(ObjectKind::Extension).map(|o| (unquoted(&o.identity), o.definition.clone())).collect()
    };
    let (was, is) = (versions(source), versions(live));
    let same = |o: &&CatalogObject| {
        o.extension.as_ref().is_some_and(|name| was.contains_key(name) && was.get(name) == is.get(name))
    };
    let members = |all: &Inventory| -> Vec<CatalogObject> {
        all.objects.iter().filter(|o| KINDS.contains(&o.kind)).filter(same).cloned().collect()
    };
    let differences = compare(&members(source), &members(live), &Rules::default());
    differences.iter().filter(|d| d.change != Change::Extra && d.note.is_none()).map(exception).collect()
}

fn exception(difference: &ObjectDifference) -> Exception {
    let extension = difference.extension.as_deref().unwrap_or_default();
    let happened = match difference.change {
        Change::Missing => "is gone",
        _ => "was altered since the snapshot",
    };
    Exception {
        code: MEMBER_DIFFERS.into(),
        what: format!("{} {}", difference.kind, difference.identity),
        why: format!(
            "a member of the extension {extension}, which {happened}: no archive holds members, so it stays as it is"
        ),
        todo: format!(
            "see what it was: stacksnap diff SNAPSHOT live; make it so again by hand, or make the extension {extension} anew"
        ),
    }
}
