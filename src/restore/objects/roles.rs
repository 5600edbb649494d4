//! What a migration added to roles and the snapshot does not know: settings that are taken back.
//!
//! Invariant: a role itself is never dropped here: it belongs to the whole server (`made_roles` drops those that have to go).
//! Pure: it makes statements.

use crate::model::difference::{is_seen, verifier_of};
use crate::model::identity::{identifier_end, unquoted};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::membership::Membership;
use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::restore::target::state::Examined;

/// `role r [in this database] name` as `ALTER ROLE … RESET`.
pub fn reset_setting(object: &CatalogObject, database: &str) -> Option<String> {
    let rest = object.identity.strip_prefix("role ")?;
    let end = identifier_end(rest)?;
    let (role, rest) = rest.split_at(end);
    let (place, setting) = match rest.strip_prefix(" in this database ") {
        Some(setting) => (format!(" IN DATABASE {}", ident(database)), setting),
        None => (String::new(), rest.strip_prefix(' ')?),
    };
    let setting: Vec<String> = setting.split('.').map(ident).collect();
    Some(format!("ALTER ROLE {role}{place} RESET {}", setting.join(".")))
}

/// A setting that all roles have in all databases.
pub fn reset_for_all(object: &CatalogObject) -> Option<String> {
    if object.identity.contains(' ') {
        return None;
    }
    let setting: Vec<String> = object.identity.split('.').map(ident).collect();
    Some(format!("ALTER ROLE ALL RESET {}", setting.join(".")))
}

/// The word for the password that stays.
pub const OWN_PASSWORD: &str = "own_password";

/// The role that restores keeps its password: a restore that changed it would lock out who runs it.
pub fn own_password(wanted: &Inventory, live: &Inventory, examined: &Examined) -> Option<Exception> {
    let own = |all: &'_ Inventory| {
        all.of_kind(ObjectKind::Role).find(|o| unquoted(&o.identity) == examined.facts.user).cloned()
    };
    let (was, is) = (own(wanted)?, own(live)?);
    let asked = examined.scope.is_whole() && !examined.scope.untrusted;
    if !asked || !is_seen(&was) || !is_seen(&is) || verifier_of(&was) == verifier_of(&is) {
        return None;
    }
    let name = &was.identity;
    let todo = match verifier_of(&was) {
        Some(_) => {
            format!("to set it: ALTER ROLE {name} PASSWORD '…', with the verifier that database_roles.sql has for it")
        }
        None => format!("the snapshot's has none: ALTER ROLE {name} PASSWORD NULL"),
    };
    Some(Exception {
        code: OWN_PASSWORD.into(),
        what: format!("password of ROLE {name}"),
        why: "it is the role that restores, which keeps the password that it has here; the snapshot's is another one"
            .into(),
        todo,
    })
}

/// It gives the same rights, and only its grantor could take it back.
pub fn granted_by_another(name: &ObjectName, examined: &Examined) -> Exception {
    let by = Membership::of_name(name).and_then(|m| m.grantor).unwrap_or("its grantor");
    let user = ident(&examined.facts.user);
    Exception {
        code: "granted_by_another".into(),
        what: format!("{} {}", name.kind, name.identity),
        why: format!(
            "the member may do the same, but another role granted it: {user} cannot grant in the name of {by}"
        ),
        todo: format!("nothing, unless {by} should be able to take it back: then restore as a superuser"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(identity: &str) -> CatalogObject {
        CatalogObject {
            kind: ObjectKind::RoleSetting,
            schema: None,
            identity: identity.into(),
            definition: String::new(),
            owner: None,
            extension: None,
            address: None,
        }
    }

    #[test]
    fn r7_settings_are_taken_back() {
        let reset = |identity| reset_setting(&object(identity), "d b").unwrap();
        assert_eq!(reset("role anon statement_timeout"), "ALTER ROLE anon RESET \"statement_timeout\"");
        assert_eq!(
            reset("role \"a b\" in this database pgrst.db_schemas"),
            "ALTER ROLE \"a b\" IN DATABASE \"d b\" RESET \"pgrst\".\"db_schemas\""
        );
    }
}
