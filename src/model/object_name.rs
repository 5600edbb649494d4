//! An object's name in plans, records and messages: its kind and identity.
//!
//! Invariant: both are those of the inventory, unchanged; an address is never part of the name. Pure.

use serde::{Deserialize, Serialize};

use super::inventory::CatalogObject;
use super::object_kind::ObjectKind;

/// An object by kind and identity, as in the inventory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    pub kind: ObjectKind,
    pub identity: String,
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.identity)
    }
}

impl ObjectName {
    pub fn of(object: &CatalogObject) -> Self {
        Self { kind: object.kind, identity: object.identity.clone() }
    }
}
