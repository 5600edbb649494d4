//! Finds the tables that hold the application's roles and permissions, by name and columns.
//!
//! Invariant: pure. A matching name is not enough; the table also needs a role or permission column, a foreign key to
//! `auth.users`, or a link to such a table. So a table of cooking `roles` or of plain `departments` does not count.

use super::tables::TableMeta;
use crate::model::name::QualifiedName;
use crate::model::pattern;

/// The purpose of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleTable {
    /// Assigns roles or permissions to users: its rows are the count `user_roles`.
    Assignment,
    /// Roles, permissions, the matrix of both, departments, or the audit of grants.
    Supporting,
}

/// Schemas of the platform: their tables belong to a service, not to the application.
const MANAGED: [&str; 22] = [
    "auth",
    "storage",
    "realtime",
    "_realtime",
    "graphql",
    "graphql_public",
    "net",
    "supabase_functions",
    "supabase_migrations",
    "vault",
    "cron",
    "extensions",
    "pgbouncer",
    "pgmq",
    "pgsodium",
    "pgsodium_masks",
    "_analytics",
    "_supavisor",
    "etl",
    "pgtle",
    "topology",
    "tiger",
];

/// Can this be a role table of the application, by its name? A cheap check of every table before columns are read.
pub fn may_be_role_table(name: &QualifiedName) -> bool {
    !MANAGED.contains(&name.schema.as_str()) && by_name(&name.name).is_some()
}

/// Classifies a table by its name.
fn by_name(name: &str) -> Option<RoleTable> {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let has = |list: &[&str]| words.iter().any(|w| list.contains(w));
    let role = has(&["role", "roles"]);
    let permission = has(&["permission", "permissions"]);
    let person = has(&[
        "user",
        "users",
        "member",
        "members",
        "profile",
        "profiles",
        "account",
        "accounts",
        "employee",
        "employees",
    ]);
    let audit = has(&["audit", "audits", "log", "logs", "history", "grant", "grants"]);
    let department = has(&["department", "departments"]);
    if (role || permission) && audit {
        return Some(RoleTable::Supporting);
    }
    if ((role || permission || department) && person) || (role && has(&["assignment", "assignments"])) {
        return Some(RoleTable::Assignment);
    }
    if (role && permission) || department || (words.len() <= 2 && (role || permission)) {
        return Some(RoleTable::Supporting);
    }
    None
}

/// Selects the role tables among candidates with matching names and known columns, in their order.
pub fn pick(candidates: &[TableMeta], auth_users: Option<u32>) -> Vec<(u32, RoleTable)> {
    let kinds: Vec<Option<RoleTable>> = candidates.iter().map(|t| by_name(&t.root.name)).collect();
    let mut chosen: Vec<bool> = candidates.iter().map(|t| grants_by_itself(t, auth_users)).collect();
    // A table that references a chosen one, or is referenced by it, is chosen too.
    loop {
        let linked = |i: usize| {
            let table = &candidates[i];
            candidates.iter().zip(&chosen).any(|(other, chosen)| {
                *chosen && other.oid != table.oid && (table.is_parent_of(other) || other.is_parent_of(table))
            })
        };
        match (0..candidates.len()).find(|i| !chosen[*i] && linked(*i)) {
            Some(i) => chosen[i] = true,
            None => break,
        }
    }
    let picked = |((table, kind), chosen): ((&TableMeta, Option<RoleTable>), bool)| {
        kind.filter(|_| chosen).map(|kind| (table.oid, kind))
    };
    candidates.iter().zip(kinds).zip(chosen).filter_map(picked).collect()
}

/// Do the table's own columns show that it grants something?
fn grants_by_itself(table: &TableMeta, auth_users: Option<u32>) -> bool {
    let has = |words: &[&str]| table.columns.iter().any(|c| words.iter().any(|w| c.name.to_lowercase().contains(w)));
    let to_users = auth_users.is_some_and(|users| table.parents.contains(&users));
    let person = to_users || has(&["user", "member", "profile", "account", "employee", "grantee"]);
    let grants = has(&["role", "permission", "privilege", "scope"]);
    match by_name(&table.root.name) {
        Some(RoleTable::Assignment) => person && (grants || to_users),
        Some(RoleTable::Supporting) => {
            let name = table.root.name.to_lowercase();
            let catalog = name.contains("role") || name.contains("permission");
            grants || (catalog && has(&["name", "slug", "code", "key", "level"]) && (to_users || is_plain_list(&name)))
        }
        None => false,
    }
}

/// `roles` and `permissions`: only the list itself.
fn is_plain_list(name: &str) -> bool {
    matches!(name, "role" | "roles" | "permission" | "permissions" | "app_roles" | "app_permissions")
}

/// Does the configuration name this table? `schema.table`, or a pattern with `*` and `?`; without a dot in `public`.
pub fn named(patterns: &[String], name: &QualifiedName) -> bool {
    let plain = name.plain();
    patterns.iter().any(|p| {
        if p.contains('.') { pattern::matches(p, &plain) } else { pattern::matches(&format!("public.{p}"), &plain) }
    })
}

/// The purpose of a configured table: by its name, else an assignment.
pub fn kind_of(name: &QualifiedName) -> RoleTable {
    by_name(&name.name).unwrap_or(RoleTable::Assignment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tables::ColumnMeta;

    fn table(oid: u32, name: &str, columns: &[&str], parents: &[u32]) -> TableMeta {
        let column = |name: &&str| ColumnMeta {
            name: (*name).into(),
            type_name: "text".into(),
            not_null: false,
            identity_always: false,
            generated: false,
        };
        let name = QualifiedName::new("public", name);
        let columns = columns.iter().map(column).collect();
        TableMeta { oid, root: name.clone(), root_oid: oid, name, columns, key: None, parents: parents.to_vec() }
    }

    fn picked(tables: &[TableMeta]) -> Vec<(u32, RoleTable)> {
        let candidates: Vec<TableMeta> = tables.iter().filter(|t| may_be_role_table(&t.root)).cloned().collect();
        pick(&candidates, Some(99))
    }

    #[test]
    fn the_whole_family_is_found() {
        let tables = [
            table(1, "user_roles", &["user_id", "role", "department_id", "expires_at"], &[99, 2]),
            table(2, "departments", &["id", "name"], &[]),
            table(3, "role_permissions", &["role", "permission", "allowed"], &[]),
            table(4, "role_grants_audit", &["id", "user_id", "old_role", "new_role"], &[]),
            table(5, "permissions", &["id", "name"], &[]),
            table(6, "roles", &["id", "slug"], &[]),
            table(7, "user_permissions", &["user_id", "permission_id"], &[5]),
        ];
        let found = picked(&tables);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
        let assignments: Vec<u32> = found.iter().filter(|f| f.1 == RoleTable::Assignment).map(|f| f.0).collect();
        assert_eq!(assignments, [1, 7]);
    }

    #[test]
    fn a_name_without_the_shape_is_not_enough() {
        let tables = [
            table(1, "departments", &["id", "name"], &[]),
            table(2, "movie_role_casting", &["movie_id", "character"], &[]),
            table(3, "user_sessions", &["user_id"], &[99]),
            table(4, "crontroller", &["role"], &[]),
        ];
        assert_eq!(picked(&tables), []);
        let mut auth = table(5, "user_roles", &["user_id", "role"], &[99]);
        auth.root.schema = "auth".into();
        assert_eq!(picked(&[auth]), []);
    }

    #[test]
    fn the_configuration_names_tables_and_patterns() {
        let patterns = vec!["app.acl_*".to_string(), "members".to_string()];
        assert!(named(&patterns, &QualifiedName::new("app", "acl_entries")));
        assert!(named(&patterns, &QualifiedName::new("public", "members")));
        assert!(!named(&patterns, &QualifiedName::new("other", "members")));
    }
}
