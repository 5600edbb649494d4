//! The SQL of one archive entry, ready to send: its definition and its owner.
//!
//! Invariant: the same statements as pg_restore sends, in its order. A definition is passed on unchanged, never parsed.
//! Pure; the sender must have sent [`session_statements`] before.
//! Source: PostgreSQL's `pg_backup_archiver.c`, `_doSetFixedOutputState`, `_printTocEntry`, `_getObjectDescription`.

use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;
use crate::pgtools::toc::{Entry, Toc};

/// Kinds whose owner is set by kind, schema and name.
const OWNED_BY_NAME: [ObjectKind; 20] = [
    ObjectKind::Collation,
    ObjectKind::Conversion,
    ObjectKind::Database,
    ObjectKind::Domain,
    ObjectKind::EventTrigger,
    ObjectKind::ForeignDataWrapper,
    ObjectKind::ForeignTable,
    ObjectKind::MaterializedView,
    ObjectKind::ProceduralLanguage,
    ObjectKind::Publication,
    ObjectKind::Schema,
    ObjectKind::Sequence,
    ObjectKind::Server,
    ObjectKind::Statistics,
    ObjectKind::Subscription,
    ObjectKind::Table,
    ObjectKind::TextSearchConfiguration,
    ObjectKind::TextSearchDictionary,
    ObjectKind::Type,
    ObjectKind::View,
];
/// Kinds whose name includes argument types, which only the DROP statement contains.
const OWNED_BY_SIGNATURE: [ObjectKind; 6] = [
    ObjectKind::Aggregate,
    ObjectKind::Function,
    ObjectKind::Operator,
    ObjectKind::OperatorClass,
    ObjectKind::OperatorFamily,
    ObjectKind::Procedure,
];
/// The first server version that accepts an access method for a partitioned table.
const PARTITIONED_ACCESS_METHOD: u32 = 170_000;

/// What a session needs before the first entry. The client encoding stays UTF8, as the archive was read.
pub fn session_statements(toc: &Toc) -> Vec<String> {
    let fixed = [
        "SET check_function_bodies = false",
        "SET xmloption = content",
        "SET row_security = off",
        "SET default_tablespace = ''",
        "SET default_table_access_method = heap",
    ];
    let settings = toc.entries.iter().filter(|e| [ObjectKind::StdStrings, ObjectKind::SearchPath].contains(&e.desc));
    settings.filter_map(definition).chain(fixed.map(str::to_string)).collect()
}

/// The statements that create what the entry describes, without its owner. One string may hold several commands, so it
/// needs the simple protocol. Empty: nothing to do.
///
/// Example: a table with another access method gives `SET default_table_access_method = "x"`, `CREATE TABLE …;`, `SET
/// default_table_access_method = heap`.
pub fn statements(entry: &Entry, server_version_num: u32) -> Vec<String> {
    let Some(made) = made(entry) else { return Vec::new() };
    let mut before = Vec::new();
    let mut after = Vec::new();
    if let Some(tablespace) = entry.tablespace.as_deref().filter(|t| !t.is_empty()) {
        before.push(format!("SET default_tablespace = {}", ident(tablespace)));
        after.push("SET default_tablespace = ''".to_string());
    }
    let partitioned = entry.relation_kind == Some('p');
    match entry.access_method.as_deref() {
        Some(method) if partitioned && server_version_num >= PARTITIONED_ACCESS_METHOD => {
            after.push(format!("ALTER TABLE {} SET ACCESS METHOD {}", qualified(entry), ident(method)));
        }
        Some(method) if !partitioned && method != "heap" => {
            before.push(format!("SET default_table_access_method = {}", ident(method)));
            after.push("SET default_table_access_method = heap".to_string());
        }
        _ => {}
    }
    before.into_iter().chain(made).chain(after).collect()
}

/// `ALTER <kind> <name> OWNER TO <owner>`. `None`: the kind has no owner, or the archive does not name it.
pub fn owner_statement(entry: &Entry) -> Option<String> {
    if entry.owner.is_empty() || entry.drop_statement.is_empty() {
        return None;
    }
    let owner = ident(&entry.owner);
    let kind = entry.desc;
    if OWNED_BY_NAME.contains(&kind) {
        return Some(format!("ALTER {kind} {} OWNER TO {owner}", qualified(entry)));
    }
    if OWNED_BY_SIGNATURE.contains(&kind) {
        let object = entry.drop_statement.strip_prefix("DROP ")?.trim_end_matches(['\n', ';']);
        return Some(format!("ALTER {object} OWNER TO {owner}"));
    }
    let objects = large_objects(entry);
    let line = |oid: &u32| format!("ALTER LARGE OBJECT {oid} OWNER TO {owner}");
    (!objects.is_empty()).then(|| objects.iter().map(line).collect::<Vec<_>>().join(";\n"))
}

/// The large objects that an entry creates: one, or a group of up to 1,000 from client 17 on.
pub fn large_objects(entry: &Entry) -> Vec<u32> {
    match entry.desc {
        ObjectKind::Blob => vec![entry.oid],
        ObjectKind::BlobMetadata => entry.definition.lines().filter_map(|line| line.trim().parse().ok()).collect(),
        _ => Vec::new(),
    }
}

/// Privileges of a group of large objects: the entry has the statements of the first one, and all share them.
pub fn group_privileges(entry: &Entry, group: &Entry) -> Vec<String> {
    let objects = large_objects(group);
    let (Some(first), Some(text)) = (objects.first(), definition(entry)) else { return Vec::new() };
    let name = format!(" ON LARGE OBJECT {first} ");
    let of = |oid: &u32| {
        let own = format!(" ON LARGE OBJECT {oid} ");
        text.lines().map(|line| line.replacen(&name, &own, 1) + "\n").collect()
    };
    objects.iter().map(of).collect()
}

/// The statements of the entry itself.
fn made(entry: &Entry) -> Option<Vec<String>> {
    if entry.desc == ObjectKind::BlobMetadata {
        let make = |oid: u32| format!("SELECT pg_catalog.lo_create('{oid}')");
        return Some(large_objects(entry).into_iter().map(make).collect());
    }
    Some(vec![definition(entry)?])
}

/// The entry's definition without the final newline. `None`: empty, or only a comment (the schema `public`).
fn definition(entry: &Entry) -> Option<String> {
    let text = entry.definition.trim_end_matches('\n');
    let comment = entry.desc == ObjectKind::Schema && text.starts_with("--");
    (!text.trim().is_empty() && !comment).then(|| text.to_string())
}

fn qualified(entry: &Entry) -> String {
    let name = ident(&entry.tag);
    entry.schema.as_deref().map_or_else(|| name.clone(), |schema| format!("{}.{name}", ident(schema)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::entries::entries_tests::entry;

    #[test]
    fn an_owner_is_set_as_pg_restore_sets_it() {
        let owned = |desc: &str, tag: &str, drop: &str| {
            let mut found = entry(1, desc, tag);
            found.drop_statement = drop.into();
            found.owner = "the \"owner\"".into();
            owner_statement(&found)
        };
        let to = " OWNER TO \"the \"\"owner\"\"\"";
        assert_eq!(owned("TABLE", "a.b", "DROP TABLE s.x;\n"), Some(format!("ALTER TABLE \"s\".\"a.b\"{to}")));
        assert_eq!(
            owned("FUNCTION", "f(integer)", "DROP FUNCTION s.f(integer);\n"),
            Some(format!("ALTER FUNCTION s.f(integer){to}"))
        );
        assert_eq!(
            owned("OPERATOR", "!!", "DROP OPERATOR s.!! (NONE, integer);\n"),
            Some(format!("ALTER OPERATOR s.!! (NONE, integer){to}"))
        );
        assert_eq!(owned("INDEX", "i", "DROP INDEX s.i;\n"), None);
        assert_eq!(owned("TABLE ATTACH", "t", ""), None);
        // An old dump without an owner.
        assert_eq!(owner_statement(&entry(1, "TABLE", "t")), None);
    }

    #[test]
    fn access_methods_and_tablespaces_are_set_around_a_table() {
        let mut table = entry(1, "TABLE", "t");
        table.definition = "CREATE TABLE s.t ();\n".into();
        assert_eq!(statements(&table, 150_000), ["CREATE TABLE s.t ();"]);
        (table.tablespace, table.access_method) = (Some(String::new()), Some("heap".into()));
        assert_eq!(statements(&table, 150_000), ["CREATE TABLE s.t ();"]);
        (table.tablespace, table.access_method) = (Some("fast".into()), Some("other".into()));
        let expected = [
            "SET default_tablespace = \"fast\"",
            "SET default_table_access_method = \"other\"",
            "CREATE TABLE s.t ();",
            "SET default_tablespace = ''",
            "SET default_table_access_method = heap",
        ];
        assert_eq!(statements(&table, 150_000), expected);
        table.relation_kind = Some('p');
        table.tablespace = None;
        assert_eq!(statements(&table, 160_000), ["CREATE TABLE s.t ();"]);
        let expected = ["CREATE TABLE s.t ();", "ALTER TABLE \"s\".\"t\" SET ACCESS METHOD \"other\""];
        assert_eq!(statements(&table, 180_000), expected);
    }

    #[test]
    fn nothing_is_made_of_nothing_and_a_group_is_made_one_by_one() {
        assert!(statements(&entry(1, "TABLE", "t"), 150_000).is_empty());
        let mut public = entry(1, "SCHEMA", "public");
        public.definition = "-- *not* creating schema, since initdb creates it\n".into();
        assert!(statements(&public, 150_000).is_empty());
        let mut group = entry(2, "BLOB METADATA", "7..9");
        (group.definition, group.drop_statement, group.owner) = ("7\n9\n".into(), "-- dummy".into(), "me".into());
        let make = ["SELECT pg_catalog.lo_create('7')", "SELECT pg_catalog.lo_create('9')"];
        assert_eq!(statements(&group, 180_000), make);
        let owner = "ALTER LARGE OBJECT 7 OWNER TO \"me\";\nALTER LARGE OBJECT 9 OWNER TO \"me\"";
        assert_eq!(owner_statement(&group).unwrap(), owner);
        let mut grants = entry(3, "ACL", "LARGE OBJECTS 7..9");
        grants.definition = "REVOKE ALL ON LARGE OBJECT 7 FROM me;\nGRANT SELECT ON LARGE OBJECT 7 TO a;\n".into();
        let all = group_privileges(&grants, &group);
        assert_eq!(all[1], "REVOKE ALL ON LARGE OBJECT 9 FROM me;\nGRANT SELECT ON LARGE OBJECT 9 TO a;\n");
    }
}
