//! What roles of the target have and the snapshot does not: settings that are reset, the restoring role's password,
//! grantors.
//!
//! Invariant: no role is dropped here, because roles belong to the whole server (`made_roles` drops some). Pure: it
//! builds statements.

use crate::model::difference::{is_seen, verifier_of};
use crate::model::identity::{identifier_end, unquoted};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::membership::Membership;
use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::restore::target::state::Examined;

/// `ALTER ROLE … RESET`, from `role r [in this database] name`.
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

/// `ALTER ROLE ALL RESET`, for a setting of all roles in all databases.
pub fn reset_for_all(object: &CatalogObject) -> Option<String> {
    if object.identity.contains(' ') {
        return None;
    }
    let setting: Vec<String> = object.identity.split('.').map(ident).collect();
    Some(format!("ALTER ROLE ALL RESET {}", setting.join(".")))
}

/// The exception code of the password that stays.
pub const OWN_PASSWORD: &str = "own_password";

/// The restoring role keeps its password: changing it would lock out the user who runs the restore.
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
            format!("to set it: ALTER ROLE {name} PASSWORD '…', with its verifier from database_roles.sql")
        }
        None => format!("the snapshot has none: ALTER ROLE {name} PASSWORD NULL"),
    };
    Some(Exception {
        code: OWN_PASSWORD.into(),
        what: format!("password of ROLE {name}"),
        why: "it is the restoring role, which keeps its password on this server; the snapshot has another one".into(),
        todo,
    })
}

/// A membership with the same rights by another grantor; only that grantor could revoke it.
pub fn granted_by_another(name: &ObjectName, examined: &Examined) -> Exception {
    let by = Membership::of_name(name).and_then(|m| m.grantor).unwrap_or("its grantor");
    let user = ident(&examined.facts.user);
    Exception {
        code: "granted_by_another".into(),
        what: format!("{} {}", name.kind, name.identity),
        why: format!("the member has the same rights, but by another grantor: {user} cannot grant in the name of {by}"),
        todo: format!("nothing, unless {by} must be able to revoke it: then restore as a superuser"),
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
