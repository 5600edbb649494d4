//! Password verifiers of roles in two inventories, if only one of the connecting roles could read them.
//!
//! Invariant: if one side could not read the verifiers, none are compared, and the caller reports that. Pure.

use super::super::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;

/// The inventory writes this instead of a verifier that the connecting role may not read.
const NOT_READABLE: &str = "PASSWORD not readable";

/// Removes the verifiers from both sides if one side could not read all of them. Returns whether it did.
pub fn same_view_of_passwords(left: &mut [CatalogObject], right: &mut [CatalogObject]) -> bool {
    let unseen = |o: &CatalogObject| o.kind == ObjectKind::Role && o.definition.ends_with(NOT_READABLE);
    if !left.iter().chain(right.iter()).any(unseen) {
        return false;
    }
    for role in left.iter_mut().chain(right.iter_mut()).filter(|o| o.kind == ObjectKind::Role) {
        let cut = role.definition.rfind("PASSWORD ");
        if let Some(at) = cut.filter(|at| is_password(&role.definition[*at..])) {
            role.definition.truncate(at);
            role.definition.truncate(role.definition.trim_end().len());
        }
    }
    true
}

/// The verifier in a role's definition. `None`: the role has none, or it was not readable.
pub fn verifier_of(role: &CatalogObject) -> Option<&str> {
    let at = role.definition.rfind("PASSWORD ")?;
    Some(&role.definition[at..]).filter(|tail| tail.starts_with("PASSWORD sha256:"))
}

/// Whether the verifier can be compared.
pub fn is_seen(role: &CatalogObject) -> bool {
    !role.definition.ends_with(NOT_READABLE)
}

fn is_password(tail: &str) -> bool {
    tail == NOT_READABLE || tail.starts_with("PASSWORD sha256:")
}
