//! Verifiers of roles on two sides, of which one may not have been allowed to see them.
//!
//! Invariant: where one side could not see the verifiers they are compared on neither, and the caller says so. Pure.

use super::super::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;

/// The word that stands in for a verifier that a role may not read.
const NOT_READABLE: &str = "PASSWORD not readable";

/// Takes the verifiers out of both sides where one could not see them all. Was that so?
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

/// What a role's definition says of its verifier. `None`: nothing, because it has none or nobody could see it.
pub fn verifier_of(role: &CatalogObject) -> Option<&str> {
    let at = role.definition.rfind("PASSWORD ")?;
    Some(&role.definition[at..]).filter(|tail| tail.starts_with("PASSWORD sha256:"))
}

/// May the verifier be compared?
pub fn is_seen(role: &CatalogObject) -> bool {
    !role.definition.ends_with(NOT_READABLE)
}

fn is_password(tail: &str) -> bool {
    tail == NOT_READABLE || tail.starts_with("PASSWORD sha256:")
}
