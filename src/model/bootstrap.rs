//! The role that a cluster was made with owns what the server itself brings; on another server it has another name.
//!
//! Invariant: only rights on the server's own objects, and memberships that it granted, are read under that name, never
//! rights on anybody else's objects. Pure.

use crate::model::object_kind::ObjectKind;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::inventory::{CatalogObject, Inventory};
use super::membership::Membership;

/// The number of that role on every server.
pub const BOOTSTRAP_OID: u32 = 10;
const AUTH_ID: u32 = 1260;

/// Its name, quoted where it has to be. None in inventories that keep no addresses.
fn name(inventory: &Inventory) -> Option<&str> {
    let is_it = |o: &&CatalogObject| o.address.is_some_and(|a| a.class == AUTH_ID && a.oid == BOOTSTRAP_OID);
    inventory.of_kind(ObjectKind::Role).find(is_it).map(|o| o.identity.as_str())
}

/// Rights on the server's own objects in `live`, as they read when its first role has the name that it has in `wanted`.
pub fn read_alike(live: &mut Inventory, wanted: &Inventory) {
    let (Some(here), Some(there)) = (name(live).map(str::to_string), name(wanted)) else { return };
    if here == there {
        return;
    }
    let own = format!("{here}=");
    for object in live.objects.iter_mut().filter(|o| o.kind == ObjectKind::Acl && is_the_servers(o)) {
        let mut lines: Vec<String> = object.definition.lines().map(|line| renamed(line, &here, there)).collect();
        // What was given there to a role of that name, the first role here has anyhow.
        let same = wanted.of_kind(ObjectKind::Acl).find(|o| o.identity == object.identity);
        let given = same.into_iter().flat_map(|o| o.definition.lines()).filter(|line| line.starts_with(&own));
        lines.extend(given.map(str::to_string));
        lines.sort();
        lines.dedup();
        object.definition = lines.join("\n");
    }
    live.objects.extend(implied(live, wanted, &own, there));
    granted_by_first(live, &here, there);
}

/// Memberships that it granted. One that a role of that name here granted too is one with it.
fn granted_by_first(live: &mut Inventory, here: &str, there: &str) {
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    let mut objects: Vec<CatalogObject> = Vec::with_capacity(live.objects.len());
    for mut object in std::mem::take(&mut live.objects) {
        if let Some(Membership { member, group, grantor: Some(grantor) }) = Membership::of(&object) {
            let grantor = if grantor == here { there } else { grantor };
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

/// As the inventory writes them: `WITH ADMIN INHERIT SET`.
fn all_options(one: &str, other: &str) -> String {
    let held = |option: &&str| one.contains(*option) || other.contains(*option);
    ["WITH ADMIN", "INHERIT", "SET"].into_iter().filter(held).collect::<Vec<_>>().join(" ")
}

/// An inventory names only rights that were changed. What was given to a role that is the first one here is no change.
fn implied(live: &Inventory, wanted: &Inventory, own: &str, there: &str) -> Vec<CatalogObject> {
    let owner = format!("{there}=");
    let is_there = |acl: &CatalogObject| live.of_kind(ObjectKind::Acl).any(|o| o.identity == acl.identity);
    let of_owner = |acl: &CatalogObject| {
        let mut lines = acl.definition.lines();
        lines.all(|line| line.starts_with(own) || line.starts_with(&owner))
    };
    let of_server = wanted.of_kind(ObjectKind::Acl).filter(|o| is_the_servers(o) && of_owner(o));
    of_server.filter(|o| !is_there(o)).cloned().collect()
}

/// `grantee=PRIVILEGES/grantor`
fn renamed(line: &str, here: &str, there: &str) -> String {
    let line = match line.strip_prefix(here) {
        Some(rest) if rest.starts_with('=') => format!("{there}{rest}"),
        _ => line.to_string(),
    };
    match line.strip_suffix(here) {
        Some(rest) if rest.ends_with('/') => format!("{rest}{there}"),
        _ => line,
    }
}

fn is_the_servers(acl: &CatalogObject) -> bool {
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
        let here = "admin=EXECUTE/admin\npostgres=EXECUTE/admin";
        let mut live = inventory("admin", here);
        read_alike(&mut live, &wanted);
        assert_eq!(live.objects[2].definition, wanted.objects[2].definition);
        assert_eq!(live.objects[3].definition, here);
        let mut live = inventory("postgres", "postgres=EXECUTE/postgres");
        read_alike(&mut live, &wanted);
        assert_eq!(live.objects[2].definition, wanted.objects[2].definition, "the first role may do it anyhow");
        // Who is in what by its grant.
        live.objects.push(object("ROLE MEMBERSHIP", None, "a in b by postgres", "WITH ADMIN", 0));
        live.objects.push(object("ROLE MEMBERSHIP", None, "a in b by supabase_admin", "SET", 0));
        read_alike(&mut live, &wanted);
        let members: Vec<_> =
            live.of_kind(ObjectKind::RoleMembership).map(|o| (&o.identity[..], &o.definition[..])).collect();
        assert_eq!(members, [("a in b by supabase_admin", "WITH ADMIN SET")]);
        // A name that only begins or ends like it is another one.
        assert_eq!(renamed("admin2=EXECUTE/xadmin", "admin", "y"), "admin2=EXECUTE/xadmin");
    }
}
