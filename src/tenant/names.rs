//! Names that tenants, their columns and their people usually have, in the languages that were seen.
//!
//! Invariant: names alone decide nothing that a key contradicts. Pure.

use crate::model::name::QualifiedName;
use crate::model::relations::{Relation, Relations};

/// Columns that name a tenant, the likeliest first.
pub const TENANT_COLUMNS: [&str; 11] = [
    "tenant_id",
    "organization_id",
    "organisation_id",
    "org_id",
    "account_id",
    "company_id",
    "empresa_id",
    "etablissement_id",
    "workspace_id",
    "team_id",
    "user_id",
];

/// Tables of people who log in.
const PEOPLE: [&str; 8] = ["users", "user", "app_users", "people", "persons", "usuarios", "utilisateurs", "profiles"];

/// Columns that name a tenant to a person.
const LABELS: [&str; 13] = [
    "name",
    "label",
    "title",
    "display_name",
    "full_name",
    "nome",
    "nome_fantasia",
    "razao_social",
    "nom",
    "raison_sociale",
    "slug",
    "email",
    "username",
];

/// Where in the list of names a column stands: those of the configuration come first.
pub fn rank(column: &str, configured: &[String], own: &[String]) -> Option<usize> {
    let places = configured.iter().map(String::as_str).chain(TENANT_COLUMNS).chain(own.iter().map(String::as_str));
    places.enumerate().find(|(_, name)| *name == column).map(|(place, _)| place)
}

/// What a column is called that names a row of this table: `company_id` for `companies`.
pub fn own_columns(table: &QualifiedName) -> Vec<String> {
    let mut stems: Vec<String> = singulars(&table.name);
    // One word in several spellings.
    if stems.iter().any(|stem| ["org", "organization", "organisation"].contains(&stem.as_str())) {
        stems = ["org", "organization", "organisation"].map(str::to_string).to_vec();
    }
    stems.iter().map(|stem| format!("{stem}_id")).collect()
}

/// What one thing of a table with this name may be called.
pub fn singulars(table: &str) -> Vec<String> {
    let lower = table.to_lowercase();
    let mut found = vec![lower.clone()];
    let endings = [("ies", "y"), ("ses", "s"), ("xes", "x"), ("ches", "ch"), ("oes", "ao"), ("s", "")];
    for (ending, one) in endings {
        if let Some(stem) = lower.strip_suffix(ending).filter(|stem| stem.len() > 1) {
            found.push(format!("{stem}{one}"));
        }
    }
    found
}

/// The column that a person knows a tenant by.
pub fn label(table: &Relation) -> Option<String> {
    let text = |kind: &str| kind.contains("text") || kind.contains("char");
    LABELS.iter().find(|name| table.column(name).is_some_and(|c| text(&c.type_name))).map(|name| (*name).to_string())
}

/// Tables of people: `auth.users`, those that are called so and know an address, and those whose key is a person's.
pub fn people(relations: &Relations) -> Vec<QualifiedName> {
    let called = |table: &&Relation| {
        let address = table
            .columns
            .iter()
            .any(|c| ["email", "password", "encrypted_password", "password_hash"].contains(&c.name.as_str()));
        (table.name.schema == "auth" && table.name.name == "users")
            || (PEOPLE.contains(&table.name.name.as_str()) && address)
    };
    let mut found: Vec<QualifiedName> = relations.tables.iter().filter(called).map(|t| t.name.clone()).collect();
    loop {
        let more: Vec<QualifiedName> = relations
            .foreign_keys
            .iter()
            .filter(|key| found.contains(&key.parent) && !found.contains(&key.child) && key.child.schema != "auth")
            .filter(|key| {
                relations.table(&key.child).and_then(Relation::primary_key).is_some_and(|pk| pk.columns == key.columns)
            })
            .map(|key| key.child.clone())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
        found.dedup();
    }
}

/// Does the name speak of members?
pub fn names_members(name: &str) -> bool {
    let name = name.to_lowercase().replace("remember", "");
    ["member", "membro", "membre", "colaborador"].iter().any(|word| name.contains(word))
}

/// Is this what a table of memberships may be called? `account_users` does, and so does `user_roles`.
pub fn sounds_like_membership(name: &str) -> bool {
    const USERS: [&str; 6] = ["user", "users", "usuario", "usuarios", "utilisateur", "utilisateurs"];
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower.split('_').collect();
    names_members(name) || (words.len() > 1 && words.iter().any(|word| USERS.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_called_after_their_table() {
        let own = |name: &str| own_columns(&QualifiedName::new("public", name));
        assert!(own("companies").contains(&"company_id".to_string()));
        assert!(own("clinics").contains(&"clinic_id".to_string()));
        assert_eq!(own("organisations"), ["org_id", "organization_id", "organisation_id"]);
    }

    #[test]
    fn the_configuration_comes_before_the_list() {
        assert_eq!(rank("who", &["who".to_string()], &[]), Some(0));
        assert!(rank("tenant_id", &[], &[]) < rank("user_id", &[], &[]));
        assert_eq!(rank("clinic_id", &[], &["clinic_id".to_string()]), Some(11));
        assert_eq!(rank("from_org", &[], &[]), None);
    }
}
