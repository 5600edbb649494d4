//! Indexes of the snapshot that are not valid: what `CREATE INDEX CONCURRENTLY` leaves when it fails.
//!
//! Invariant: no archive holds them, so none is made and none is missed: where the target lacks one it is named, where
//! it has it, it stays, valid or not. But one that is valid and unique goes: rows of the snapshot may contradict it. Pure.

use std::collections::HashSet;

use crate::model::index_state::{is_left_over, is_repaired};
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};

/// One of them, and everything that is said about it: its comment, what it is attached to.
pub struct LeftOver {
    pub exception: Exception,
    pub objects: Vec<ObjectName>,
}

/// Those of a snapshot.
pub fn all(wanted: &Inventory) -> Vec<LeftOver> {
    let of = |index: &CatalogObject| LeftOver {
        exception: exception(index),
        objects: wanted
            .objects
            .iter()
            .filter(|o| whole(o).is_some() && whole(o) == whole(index))
            .map(ObjectName::of)
            .collect(),
    };
    wanted.of_kind(ObjectKind::Index).filter(|o| is_left_over(o)).map(of).collect()
}

/// Those that the target lacks.
pub fn not_there(wanted: &Inventory, live: &Inventory) -> Vec<Exception> {
    let lacking = |index: &&CatalogObject| !live.of_kind(ObjectKind::Index).any(|o| o.identity == index.identity);
    wanted.of_kind(ObjectKind::Index).filter(|o| is_left_over(o)).filter(lacking).map(exception).collect()
}

/// May the target keep an index that is valid, where the snapshot's is not?
pub fn may_stay(wanted: &CatalogObject, live: &CatalogObject) -> bool {
    is_repaired(wanted, live) && !live.definition.starts_with("CREATE UNIQUE ")
}

/// Where they stand.
pub fn addresses(wanted: &[CatalogObject]) -> HashSet<Address> {
    wanted.iter().filter(|o| is_left_over(o)).filter_map(whole).collect()
}

/// The address of the whole object that this is, or is said about.
pub fn whole(object: &CatalogObject) -> Option<Address> {
    object.address.map(|address| Address { sub: 0, ..address })
}

fn exception(index: &CatalogObject) -> Exception {
    Exception {
        code: "index_invalid".into(),
        what: format!("INDEX {}", index.identity),
        why: "it was not valid in the source (CREATE INDEX CONCURRENTLY failed there), and no archive holds such a one"
            .into(),
        todo: "make it again if you want it: inventory.json has its definition".into(),
    }
}
