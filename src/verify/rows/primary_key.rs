//! Finds the primary key of a table in the constraint definitions of the inventory.
//!
//! Invariant: pure. A definition that cannot be parsed gives no key, never a wrong one.

use crate::model::inventory::CatalogObject;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;

/// The columns of the primary key of `table`, in the order of the key.
pub fn primary_key(objects: &[CatalogObject], table: &QualifiedName) -> Option<Vec<String>> {
    let constraint = objects.iter().find(|object| {
        object.kind == ObjectKind::Constraint
            && object.schema.as_deref() == Some(&table.schema)
            && object.definition.starts_with("PRIMARY KEY (")
            && table_of(&object.identity).as_ref() == Some(table)
    })?;
    let list = constraint.definition.strip_prefix("PRIMARY KEY (")?;
    let mut columns = Vec::new();
    let mut rest = list;
    loop {
        let (column, after) = identifier(rest)?;
        columns.push(column);
        match after.strip_prefix(", ") {
            Some(next) => rest = next,
            None => return after.starts_with(')').then_some(columns),
        }
    }
}

/// The table of `constraint on schema.table`.
fn table_of(identity: &str) -> Option<QualifiedName> {
    let (_, rest) = identifier(identity)?;
    let (schema, rest) = identifier(rest.strip_prefix(" on ")?)?;
    let (name, rest) = identifier(rest.strip_prefix('.')?)?;
    rest.is_empty().then(|| QualifiedName::new(schema, name))
}

/// One identifier as `quote_ident` writes it, and the rest of the text.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_string(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let at = rest.find('"')?;
        name.push_str(&rest[..at]);
        match rest[at + 1..].strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, &rest[at + 1..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(identity: &str, definition: &str, table: &QualifiedName) -> Option<Vec<String>> {
        let object = CatalogObject {
            kind: "CONSTRAINT".into(),
            schema: Some(table.schema.clone()),
            identity: identity.into(),
            definition: definition.into(),
            owner: None,
            extension: None,
            address: None,
        };
        primary_key(&[object], table)
    }

    #[test]
    fn keys_as_the_server_writes_them() {
        let table = QualifiedName::new("s", "T on x");
        let found = key("\"a on b\" on s.\"T on x\"", "PRIMARY KEY (id, \"B, )\") INCLUDE (c)", &table);
        assert_eq!(found, Some(vec!["id".into(), "B, )".into()]));
        assert_eq!(key("t_pkey on s.other", "PRIMARY KEY (id)", &table), None);
        assert_eq!(key("t_pkey on s.\"T on x\"", "UNIQUE (id)", &table), None);
        assert_eq!(key("t_pkey on s.\"T on x\"", "PRIMARY KEY (id", &table), None);
    }

    proptest! {
        #[test]
        fn any_name_comes_through(names in proptest::collection::vec("[a-z\",. ()é]{1,8}", 4)) {
            let ident = crate::model::name::ident;
            let table = QualifiedName::new(&names[0], &names[1]);
            let identity = format!("{} on {}", ident(&names[2]), table.sql());
            let found = key(&identity, &format!("PRIMARY KEY (a, {})", ident(&names[3])), &table);
            prop_assert_eq!(found, Some(vec!["a".to_string(), names[3].clone()]));
        }
    }
}
