//! `--untrusted`: which parts of an untrusted snapshot may be restored, into an empty database only.
//!
//! Invariant: an allow-list. The real barrier is the role, which has no rights beyond its own empty database; the
//! server enforces that. This list keeps out what could reach further once others use that database, and names it. No
//! file of the snapshot is run and no statement is built from its inventory. An entry of the archive is run only if
//! every statement in it begins like one of its kind. Pure.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use super::entries::creation::{Creation, Step};
use crate::model::identity::unquoted;
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName};
use crate::pgtools::toc::{Entry, dotted_name};

/// The exception code of what is left out.
pub const LEFT_OUT: &str = "untrusted_left_out";
/// More objects of one kind are counted, not named.
const NAMED_MAX: usize = 8;

/// Kinds of objects that may be restored. Any other kind may not.
const KINDS: [ObjectKind; 26] = [
    ObjectKind::Aggregate,
    ObjectKind::CheckConstraint,
    ObjectKind::Collation,
    ObjectKind::Comment,
    ObjectKind::Constraint,
    ObjectKind::Domain,
    ObjectKind::Extension,
    ObjectKind::FkConstraint,
    ObjectKind::Function,
    ObjectKind::Index,
    ObjectKind::IndexAttach,
    ObjectKind::MaterializedView,
    ObjectKind::NotNullConstraint,
    ObjectKind::Procedure,
    ObjectKind::Rule,
    ObjectKind::Schema,
    ObjectKind::Sequence,
    ObjectKind::SequenceSet,
    ObjectKind::Statistics,
    ObjectKind::Table,
    ObjectKind::TableAttach,
    ObjectKind::TextSearchConfiguration,
    ObjectKind::TextSearchDictionary,
    ObjectKind::Trigger,
    ObjectKind::Type,
    ObjectKind::View,
];
/// Kinds of entries that are parts of these.
const PARTS: [ObjectKind; 4] =
    [ObjectKind::Default, ObjectKind::MaterializedViewData, ObjectKind::SequenceOwnedBy, ObjectKind::ShellType];
/// Kinds that have the address of the object that they are on.
const ABOUT: [ObjectKind; 8] = [
    ObjectKind::Acl,
    ObjectKind::Comment,
    ObjectKind::DefaultAcl,
    ObjectKind::IndexAttach,
    ObjectKind::RowSecurity,
    ObjectKind::SecurityLabel,
    ObjectKind::SequenceSet,
    ObjectKind::TableAttach,
];

/// Allowed beginnings of statements.
const BEGINNINGS: [&str; 34] = [
    "alter domain",
    "alter index",
    "alter materialized view",
    "alter sequence",
    "alter statistics",
    "alter table",
    "alter text search configuration",
    "alter type",
    "alter view",
    "comment on",
    "create aggregate",
    "create collation",
    "create constraint trigger",
    "create domain",
    "create function",
    "create index",
    "create materialized view",
    "create or replace view",
    "create procedure",
    "create rule",
    "create schema",
    "create sequence",
    "create statistics",
    "create table",
    "create text search configuration",
    "create text search dictionary",
    "create trigger",
    "create type",
    "create unique index",
    "create unlogged",
    "create view",
    "refresh materialized view",
    "set default_table_access_method",
    "set default_tablespace",
];
/// Languages whose routines have no access outside the database.
const LANGUAGES: [&str; 2] = ["plpgsql", "sql"];

/// May this entry be run? `extensions`: those that may be created.
fn allows(step: &Step<'_>, extensions: &BTreeSet<String>) -> bool {
    let kind = step.entry.desc;
    if !KINDS.contains(&kind) && !PARTS.contains(&kind) {
        return false;
    }
    match kind {
        ObjectKind::Extension => is_extension(step.entry, extensions),
        ObjectKind::Function | ObjectKind::Procedure => is_routine(&step.sql),
        _ => all_begin(&step.sql),
    }
}

fn all_begin(sql: &str) -> bool {
    words::statements(sql).iter().all(|words| BEGINNINGS.iter().any(|beginning| words::starts(words, beginning)))
}

/// Is every statement a CREATE FUNCTION or CREATE PROCEDURE in an allowed language?
fn is_routine(sql: &str) -> bool {
    let statements = words::statements(sql);
    let mut languages = 0;
    for words in &statements {
        if !words::starts(words, "create function") && !words::starts(words, "create procedure") {
            return false;
        }
        let outside: Vec<_> = words.iter().filter(|w| w.depth == 0).collect();
        for pair in outside.windows(2).filter(|pair| !pair[0].quoted && pair[0].text == "language") {
            if !LANGUAGES.contains(&pair[1].text.as_str()) {
                return false;
            }
            languages += 1;
        }
    }
    !statements.is_empty() && languages == statements.len()
}

/// `CREATE EXTENSION IF NOT EXISTS name WITH SCHEMA schema;` and nothing more.
fn is_extension(entry: &Entry, extensions: &BTreeSet<String>) -> bool {
    let parts = || -> Option<(Vec<String>, &str)> {
        let rest = entry.definition.strip_prefix("CREATE EXTENSION IF NOT EXISTS ")?;
        let (name, rest) = dotted_name(rest)?;
        let (_, rest) = dotted_name(rest.strip_prefix(" WITH SCHEMA ")?)?;
        Some((name, rest))
    };
    parts().is_some_and(|(name, rest)| {
        let [name] = name.as_slice() else { return false };
        rest.trim_end_matches('\n') == ";" && extensions.contains(name)
    })
}

/// Removes the SQL of every entry that may not be run.
pub fn enclose(creation: &mut Creation<'_>, extensions: &BTreeSet<String>) {
    for step in creation.entries.iter_mut().filter(|step| !step.sql.is_empty()) {
        if !allows(step, extensions) {
            step.sql.clear();
            step.fenced = true;
        }
    }
}

/// The objects that are not restored, and what is attached to them. `creation` is enclosed already.
pub fn left_out(creation: &Creation<'_>, inventory: &Inventory) -> BTreeSet<ObjectName> {
    let own = || inventory.objects.iter().filter(|o| o.extension.is_none());
    let is_left = |o: &&CatalogObject| {
        // Every database has it, and it has an owner already.
        let public = o.kind == ObjectKind::Schema && o.identity == "public";
        public || !KINDS.contains(&o.kind) || creation.is_fenced(o)
    };
    let mut names: BTreeSet<ObjectName> = own().filter(is_left).map(ObjectName::of).collect();
    let whole = |o: &CatalogObject| o.address.map(|address| Address { sub: 0, ..address });
    let gone: BTreeSet<Address> =
        own().filter(is_left).filter(|o| !ABOUT.contains(&o.kind)).filter_map(whole).collect();
    names.extend(own().filter(|o| whole(o).is_some_and(|a| gone.contains(&a))).map(ObjectName::of));
    // Members of extensions are created with them, but grants on them are not restored.
    names.extend(inventory.objects.iter().filter(|o| o.kind == ObjectKind::Acl).map(ObjectName::of));
    names
}

/// What is left out, as exceptions: by name, or as a number if there are many of one kind.
pub fn exceptions(names: &BTreeSet<ObjectName>) -> Vec<Exception> {
    let exception = |what: String, why: &str, todo: &str| Exception {
        code: LEFT_OUT.to_string(),
        what,
        why: why.to_string(),
        todo: todo.to_string(),
    };
    let mut by_kind: BTreeMap<ObjectKind, Vec<&ObjectName>> = BTreeMap::new();
    for name in names.iter().filter(|n| !(n.kind == ObjectKind::Schema && n.identity == "public")) {
        by_kind.entry(name.kind).or_default().push(name);
    }
    let todo = "review it in the snapshot and create it by hand if you want it";
    let mut found = vec![exception(
        "the SQL files of the snapshot".to_string(),
        "none of them is run (--untrusted): roles, grants, settings, queues and jobs are not restored",
        todo,
    )];
    for (kind, names) in by_kind {
        let why = why(kind);
        if names.len() > NAMED_MAX {
            found.push(exception(format!("{} {kind}", names.len()), why, todo));
        } else {
            found.extend(names.iter().map(|name| exception(format!("{kind} {}", name.identity), why, todo)));
        }
    }
    found
}

fn why(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::EventTrigger | ObjectKind::Trigger | ObjectKind::Rule => {
            "it would run code from an untrusted snapshot (--untrusted)"
        }
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => {
            "not clearly written in sql or plpgsql (--untrusted)"
        }
        ObjectKind::ProceduralLanguage
        | ObjectKind::Cast
        | ObjectKind::Transform
        | ObjectKind::Operator
        | ObjectKind::OperatorClass
        | ObjectKind::OperatorFamily => "it changes how other code is executed (--untrusted)",
        ObjectKind::ForeignDataWrapper
        | ObjectKind::Server
        | ObjectKind::UserMapping
        | ObjectKind::ForeignTable
        | ObjectKind::Subscription => "it would connect to another server (--untrusted)",
        ObjectKind::Role
        | ObjectKind::RoleMembership
        | ObjectKind::RoleSetting
        | ObjectKind::Acl
        | ObjectKind::DefaultAcl
        | ObjectKind::Policy
        | ObjectKind::RowSecurity => {
            "access rights are not taken from an untrusted snapshot: the restoring role owns everything (--untrusted)"
        }
        _ => "this kind is not restored from an untrusted snapshot (--untrusted)",
    }
}

/// Turns the exception for an available extension that is not created into one of the fence.
pub fn of_extension(exception: &mut Exception, extensions: &BTreeSet<String>) {
    let is_one = |name: &String| exception.what == format!("extension {name}");
    if extensions.iter().any(is_one) {
        exception.code = LEFT_OUT.to_string();
        exception.why =
            "only extensions that are installed already or that the server marks as trusted are created".to_string();
        exception.todo = "if you want it, have the target's administrator install it first".to_string();
    }
}

/// The extensions of the snapshot that may not be created.
pub fn refused_extensions(inventory: &Inventory, allowed: &BTreeSet<String>) -> BTreeSet<String> {
    inventory
        .of_kind(ObjectKind::Extension)
        .map(|o| unquoted(&o.identity))
        .filter(|name| !allowed.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::entries::Pass;
    use super::*;
    use crate::restore::entries::entries_tests::entry;

    fn allowed(desc: &str, sql: &str) -> bool {
        let mut entry = entry(1, desc, "x");
        entry.definition = sql.to_string();
        let extensions = BTreeSet::from(["pgcrypto".to_string()]);
        allows(
            &Step { entry: &entry, object: None, sql: sql.to_string(), pass: Pass::Main, fenced: false },
            &extensions,
        )
    }

    #[test]
    fn threat_5_routines_in_other_languages_stay_out() {
        for fine in [
            "CREATE FUNCTION a.f(language text) RETURNS int\n    LANGUAGE plpgsql\n    AS $_$ BEGIN COPY x TO PROGRAM 'y'; END $_$;",
            "CREATE FUNCTION a.f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;",
            "CREATE FUNCTION a.f() RETURNS int LANGUAGE \"sql\" AS 'SELECT 1 -- LANGUAGE c';",
        ] {
            assert!(allowed("FUNCTION", fine), "{fine}");
        }
        for bad in [
            "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '$libdir/x', 'f';",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS $$ $$;",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql LANGUAGE c AS 'x';",
            "CREATE FUNCTION f() RETURNS int LANGUAGE/* */internal AS 'x';",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ''; CREATE EVENT TRIGGER e ON x EXECUTE FUNCTION f();",
            "CREATE FUNCTION f() RETURNS int AS '';",
            "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS '';",
            "DO $$ BEGIN END $$;",
        ] {
            assert!(!allowed("FUNCTION", bad), "{bad}");
        }
    }

    #[test]
    fn threat_5_an_entry_is_run_only_as_what_it_says_it_is() {
        assert!(allowed("TABLE", "CREATE TABLE a (b int DEFAULT 1);\nALTER TABLE ONLY a REPLICA IDENTITY FULL;"));
        assert!(allowed("COMMENT", "COMMENT ON TABLE a IS '; COMMIT; DROP TABLE x';"));
        for bad in [
            "CREATE TABLE a (); COMMIT; DROP TABLE b",
            "COPY a FROM PROGRAM 'x'",
            "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
            "CREATE EXTENSION dblink",
            "CREATE SERVER s FOREIGN DATA WRAPPER w",
            "SET ROLE x",
            "ALTER ROLE x SUPERUSER",
            "ALTER SYSTEM SET a = 1",
            "ALTER DATABASE x SET a = 1",
            "GRANT x TO y",
            "\"create\" table a ()",
        ] {
            assert!(!allowed("TABLE", bad), "{bad}");
        }
        for kind in ["EVENT TRIGGER", "CAST", "SERVER", "ACL", "POLICY", "A KIND OF TOMORROW"] {
            assert!(!allowed(kind, "CREATE TABLE a ();"), "{kind}");
        }
    }

    #[test]
    fn threat_5_only_extensions_of_the_list_are_made_and_plainly() {
        assert!(allowed("EXTENSION", "CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA \"x y\";\n"));
        for bad in [
            "CREATE EXTENSION IF NOT EXISTS dblink WITH SCHEMA public;\n",
            "CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public CASCADE;\n",
            "CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public; DROP TABLE x;\n",
            "CREATE EXTENSION IF NOT EXISTS pgcrypto.x WITH SCHEMA public;\n",
        ] {
            assert!(!allowed("EXTENSION", bad), "{bad}");
        }
    }

    #[test]
    fn few_are_named_and_many_are_counted() {
        let name = |kind: &str, identity: String| ObjectName { kind: kind.into(), identity };
        let mut names = BTreeSet::from([name("EVENT TRIGGER", "e".into()), name("SCHEMA", "public".into())]);
        names.extend((0..20).map(|n| name("ACL", format!("TABLE t{n}"))));
        let what: Vec<String> = exceptions(&names).into_iter().map(|e| e.what).collect();
        assert_eq!(what, ["the SQL files of the snapshot", "20 ACL", "EVENT TRIGGER e"]);
    }
}
