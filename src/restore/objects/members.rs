//! In place: altered members of extensions. No archive contains members: CREATE EXTENSION creates them.
//!
//! Invariant: a member that differs from the snapshot stays as it is and is named in the plan. Its grants are not part
//! of this: they are restored like all others.

use std::collections::BTreeMap;

use crate::model::difference::{Change, ObjectDifference, Rules, compare};
use crate::model::identity::unquoted;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, TargetKind};
use crate::restore::target::scope::Scope;

/// The exception code.
pub const MEMBER_DIFFERS: &str = "extension_member_differs";

/// Kinds that only an extension's script creates. Tables and sequences are left out: queues are created and dropped at
/// run time.
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

/// Members that differ although the extension has the same version and schema.
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
        Change::Missing => "is missing",
        _ => "was altered since the snapshot",
    };
    Exception {
        code: MEMBER_DIFFERS.into(),
        what: format!("{} {}", difference.kind, difference.identity),
        why: format!(
            "this member of the extension {extension} {happened}: pg_dump leaves members out, so it stays as it is"
        ),
        todo: format!(
            "see the difference: stacksnap diff SNAPSHOT live; fix it by hand, or recreate the extension {extension}"
        ),
    }
}
