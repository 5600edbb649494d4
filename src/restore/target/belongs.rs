//! What belongs to a table: its keys, indexes, policies, triggers, sequences, comments and grants.
//!
//! Invariant: compares whole identities of the inventory, never a part of a name. Pure.

use crate::model::identity::{on, qualified};
use crate::model::inventory::CatalogObject;
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;

/// Compares schema and name: the quoting of an identity is not known from the table's name alone.
fn is(identity: &str, table: &QualifiedName) -> bool {
    qualified(identity).is_some_and(|(schema, name)| schema == table.schema && name == table.name)
}

/// Does `text` start with the table's identity and a dot (one of its columns)?
fn is_column(text: &str, table: &QualifiedName) -> bool {
    text.char_indices().filter(|(_, c)| *c == '.').any(|(at, _)| is(&text[..at], table))
}

/// Is this object the table, or a part of it?
pub fn belongs(object: &CatalogObject, table: &QualifiedName) -> bool {
    let identity = object.identity.as_str();
    let after = |word: &str| identity.strip_prefix(word);
    match object.kind {
        ObjectKind::Table | ObjectKind::RowSecurity | ObjectKind::TableAttach => is(identity, table),
        ObjectKind::Constraint
        | ObjectKind::CheckConstraint
        | ObjectKind::FkConstraint
        | ObjectKind::NotNullConstraint
        | ObjectKind::Trigger
        | ObjectKind::Policy
        | ObjectKind::Rule => on(identity).is_some_and(|(_, t)| is(t, table)),
        ObjectKind::Index => index_table(&object.definition).is_some_and(|t| is(t, table)),
        ObjectKind::Sequence => owned_by(&object.definition).is_some_and(|column| is_column(column, table)),
        ObjectKind::Acl => {
            after("TABLE ").is_some_and(|t| is(t, table)) || after("COLUMN ").is_some_and(|c| is_column(c, table))
        }
        ObjectKind::Comment => {
            after("table ").is_some_and(|t| is(t, table))
                || after("table column ").is_some_and(|c| is_column(c, table))
                || ["table constraint ", "trigger ", "policy ", "rule "]
                    .iter()
                    .any(|word| after(word).and_then(on).is_some_and(|(_, t)| is(t, table)))
        }
        _ => false,
    }
}

/// `CREATE INDEX i ON [ONLY] s.t USING …`
pub fn index_table(definition: &str) -> Option<&str> {
    let rest = &definition[definition.find(" ON ")? + 4..];
    let rest = rest.strip_prefix("ONLY ").unwrap_or(rest);
    Some(&rest[..rest.find(" USING ")?])
}

/// `… OWNED BY s.t.c`, `… IDENTITY OF s.t.c`
fn owned_by(definition: &str) -> Option<&str> {
    [" OWNED BY ", " IDENTITY OF "]
        .iter()
        .find_map(|word| definition.find(word).map(|at| &definition[at + word.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn parts_are_told_by_whole_names() {
        let table = QualifiedName::new("public", "a.b");
        let yes = [
            object("TABLE", "public.\"a.b\"", ""),
            object("POLICY", "p on public.\"a.b\"", ""),
            object("INDEX", "public.i", "CREATE INDEX i ON ONLY public.\"a.b\" USING btree (x)"),
            object("SEQUENCE", "public.s", "AS integer START 1 OWNED BY public.\"a.b\".id"),
            object("ACL", "COLUMN public.\"a.b\".\"c d\"", ""),
            object("COMMENT", "table column public.\"a.b\".c", ""),
            object("COMMENT", "policy p on public.\"a.b\"", ""),
        ];
        assert!(yes.iter().all(|o| belongs(o, &table)), "{yes:?}");
        let no = [
            object("TABLE", "public.a", ""),
            object("POLICY", "\"p on public.\"\"a.b\" on public.x", ""),
            object("INDEX", "public.i", "CREATE INDEX i ON public.\"a.bc\" USING btree (x)"),
            object("VIEW", "public.\"a.b\"", ""),
        ];
        assert!(!no.iter().any(|o| belongs(o, &table)), "{no:?}");
    }
}
