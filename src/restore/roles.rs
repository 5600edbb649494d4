//! What a migration added to roles and the snapshot does not know: settings and memberships that are taken back.
//!
//! Invariant: a role itself is never dropped here: it belongs to the whole server (`made_roles` drops those that have to go).
//! Pure: it makes statements.

use super::identity::identifier_end;
use crate::model::inventory::CatalogObject;
use crate::model::name::ident;

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

/// The member and the group of `m in g [by b]`.
pub fn pair(identity: &str) -> Option<(&str, &str)> {
    let (member, rest) = identity.split_at(identifier_end(identity)?);
    let rest = rest.strip_prefix(" in ")?;
    Some((member, &rest[..identifier_end(rest)?]))
}

/// Is it the same role in the same one with the same options, whoever granted it?
pub fn same_membership(one: &CatalogObject, other: &CatalogObject) -> bool {
    let is = |o: &CatalogObject| o.kind == "ROLE MEMBERSHIP";
    is(one) && is(other) && pair(&one.identity) == pair(&other.identity) && one.definition == other.definition
}

/// `m in g [by b]` as `REVOKE`.
pub fn revoke_membership(object: &CatalogObject) -> Option<String> {
    let end = identifier_end(&object.identity)?;
    let (member, rest) = object.identity.split_at(end);
    let rest = rest.strip_prefix(" in ")?;
    let (group, rest) = rest.split_at(identifier_end(rest)?);
    let by = match rest.strip_prefix(" by ") {
        Some(grantor) => format!(" GRANTED BY {grantor}"),
        None => String::new(),
    };
    Some(format!("REVOKE {group} FROM {member}{by}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(identity: &str) -> CatalogObject {
        CatalogObject {
            kind: "ROLE SETTING".into(),
            schema: None,
            identity: identity.into(),
            definition: String::new(),
            owner: None,
            extension: None,
            address: None,
        }
    }

    #[test]
    fn r7_settings_and_memberships_are_taken_back() {
        let reset = |identity| reset_setting(&object(identity), "d b").unwrap();
        assert_eq!(reset("role anon statement_timeout"), "ALTER ROLE anon RESET \"statement_timeout\"");
        assert_eq!(
            reset("role \"a b\" in this database pgrst.db_schemas"),
            "ALTER ROLE \"a b\" IN DATABASE \"d b\" RESET \"pgrst\".\"db_schemas\""
        );
        let revoke = |identity| revoke_membership(&object(identity)).unwrap();
        assert_eq!(revoke("\"m in\" in g by postgres"), "REVOKE g FROM \"m in\" GRANTED BY postgres");
        assert_eq!(revoke("m in g"), "REVOKE g FROM m");
    }
}
