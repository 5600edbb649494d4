//! Pairs of columns `X_type` and `X_id` without a foreign key: a reference whose table stands in the row.
//!
//! Invariant: it only suggests lines for the configuration. What the values mean is a person's decision.

use crate::model::name::QualifiedName;
use crate::model::relations::{Relation, Relations};

use super::names::singulars;

/// One such pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub table: QualifiedName,
    pub type_column: String,
    pub id_column: String,
}

/// The pairs of a table.
pub fn pairs(relations: &Relations, table: &Relation) -> Vec<Pair> {
    let linked = |column: &str| {
        relations.foreign_keys.iter().any(|fk| fk.child == table.name && fk.columns.iter().any(|c| c == column))
    };
    let of = |column: &crate::model::relations::RelationColumn| {
        let stem = column.name.strip_suffix("_type").filter(|_| column.text_family.is_some())?;
        let id = table.column(&format!("{stem}_id")).filter(|id| id.text_family.is_some() && !linked(&id.name))?;
        (!linked(&column.name)).then(|| Pair {
            table: table.name.clone(),
            type_column: column.name.clone(),
            id_column: id.name.clone(),
        })
    };
    table.columns.iter().filter_map(of).collect()
}

/// The table that a value of `X_type` means: by its name in singular or plural, or the name of a class.
pub fn table_of<'r>(relations: &'r Relations, near: &QualifiedName, value: &str) -> Option<&'r Relation> {
    let word = snake(value.rsplit([':', '\\', '.']).next().unwrap_or(value));
    let fits = |table: &&Relation| table.name.name == word || singulars(&table.name.name).contains(&word);
    let mut found: Vec<&Relation> = relations.tables.iter().filter(fits).collect();
    found.sort_by_key(|table| table.name.schema != near.schema);
    match found.as_slice() {
        [only] => Some(only),
        [first, second, ..] if first.name.schema == near.schema && second.name.schema != near.schema => Some(first),
        _ => None,
    }
}

/// `RentalLine` as `rental_line`.
fn snake(word: &str) -> String {
    let mut out = String::new();
    for (n, c) in word.chars().enumerate() {
        if c.is_uppercase() && n > 0 && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The entry of `references` that this pair and this value would be.
pub fn entry(pair: &Pair, value: &str, parent: &Relation) -> Option<String> {
    let [key] = parent.primary_key()?.columns.as_slice() else { return None };
    let quote = |text: &str| text.replace('\'', "''");
    let name = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    Some(format!(
        "table {}, when {} = '{}', parent {}, on p.{}::text = t.{}::text",
        pair.table.plain(),
        name(&pair.type_column),
        quote(value),
        parent.name.plain(),
        name(key),
        name(&pair.id_column)
    ))
}
