//! Invalid indexes of the snapshot, as a failed `CREATE INDEX CONCURRENTLY` leaves them.
//!
//! Invariant: pg_dump leaves them out, so none is created and none counts as missing. If the target lacks one, it is
//! named; if the target has it, it stays, valid or not. A valid unique index is dropped: rows of the snapshot may
//! violate it. Pure.

use std::collections::HashSet;

use crate::model::index_state::{is_left_over, is_repaired};
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};

/// An invalid index with its attributes: its comment, its parent.
pub struct LeftOver {
    pub exception: Exception,
    pub objects: Vec<ObjectName>,
}

/// All of a snapshot.
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

/// May the target keep its valid index where the snapshot's is invalid?
pub fn may_stay(wanted: &CatalogObject, live: &CatalogObject) -> bool {
    is_repaired(wanted, live) && !live.definition.starts_with("CREATE UNIQUE ")
}

/// Their addresses.
pub fn addresses(wanted: &[CatalogObject]) -> HashSet<Address> {
    wanted.iter().filter(|o| is_left_over(o)).filter_map(whole).collect()
}

/// The address of the whole object that this is, or is an attribute of.
pub fn whole(object: &CatalogObject) -> Option<Address> {
    object.address.map(|address| Address { sub: 0, ..address })
}

fn exception(index: &CatalogObject) -> Exception {
    Exception {
        code: "index_invalid".into(),
        what: format!("INDEX {}", index.identity),
        why: "it was invalid in the source (CREATE INDEX CONCURRENTLY failed there), and pg_dump leaves invalid indexes out"
            .into(),
        todo: "create it by hand if you want it: inventory.json has its definition".into(),
    }
}
