//! Parses names inside entries and identities: the table, view or column that a text refers to.
//!
//! Invariant: names are parsed as SQL identifiers and compared whole. No name is searched for inside a text.

use crate::model::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;
use crate::pgtools::toc::{Entry, dotted_name};

/// What a comment is on, if that has no entry of its own: a column, a constraint, a constraint's index.
pub(crate) type Key = (&'static str, Vec<String>);

/// Schema and name.
pub(crate) type Relation = (String, String);

/// The names of an identity that consists of names only. Example: `s."a b"`.
pub(crate) fn names_of(identity: &str) -> Option<Vec<String>> {
    dotted_name(identity).filter(|(_, rest)| rest.is_empty()).map(|(names, _)| names)
}

/// The tag of a user mapping's entry. Example: `"a b" on server srv` becomes `USER MAPPING a b SERVER srv`.
pub(crate) fn mapping_tag(identity: &str) -> Option<String> {
    let (user, rest) = dotted_name(identity)?;
    let server = names_of(rest.strip_prefix(" on server ")?)?;
    match (user.as_slice(), server.as_slice()) {
        ([user], [server]) => Some(format!("USER MAPPING {user} SERVER {server}")),
        _ => None,
    }
}

/// The table or view whose column default an entry sets.
pub(crate) fn table_of_default(entry: &Entry) -> Option<Relation> {
    after_table(&entry.drop_statement).filter(|(_, rest)| rest.starts_with(" ALTER COLUMN ")).map(|(table, _)| table)
}

/// The table of a constraint, and the text after `DROP CONSTRAINT`.
pub(crate) fn table_of_constraint(entry: &Entry) -> Option<(Relation, &str)> {
    let (table, rest) = after_table(&entry.drop_statement)?;
    Some((table, rest.strip_prefix(" DROP CONSTRAINT ")?))
}

/// Parses `ALTER [FOREIGN] TABLE [ONLY] <name>` and returns the rest too.
fn after_table(text: &str) -> Option<(Relation, &str)> {
    let rest = text.strip_prefix("ALTER ")?;
    let rest = rest.strip_prefix("FOREIGN ").unwrap_or(rest).strip_prefix("TABLE ")?;
    relation(rest.strip_prefix("ONLY ").unwrap_or(rest))
}

/// The view that a rule entry completes: to break a dependency cycle, pg_dump creates a dummy view and replaces its
/// query later. `Some(None)`: the name cannot be parsed. `None`: an ordinary rule.
pub(crate) fn view_of_rule(entry: &Entry) -> Option<Option<Relation>> {
    let rest = entry.definition.strip_prefix("CREATE OR REPLACE VIEW ")?;
    Some(relation(rest).map(|(view, _)| view))
}

fn relation(text: &str) -> Option<(Relation, &str)> {
    let (names, rest) = dotted_name(text)?;
    let [schema, name] = <[String; 2]>::try_from(names).ok()?;
    Some(((schema, name), rest))
}

/// The key of a comment's entry. `None`: the comment is on the object that the entry depends on.
pub(crate) fn key_of_comment(entry: &Entry) -> Option<Key> {
    let text = entry.definition.strip_prefix("COMMENT ON ").filter(|_| entry.desc == ObjectKind::Comment)?;
    if let Some(rest) = text.strip_prefix("COLUMN ") {
        return Some(("COLUMN", dotted_name(rest)?.0));
    }
    if let Some(rest) = text.strip_prefix("INDEX ") {
        return Some(("INDEX", dotted_name(rest)?.0));
    }
    key_of_constraint(text.strip_prefix("CONSTRAINT ")?)
}

/// The key of a comment in the inventory. Example: `table column s.t.c`.
pub(crate) fn key_of_object(object: &CatalogObject) -> Option<Key> {
    let text = object.identity.as_str();
    let columns = ["table", "view", "materialized view", "foreign table", "composite type"];
    let column = columns.iter().find_map(|kind| text.strip_prefix(kind)?.strip_prefix(" column "));
    if let Some(rest) = column {
        return Some(("COLUMN", names_of(rest)?));
    }
    if let Some(rest) = text.strip_prefix("index ") {
        return Some(("INDEX", names_of(rest)?));
    }
    key_of_constraint(text.strip_prefix("table constraint ").or_else(|| text.strip_prefix("domain constraint "))?)
}

/// `<constraint> ON [DOMAIN] <table>`, with ON in either case.
fn key_of_constraint(text: &str) -> Option<Key> {
    let (mut names, rest) = dotted_name(text)?;
    let rest = rest.strip_prefix(" ON ").or_else(|| rest.strip_prefix(" on "))?;
    let (table, _) = dotted_name(rest.strip_prefix("DOMAIN ").unwrap_or(rest))?;
    names.extend(table);
    Some(("CONSTRAINT", names))
}
