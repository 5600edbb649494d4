//! The password of the role that restores: it stays what it is here, and that is said.
//!
//! Invariant: a difference is named only where both sides show a verifier (or that there is none); what this role may
//! not see is not guessed. No verifier is in what is said. Pure.

use super::Engine;
use super::delta::but_for_password;
use super::identity::unquoted;
use super::state::Examined;
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::name::ident;
use crate::model::restore::Exception;

/// Stable word.
pub const PASSWORD_STAYS: &str = "own_password";

/// The exception for a password that is not the snapshot's.
pub fn foretell(engine: &Engine<'_>, examined: &Examined, live: &Inventory) -> Option<Exception> {
    let scope = &examined.scope;
    if !scope.is_whole() || scope.untrusted {
        return None;
    }
    let of = |inventory: &Inventory| -> Option<CatalogObject> {
        inventory.of_kind("ROLE").find(|role| unquoted(&role.identity) == scope.restorer).cloned()
    };
    let (wanted, found) = (of(&engine.source.inventory)?, of(live)?);
    stays(&wanted, &found).then(|| Exception {
        code: PASSWORD_STAYS.into(),
        what: format!("password of the role {}", wanted.identity),
        why: "this restore logged in with it: it stays what it is here, the snapshot holds another verifier".into(),
        todo: format!("if the source's is wanted: database_roles.sql has its verifier, for ALTER ROLE {}", ident(&scope.restorer)),
    })
}

fn stays(wanted: &CatalogObject, found: &CatalogObject) -> bool {
    let is_hidden = |role: &CatalogObject| role.definition.ends_with("PASSWORD not readable");
    wanted.definition != found.definition
        && but_for_password(wanted, found)
        && !is_hidden(wanted)
        && !is_hidden(found)
}

#[cfg(test)]
mod tests {
    use super::stays;
    use crate::model::inventory::object;

    #[test]
    fn only_what_was_seen_on_both_sides_is_named() {
        let role = |definition: &str| object("ROLE", "me", definition);
        let (mine, other) = (role("LOGIN PASSWORD sha256:aa"), role("LOGIN PASSWORD sha256:bb"));
        assert!(stays(&mine, &other) && stays(&mine, &role("LOGIN")));
        assert!(!stays(&mine, &mine));
        assert!(!stays(&mine, &role("LOGIN PASSWORD not readable")));
        assert!(!stays(&mine, &role("SUPERUSER LOGIN PASSWORD sha256:bb")), "that is more than a password");
    }
}
