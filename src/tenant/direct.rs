//! Tables with a tenant column of their own: found by foreign keys first, then by name and type.
//!
//! Invariant: of several columns one is chosen only by its name or by the configuration; else the table is ambiguous. A
//! column that no key verifies says so, and what it holds is compared with the tenants that there are.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Via};
use super::names::{own_columns, rank};
use crate::model::name::QualifiedName;
use crate::model::tenancy::{Class, OwnColumn, ReferenceKind};

/// By foreign keys to the root, and by those of several columns to tables that have a tenant column: its place in the key
/// says which column of the child it is.
pub(super) fn by_keys(draft: &mut Draft<'_>) {
    loop {
        let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for reference in draft.references.iter().filter(|r| r.kind == ReferenceKind::ForeignKey && r.child != r.parent)
        {
            let n = draft.index[&reference.child];
            if draft.entries[n].class.is_some() {
                continue;
            }
            let Some(parents) = tenant_column(draft, &reference.parent) else { continue };
            let place = reference.columns.iter().position(|c| c.parent == parents);
            let Some(column) = place.map(|place| reference.columns[place].child.clone()) else { continue };
            // Equal values have to be equal texts: owners are compared as such.
            if draft.relations.same_texts((&reference.child, &column), (&reference.parent, &parents)) {
                found.entry(n).or_default().insert(column);
            }
        }
        found.retain(|n, columns| match &draft.entries[*n].via {
            Some(Via::Parent(_)) => false,
            Some(Via::Column(wanted)) => columns.contains(wanted),
            None => true,
        });
        if found.is_empty() {
            return;
        }
        for (n, columns) in found {
            decide(draft, n, columns.into_iter().collect());
        }
    }
}

/// The column of a table that names its tenant: the key of the root, or its own column.
fn tenant_column(draft: &Draft<'_>, table: &QualifiedName) -> Option<String> {
    let entry = &draft.entries[*draft.index.get(table)?];
    match entry.class? {
        Class::Root => draft.root.key.clone(),
        Class::Direct => entry.column.as_ref().filter(|c| c.verified).map(|c| c.name.clone()),
        _ => None,
    }
}

fn decide(draft: &mut Draft<'_>, n: usize, columns: Vec<String>) {
    let own = draft.root.table.as_ref().map(own_columns).unwrap_or_default();
    let chosen = match (&draft.entries[n].via, columns.as_slice()) {
        (Some(Via::Column(column)), _) if columns.contains(column) => Some(column.clone()),
        (_, [only]) => Some(only.clone()),
        _ => {
            let named = columns.iter().filter_map(|c| Some((rank(c, &draft.settings.columns, &own)?, c.clone())));
            named.min().map(|(_, column)| column)
        }
    };
    let Some(column) = chosen else {
        let names = columns.join(" and ");
        let table = draft.relations.tables[n].name.plain();
        let why = format!("{names} name tenants and none is better: add owner_via: \"{table}\" = \"{}\"", columns[0]);
        draft.set(n, Class::Ambiguous, why);
        return;
    };
    let others: Vec<&str> = columns.iter().filter(|c| **c != column).map(String::as_str).collect();
    let mut why = format!("a foreign key says that {column} names its tenant");
    if !others.is_empty() {
        why.push_str(&format!("; {} too, but is not the tenant's name", others.join(" and ")));
    }
    own_column(draft, n, &column, true, why);
}

fn own_column(draft: &mut Draft<'_>, n: usize, column: &str, verified: bool, why: String) {
    let not_null = draft.relations.tables[n].column(column).is_some_and(|c| c.not_null);
    draft.entries[n].column = Some(OwnColumn { name: column.to_string(), verified, not_null });
    draft.set(n, Class::Direct, why);
}

/// `owner_via` may name a column that no key verifies.
fn by_choice(draft: &mut Draft<'_>) {
    for n in 0..draft.entries.len() {
        if draft.entries[n].class.is_none()
            && let Some(Via::Column(column)) = draft.entries[n].via.clone()
        {
            own_column(draft, n, &column, false, format!("the configuration says that {column} names its tenant"));
        }
    }
}

/// By the name and the type of a column that has no foreign key.
pub(super) fn by_names(draft: &mut Draft<'_>) {
    by_choice(draft);
    let own = draft.root.table.as_ref().map(own_columns).unwrap_or_default();
    // What is called like a tenant column that a key verifies, like the root, or as the configuration says.
    let mut names: BTreeSet<String> = own.iter().chain(&draft.settings.columns).cloned().collect();
    let verified =
        draft.entries.iter().filter_map(|e| e.column.as_ref()).filter(|c| c.verified).map(|c| c.name.clone());
    names.extend(verified.filter(|name| rank(name, &draft.settings.columns, &own).is_some()));
    for n in 0..draft.entries.len() {
        if draft.entries[n].class.is_some() || draft.is_platform(n) || draft.entries[n].via.is_some() {
            continue;
        }
        let table = &draft.relations.tables[n];
        // A key to another table says what the column means. Where no table lists the tenants, keys say nothing about them.
        let linked = |column: &str| {
            draft.root.table.is_some()
                && draft
                    .relations
                    .foreign_keys
                    .iter()
                    .any(|fk| fk.child == table.name && fk.columns == [column.to_string()])
        };
        let fits = |column: &str| match (&draft.root.table, &draft.root.key) {
            (Some(root), Some(key)) => draft.relations.same_texts((&table.name, column), (root, key)),
            _ => table.column(column).is_some_and(|c| c.text_family.is_some()),
        };
        let found =
            table.columns.iter().map(|c| c.name.as_str()).filter(|c| names.contains(*c) && !linked(c) && fits(c));
        let best = found.min_by_key(|c| rank(c, &draft.settings.columns, &own)).map(str::to_string);
        if let Some(column) = best {
            let why = format!("{column} is called like a tenant's column; no foreign key verifies it");
            own_column(draft, n, &column, false, why);
        }
    }
}
