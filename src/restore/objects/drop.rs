//! Statements for each kind of object: drop it, set its owner, or alter it.
//!
//! Invariant: identities come from an inventory, quoted by the server that it was read from; texts become literals. An
//! unknown kind is an error. Pure: it builds statements and runs none.

use crate::model::identity::{on, qualified};
use crate::model::inventory::CatalogObject;
use crate::model::name::{ident, literal};
use crate::model::object_kind::ObjectKind;

/// The statement that drops a live object and its dependents. `None`: it is not dropped by itself (it disappears with
/// another object, or a file of the snapshot changes it).
pub fn drop_statement(object: &CatalogObject) -> Option<String> {
    let identity = &object.identity;
    if let Some(word) = object.kind.sql_word() {
        let cascade = if matches!(object.kind, ObjectKind::Role | ObjectKind::Publication) { "" } else { " CASCADE" };
        return Some(format!("DROP {word} IF EXISTS {identity}{cascade}"));
    }
    if object.kind == ObjectKind::Transform {
        return Some(format!("DROP TRANSFORM IF EXISTS {} CASCADE", transform(identity)));
    }
    let (name, rest) = on(identity)?;
    match object.kind {
        ObjectKind::Trigger if object.definition.ends_with("OF A PARTITIONED PARENT") => None,
        ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
            Some(format!("DROP {} IF EXISTS {name} ON {rest} CASCADE", object.kind))
        }
        ObjectKind::UserMapping => {
            rest.strip_prefix("server ").map(|server| format!("DROP USER MAPPING IF EXISTS FOR {name} SERVER {server}"))
        }
        ObjectKind::Constraint
        | ObjectKind::CheckConstraint
        | ObjectKind::FkConstraint
        | ObjectKind::NotNullConstraint => Some(drop_constraint(name, rest)),
        _ => None,
    }
}

/// `for type language l`, as statements need it. Servers before 16 write `on language`.
fn transform(identity: &str) -> String {
    identity.replace(" on language ", " language ")
}

fn drop_constraint(name: &str, rest: &str) -> String {
    format!("ALTER {} DROP CONSTRAINT IF EXISTS {name} CASCADE", altered(rest))
}

/// What to alter for a constraint: its table, or `domain s.d`.
pub fn altered(place: &str) -> String {
    match place.strip_prefix("domain ") {
        Some(domain) => format!("DOMAIN {domain}"),
        None => format!("TABLE {place}"),
    }
}

/// `ALTER … RENAME TO`, for a schema or relation that was renamed.
pub fn rename_statement(live: &CatalogObject, wanted: &CatalogObject) -> Option<String> {
    let word = match live.kind {
        ObjectKind::Schema => return Some(format!("ALTER SCHEMA {} RENAME TO {}", live.identity, wanted.identity)),
        ObjectKind::Table
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Sequence
        | ObjectKind::Index
        | ObjectKind::Type
        | ObjectKind::Domain => live.kind,
        _ => return None,
    };
    let ((schema, _), (wanted_schema, name)) = (qualified(&live.identity)?, qualified(&wanted.identity)?);
    (schema == wanted_schema).then(|| format!("ALTER {word} {} RENAME TO {}", live.identity, ident(&name)))
}

/// `ALTER … OWNER TO`, for kinds with an owner that can be changed.
pub fn owner_statement(object: &CatalogObject) -> Option<String> {
    let owner = ident(object.owner.as_deref()?);
    let word = object.kind.owned_word()?;
    Some(format!("ALTER {word} {} OWNER TO {owner}", object.identity))
}

/// `ALTER TABLE` for row security. `wanted`: the definition (`ENABLE, FORCE`), or `None` for off.
pub fn row_security(table: &str, wanted: Option<&str>) -> String {
    let wanted = wanted.unwrap_or("DISABLE");
    let on = if wanted.starts_with("ENABLE") { "ENABLE" } else { "DISABLE" };
    let force = if wanted.contains("FORCE") { "FORCE" } else { "NO FORCE" };
    format!("ALTER TABLE {table} {on} ROW LEVEL SECURITY, {force} ROW LEVEL SECURITY")
}

/// `COMMENT ON`, from the inventory's `type identity`. `text` is `None`: removes the comment.
pub fn comment(identity: &str, text: Option<&str>, database: &str) -> Option<String> {
    const WORDS: [(&str, &str); 36] = [
        ("table column", "COLUMN"),
        ("view column", "COLUMN"),
        ("materialized view column", "COLUMN"),
        ("foreign table column", "COLUMN"),
        ("composite type column", "COLUMN"),
        ("table constraint", "CONSTRAINT"),
        ("domain constraint", "CONSTRAINT"),
        ("materialized view", "MATERIALIZED VIEW"),
        ("foreign table", "FOREIGN TABLE"),
        ("composite type", "TYPE"),
        ("table", "TABLE"),
        ("view", "VIEW"),
        ("index", "INDEX"),
        ("sequence", "SEQUENCE"),
        ("function", "FUNCTION"),
        ("procedure", "PROCEDURE"),
        ("aggregate", "AGGREGATE"),
        ("type", "TYPE"),
        ("schema", "SCHEMA"),
        ("extension", "EXTENSION"),
        ("event trigger", "EVENT TRIGGER"),
        ("trigger", "TRIGGER"),
        ("policy", "POLICY"),
        ("rule", "RULE"),
        ("publication", "PUBLICATION"),
        ("role", "ROLE"),
        ("language", "LANGUAGE"),
        ("server", "SERVER"),
        ("foreign-data wrapper", "FOREIGN DATA WRAPPER"),
        ("statistics object", "STATISTICS"),
        ("collation", "COLLATION"),
        ("conversion", "CONVERSION"),
        ("cast", "CAST"),
        ("large object", "LARGE OBJECT"),
        ("access method", "ACCESS METHOD"),
        ("operator class", "OPERATOR CLASS"),
    ];
    const MORE: [&str; 8] = [
        "subscription",
        "transform",
        "operator family",
        "operator",
        "text search configuration",
        "text search dictionary",
        "text search parser",
        "text search template",
    ];
    let text = text.map_or_else(|| " NULL".to_string(), |t| format!(" {}", literal(t)));
    if identity == "database" {
        return Some(format!("COMMENT ON DATABASE {} IS{text}", ident(database)));
    }
    let known =
        WORDS.iter().map(|(w, sql)| (*w, (*sql).to_string())).chain(MORE.iter().map(|w| (*w, w.to_uppercase())));
    let (word, sql) = known
        .filter(|(w, _)| identity.strip_prefix(w).is_some_and(|r| r.starts_with(' ')))
        .max_by_key(|(w, _)| w.len())?;
    let rest = &identity[word.len() + 1..];
    let rest = match (word, on(rest)) {
        ("domain constraint", Some((name, domain))) => format!("{name} ON DOMAIN {domain}"),
        ("table constraint" | "trigger" | "policy" | "rule", Some((name, table))) => format!("{name} ON {table}"),
        ("transform", _) => transform(rest),
        _ => rest.to_string(),
    };
    Some(format!("COMMENT ON {sql} {rest} IS{text}"))
}

/// `ALTER SEQUENCE` with the parameters of the inventory's definition.
pub fn alter_sequence(object: &CatalogObject) -> Option<String> {
    let words: Vec<&str> = object.definition.split_whitespace().collect();
    let words = words.strip_prefix(&["UNLOGGED"][..]).unwrap_or(&words);
    let value = |name: &str| words.iter().position(|w| *w == name).and_then(|at| words.get(at + 1));
    let type_end = words.iter().position(|w| *w == "START")?;
    let cycle = if words.contains(&"CYCLE") { "CYCLE" } else { "NO CYCLE" };
    Some(format!(
        "ALTER SEQUENCE {} AS {} START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {} CACHE {} {cycle}",
        object.identity,
        words.get(1..type_end)?.join(" "),
        value("START")?,
        value("INCREMENT")?,
        value("MINVALUE")?,
        value("MAXVALUE")?,
        value("CACHE")?,
    ))
}

/// The two statements that set a sequence's value, from `last, called`. RESTART makes the following `setval`
/// transactional: a `setval` alone would survive a rollback. RESTART needs ownership.
pub fn set_sequence(object: &CatalogObject) -> Option<(String, String)> {
    let (last, called) = object.definition.split_once(", ")?;
    let (last, called): (i64, bool) = (last.parse().ok()?, called.parse().ok()?);
    let set = format!("SELECT pg_catalog.setval({}, {last}, {called})", literal(&object.identity));
    Some((format!("ALTER SEQUENCE {} RESTART", object.identity), set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory;

    fn object(kind: &str, identity: &str, definition: &str) -> CatalogObject {
        CatalogObject { owner: Some("o \"x".into()), ..inventory::object(kind, identity, definition) }
    }

    #[test]
    fn drops_name_what_they_drop() {
        let drop = |kind, identity| drop_statement(&object(kind, identity, "")).unwrap();
        assert_eq!(drop("TABLE", "public.\"T\""), "DROP TABLE IF EXISTS public.\"T\" CASCADE");
        assert_eq!(drop("POLICY", "\"p on q\" on public.t"), "DROP POLICY IF EXISTS \"p on q\" ON public.t CASCADE");
        assert_eq!(drop("FK CONSTRAINT", "f on s.t"), "ALTER TABLE s.t DROP CONSTRAINT IF EXISTS f CASCADE");
        assert_eq!(drop("CHECK CONSTRAINT", "c on domain s.d"), "ALTER DOMAIN s.d DROP CONSTRAINT IF EXISTS c CASCADE");
        assert_eq!(drop("PROCEDURAL LANGUAGE", "plperl"), "DROP LANGUAGE IF EXISTS plperl CASCADE");
        assert!(drop_statement(&object("ACL", "TABLE public.t", "")).is_none());
    }

    #[test]
    fn names_are_taken_back_within_a_schema() {
        let rename = |kind, live, wanted| rename_statement(&object(kind, live, ""), &object(kind, wanted, ""));
        assert_eq!(rename("SCHEMA", "b", "a").unwrap(), "ALTER SCHEMA b RENAME TO a");
        assert_eq!(rename("TABLE", "s.b", "s.\"A\"").unwrap(), "ALTER TABLE s.b RENAME TO \"A\"");
        assert_eq!(rename("TABLE", "s.b", "t.b"), None);
        assert_eq!(rename("POLICY", "b on s.t", "a on s.t"), None);
    }

    #[test]
    fn owners_are_quoted() {
        assert_eq!(
            owner_statement(&object("VIEW", "public.v", "")).unwrap(),
            "ALTER VIEW public.v OWNER TO \"o \"\"x\""
        );
        assert!(owner_statement(&object("EXTENSION", "x", "")).is_none());
    }

    #[test]
    fn comments_find_their_word() {
        let sql = |identity, text| comment(identity, text, "db").unwrap();
        assert_eq!(sql("table column public.t.c", Some("it's")), "COMMENT ON COLUMN public.t.c IS 'it''s'");
        assert_eq!(sql("materialized view public.m", None), "COMMENT ON MATERIALIZED VIEW public.m IS NULL");
        assert_eq!(sql("policy p on public.t", None), "COMMENT ON POLICY p ON public.t IS NULL");
        assert_eq!(sql("domain constraint c on public.d", None), "COMMENT ON CONSTRAINT c ON DOMAIN public.d IS NULL");
        assert_eq!(sql("text search parser a.p", None), "COMMENT ON TEXT SEARCH PARSER a.p IS NULL");
        assert!(comment("nothing that is known", None, "db").is_none());
    }

    #[test]
    fn r19_sequences_are_altered_and_set() {
        let s = object(
            "SEQUENCE",
            "public.s",
            "AS integer START 1 INCREMENT 2 MINVALUE 1 MAXVALUE 9 CACHE 1 CYCLE OWNED BY public.t.id",
        );
        assert_eq!(
            alter_sequence(&s).unwrap(),
            "ALTER SEQUENCE public.s AS integer START WITH 1 INCREMENT BY 2 MINVALUE 1 MAXVALUE 9 CACHE 1 CYCLE"
        );
        let set = set_sequence(&object("SEQUENCE SET", "public.s", "7, false")).unwrap();
        assert_eq!(set.1, "SELECT pg_catalog.setval('public.s', 7, false)");
        assert!(set_sequence(&object("SEQUENCE SET", "public.s", "not readable")).is_none());
    }

    #[test]
    fn row_security_is_both_switches() {
        assert_eq!(
            row_security("t", Some("ENABLE, FORCE")),
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        );
        assert_eq!(row_security("t", None), "ALTER TABLE t DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY");
    }
}
