//! The bootstrap superuser (OID 10) owns the server's built-in objects; its name differs between servers.
//!
//! Invariant: only ACLs of the server's built-in objects and memberships granted by that role are renamed, never ACLs
//! of other objects. Pure.

use crate::model::object_kind::ObjectKind;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::inventory::{CatalogObject, Inventory};
use super::membership::Membership;

/// `BOOTSTRAP_SUPERUSERID`: the OID of that role on every server.
pub const BOOTSTRAP_OID: u32 = 10;
const AUTH_ID: u32 = 1260;

/// Its name, quoted where needed. `None` for inventories without catalog addresses.
fn name(inventory: &Inventory) -> Option<&str> {
    let is_it = |o: &&CatalogObject| o.address.is_some_and(|a| a.class == AUTH_ID && a.oid == BOOTSTRAP_OID);
    inventory.of_kind(ObjectKind::Role).find(is_it).map(|o| o.identity.as_str())
}

/// Rewrites the ACLs of built-in objects in `live` as if its bootstrap role had the name that it has in `wanted`.
pub fn align_with(live: &mut Inventory, wanted: &Inventory) {
    let (Some(live_name), Some(wanted_name)) = (name(live).map(str::to_string), name(wanted)) else { return };
    if live_name == wanted_name {
        return;
    }
    let own = format!("{live_name}=");
    for object in live.objects.iter_mut().filter(|o| o.kind == ObjectKind::Acl && is_built_in(o)) {
        let mut lines: Vec<String> =
            object.definition.lines().map(|line| renamed(line, &live_name, wanted_name)).collect();
        // Privileges granted in `wanted` to a role with this name: the bootstrap role here has them anyway.
        let same = wanted.of_kind(ObjectKind::Acl).find(|o| o.identity == object.identity);
        let given = same.into_iter().flat_map(|o| o.definition.lines()).filter(|line| line.starts_with(&own));
        lines.extend(given.map(str::to_string));
        lines.sort();
        lines.dedup();
        object.definition = lines.join("\n");
    }
    live.objects.extend(implied_acls(live, wanted, &own, wanted_name));
    rename_grantors(live, &live_name, wanted_name);
}

/// Renames the grantor of memberships. If a role with the new name granted the same one, the two are merged.
fn rename_grantors(live: &mut Inventory, live_name: &str, wanted_name: &str) {
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut objects: Vec<CatalogObject> = Vec::with_capacity(live.objects.len());
    for mut object in std::mem::take(&mut live.objects) {
        if let Some(Membership { member, group, grantor: Some(grantor) }) = Membership::of(&object) {
            let grantor = if grantor == live_name { wanted_name } else { grantor };
            object.identity = format!("{member} in {group} by {grantor}");
            match at.entry(object.identity.clone()) {
                Entry::Occupied(first) => {
                    objects[*first.get()].definition =
                        all_options(&objects[*first.get()].definition, &object.definition);
                    continue;
                }
                Entry::Vacant(free) => *free.insert(objects.len()),
            };
        }
        objects.push(object);
    }
    live.objects = objects;
}

/// The union of both, in the inventory's notation: `WITH ADMIN INHERIT SET`.
fn all_options(one: &str, other: &str) -> String {
    let held = |option: &&str| one.contains(*option) || other.contains(*option);
    ["WITH ADMIN", "INHERIT", "SET"].into_iter().filter(held).collect::<Vec<_>>().join(" ")
}

/// The inventory lists only ACLs that differ from the default. Privileges granted in `wanted` to a role that is the
/// bootstrap role here are no change, so `live` has no entry for them: add it.
fn implied_acls(live: &Inventory, wanted: &Inventory, own: &str, wanted_name: &str) -> Vec<CatalogObject> {
    let owner = format!("{wanted_name}=");
    let is_there = |acl: &CatalogObject| live.of_kind(ObjectKind::Acl).any(|o| o.identity == acl.identity);
    let of_owner = |acl: &CatalogObject| {
        let mut lines = acl.definition.lines();
        lines.all(|line| line.starts_with(own) || line.starts_with(&owner))
    };
    let of_server = wanted.of_kind(ObjectKind::Acl).filter(|o| is_built_in(o) && of_owner(o));
    of_server.filter(|o| !is_there(o)).cloned().collect()
}

/// `grantee=PRIVILEGES/grantor`
fn renamed(line: &str, live_name: &str, wanted_name: &str) -> String {
    let line = match line.strip_prefix(live_name) {
        Some(rest) if rest.starts_with('=') => format!("{wanted_name}{rest}"),
        _ => line.to_string(),
    };
    match line.strip_suffix(live_name) {
        Some(rest) if rest.ends_with('/') => format!("{rest}{wanted_name}"),
        _ => line,
    }
}

fn is_built_in(acl: &CatalogObject) -> bool {
    let schema = acl.schema.as_deref();
    matches!(schema, Some("pg_catalog" | "information_schema"))
        || acl.identity.starts_with("LANGUAGE ")
        || acl.identity.starts_with("PARAMETER ")
}

#[cfg(test)]
mod tests {
    use super::super::inventory::Address;
    use super::*;

    fn object(kind: &str, schema: Option<&str>, identity: &str, definition: &str, oid: u32) -> CatalogObject {
        CatalogObject {
            kind: kind.into(),
            schema: schema.map(Into::into),
            identity: identity.into(),
            definition: definition.into(),
            owner: None,
            extension: None,
            address: Some(Address { class: AUTH_ID, oid, sub: 0 }),
        }
    }

    fn inventory(first: &str, rights: &str) -> Inventory {
        let objects = vec![
            object("ROLE", None, first, "SUPERUSER", 10),
            object("ROLE", None, "other", "", 99),
            object("ACL", Some("pg_catalog"), "FUNCTION pg_reload_conf()", rights, 1),
            object("ACL", Some("public"), "TABLE public.t", rights, 2),
        ];
        Inventory { objects, ..Inventory::default() }
    }

    #[test]
    fn only_rights_on_the_servers_own_objects_are_read_under_another_name() {
        let wanted =
            inventory("supabase_admin", "postgres=EXECUTE/supabase_admin\nsupabase_admin=EXECUTE/supabase_admin");
        let live_name = "admin=EXECUTE/admin\npostgres=EXECUTE/admin";
        let mut live = inventory("admin", live_name);
        align_with(&mut live, &wanted);
        assert_eq!(live.objects[2].definition, wanted.objects[2].definition);
        assert_eq!(live.objects[3].definition, live_name);
        let mut live = inventory("postgres", "postgres=EXECUTE/postgres");
        align_with(&mut live, &wanted);
        assert_eq!(live.objects[2].definition, wanted.objects[2].definition, "the first role may do it anyhow");
        // Memberships are renamed by their grantor.
        live.objects.push(object("ROLE MEMBERSHIP", None, "a in b by postgres", "WITH ADMIN", 0));
        live.objects.push(object("ROLE MEMBERSHIP", None, "a in b by supabase_admin", "SET", 0));
        align_with(&mut live, &wanted);
        let members: Vec<_> =
            live.of_kind(ObjectKind::RoleMembership).map(|o| (&o.identity[..], &o.definition[..])).collect();
        assert_eq!(members, [("a in b by supabase_admin", "WITH ADMIN SET")]);
        // A name that only shares a prefix or suffix stays as it is.
        assert_eq!(renamed("admin2=EXECUTE/xadmin", "admin", "y"), "admin2=EXECUTE/xadmin");
    }
}
