//! `diff` on a real server: planted changes are named with the right severity, live and between two snapshots.

use std::path::{Path, PathBuf};

use crate::support::{Database, Place, Ran, server};
use serde_json::Value;

const SETUP: &str = r#"
    CREATE TABLE public.composite (a int, "B ""x" text, v text, PRIMARY KEY ("B ""x", a));
    INSERT INTO public.composite SELECT n, 'k' || n % 3, 'v' FROM generate_series(1, 50) n;
    CREATE TABLE public.no_key (v text); INSERT INTO public.no_key VALUES ('x'), ('x'), ('y');
    CREATE VIEW public.names WITH (security_invoker=true) AS SELECT id FROM public.people;
    CREATE TABLE public.old_name (id int PRIMARY KEY, t text NOT NULL); INSERT INTO public.old_name VALUES (1, 'a');
    CREATE INDEX notes_person ON app.notes (person);
    CREATE TYPE public.mood AS ENUM ('sad', 'ok');
    CREATE FUNCTION public.body() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  -- one
  RETURN 1;
END $$;
    COMMENT ON TABLE public.people IS 'before'"#;

const PLANTED: &str = r#"
    ALTER POLICY own ON app.notes USING (true);
    ALTER TABLE app.notes DISABLE ROW LEVEL SECURITY;
    GRANT SELECT ON public.people TO PUBLIC;
    ALTER FUNCTION public.greet(text) SECURITY DEFINER;
    ALTER TABLE public.no_key OWNER TO pg_monitor;
    ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO PUBLIC;
    ALTER VIEW public.names SET (security_invoker=false);
    ALTER TABLE public.people ADD COLUMN extra int;
    ALTER TABLE public.old_name RENAME TO new_name;
    DROP INDEX app.notes_person;
    ALTER TYPE public.mood ADD VALUE 'fine';
    CREATE OR REPLACE FUNCTION public.body() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  -- one
  RETURN 2;
END $$;
    COMMENT ON TABLE public.people IS 'after';
    SELECT nextval('public.numbers');
    CREATE TABLE public.fresh (id int)"#;

/// Severity, change, kind and identity.
const EXPECTED: [(&str, &str, &str, &str); 15] = [
    ("security", "differs", "POLICY", "own on app.notes"),
    ("security", "missing", "ROW SECURITY", "app.notes"),
    ("security", "differs", "ACL", "TABLE public.people"),
    ("security", "differs", "FUNCTION", "public.greet(text)"),
    ("security", "differs", "TABLE", "public.no_key"),
    ("security", "differs", "VIEW", "public.names"),
    ("structure", "differs", "TABLE", "public.people"),
    ("structure", "missing", "TABLE", "public.old_name"),
    ("structure", "extra", "TABLE", "public.new_name"),
    ("structure", "missing", "INDEX", "app.notes_person"),
    ("structure", "differs", "TYPE", "public.mood"),
    ("structure", "differs", "FUNCTION", "public.body()"),
    ("structure", "differs", "SEQUENCE SET", "public.numbers"),
    ("structure", "extra", "TABLE", "public.fresh"),
    ("cosmetic", "differs", "COMMENT", "table public.people"),
];

fn prepared() -> Database {
    let database = server().small();
    database.sql(SETUP);
    database
}

fn snapshot(place: &Place, database: &Database) -> PathBuf {
    Ran::of(&mut place.create(database.access(), &["--formats", "dump"])).folder()
}

/// `diff` with the database at hand.
fn live(place: &Place, database: &Database, args: &[&str]) -> Ran {
    let access = database.access();
    let mut command = place.bare(&["diff"]);
    command.args(args).env("PGHOST", access.host).env("PGPORT", access.port.to_string());
    command.env("PGUSER", access.user).env("PGPASSWORD", access.password).env("PGDATABASE", access.database);
    Ran::of(&mut command)
}

/// `diff` without any server.
fn offline(place: &Place, left: &Path, right: &Path, args: &[&str]) -> Ran {
    Ran::of(place.bare(&["diff"]).arg(left).arg(right).args(args))
}

#[track_caller]
fn assert_planted(document: &Value) {
    let objects = document["objects"].as_array().unwrap();
    let find = |kind: &str, identity: &str| {
        let found = objects.iter().find(|o| o["kind"] == kind && o["identity"] == identity);
        found.unwrap_or_else(|| panic!("{kind} {identity} is not among {objects:#?}"))
    };
    for (severity, change, kind, identity) in EXPECTED {
        let found = find(kind, identity);
        assert_eq!((found["severity"].as_str(), found["change"].as_str()), (Some(severity), Some(change)), "{found}");
    }
    assert!(
        objects.iter().any(|o| o["kind"] == "DEFAULT ACL" && o["severity"] == "security" && o["change"] == "extra")
    );
    assert_eq!(find("TABLE", "public.old_name")["renamed_to"], "public.new_name");
    assert_eq!(
        find("CONSTRAINT", "old_name_pkey on public.old_name")["renamed_to"],
        "old_name_pkey on public.new_name"
    );
    assert_eq!(find("TABLE", "public.no_key")["owner_right"], "pg_monitor");
    // What stands on a table that came or went goes along; nothing else is named.
    let about =
        ["people", "old_name", "new_name", "fresh", "notes", "no_key", "greet", "mood", "body", "names", "numbers"];
    for object in objects.iter().filter(|o| o["kind"] != "DEFAULT ACL") {
        let identity = object["identity"].as_str().unwrap();
        assert!(about.iter().any(|name| identity.contains(name)), "{object}");
    }
    let severities: Vec<&str> = objects.iter().map(|o| o["severity"].as_str().unwrap()).collect();
    assert!(severities.is_sorted_by_key(|s| ["security", "structure", "cosmetic"].iter().position(|w| w == s)));
}

fn table<'a>(document: &'a Value, name: &str) -> &'a Value {
    let tables = document["tables"].as_array().unwrap();
    tables.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("{name} is not among {tables:#?}"))
}

#[test]
fn planted_changes_are_named_live_and_between_snapshots() {
    let (place, database) = (Place::new(), prepared());
    let before = snapshot(&place, &database);
    let text = before.to_str().unwrap();
    let same = live(&place, &database, &[text, "live", "--data", "-o", "json"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert_eq!((&same.json()["equal"], &same.json()["schema"]), (&true.into(), &"stacksnap.v1.diff".into()));
    assert!(same.json()["tables_compared"].as_u64() >= Some(5), "{same:?}");

    database.sql(PLANTED);
    database.sql("DELETE FROM public.people WHERE id = 500");
    let ran = live(&place, &database, &["latest", "live", "-o", "json"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let document = ran.json();
    assert_planted(&document);
    assert_eq!((&document["equal"], &document["right"]["kind"]), (&false.into(), &"live".into()));
    assert_eq!(table(&document, "people")["change"], "columns", "its rows cannot be compared");
    assert_eq!(
        (&table(&document, "old_name")["change"], &table(&document, "fresh")["change"]),
        (&"missing".into(), &"extra".into())
    );

    let after = snapshot(&place, &database);
    let pair = offline(&place, &before, &after, &["-o", "json"]);
    assert_eq!(pair.code, 4, "{pair:?}");
    assert_planted(&pair.json());
    assert_eq!(offline(&place, &after, &after, &[]).code, 0);

    let security = live(&place, &database, &[text, "live", "--security", "-o", "json"]).json();
    let kinds = security["objects"].as_array().unwrap();
    assert!(kinds.len() >= 7 && kinds.iter().all(|o| o["severity"] == "security"), "{security}");
    assert_eq!(security["rows_compared"], 0);
    let schema = live(&place, &database, &[text, "live", "--schema", "-o", "json"]).json();
    assert!(schema["tables"].as_array().unwrap().is_empty());
    assert!(!schema["objects"].as_array().unwrap().iter().any(|o| o["kind"] == "SEQUENCE SET"), "values are data");
}

#[test]
fn data_names_the_keys_of_rows() {
    let (place, database) = (Place::new(), prepared());
    let before = snapshot(&place, &database);
    database.sql(
        r#"DELETE FROM public.composite WHERE a = 3; UPDATE public.composite SET v = 'w' WHERE a = 4;
           INSERT INTO public.composite VALUES (900, E'tab\t', 'new'); DELETE FROM public.people WHERE id > 470;
           DELETE FROM public.no_key WHERE v = 'x'; INSERT INTO public.no_key VALUES ('x'), ('z'), ('z')"#,
    );
    let now = live(&place, &database, &["latest", "live", "--data", "-o", "json"]);
    let after = snapshot(&place, &database);
    let pair = offline(&place, &before, &after, &["--data", "-o", "json"]);
    for ran in [&now, &pair] {
        assert_eq!(ran.code, 4, "{ran:?}");
        let document = ran.json();
        assert_eq!(document["objects"], serde_json::json!([]), "rows alone");
        let keys = &table(&document, "composite")["keys"];
        assert_eq!(keys["key"], serde_json::json!(["B \"x", "a"]));
        assert_eq!(keys["removed_keys"], serde_json::json!([["k0", "3"]]));
        assert_eq!(keys["changed_keys"], serde_json::json!([["k1", "4"]]));
        assert_eq!(keys["added_keys"], serde_json::json!([["tab\t", "900"]]));
        let people = table(&document, "people");
        assert_eq!(
            (&people["rows_left"], &people["rows_right"], &people["keys"]["removed"]),
            (&500.into(), &470.into(), &30.into())
        );
        assert_eq!(people["keys"]["removed_keys"].as_array().unwrap().len(), 20);
        let no_key = &table(&document, "no_key")["keys"];
        assert_eq!(
            (&no_key["removed"], &no_key["added"], &no_key["key"]),
            (&1.into(), &2.into(), &serde_json::json!([]))
        );
    }
    let text = offline(&place, &before, &after, &["--data"]).stdout;
    for part in [
        "left:  comprehensive_backup_",
        "removed 30: id = 471, 472, 473,",
        "added 1: B \"x, a = (tab\\u{9}, 900)",
        "no primary key: 1 row only on the left, 2 rows only on the right",
        "different: 3 tables with other rows",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_text_is_grouped_and_names_cannot_steer_the_terminal() {
    let (place, database) = (Place::new(), prepared());
    let before = snapshot(&place, &database);
    database.sql(PLANTED);
    database.sql("CREATE TABLE public.\"evil\n\u{1b}[2J\" (\"*/ `x` $$\" int)");
    let ran = live(&place, &database, &[before.to_str().unwrap(), "live"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let text = &ran.stdout;
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(
        at("\nsecurity (") < at("\nstructure (")
            && at("\nstructure (") < at("\ncosmetic (")
            && at("\ncosmetic (") < at("\nrows (")
    );
    for part in [
        "  - ROW SECURITY app.notes\n",
        "  + TABLE public.fresh\n",
        "      - ENABLE\n",
        "      owner: ",
        "-> pg_monitor",
        "renamed? it looks like public.new_name",
        "      -   RETURN 1;\n      +   RETURN 2;\n",
        "other columns, its rows were not compared",
        "evil\\u{a}\\u{1b}[2J",
        "different: ",
    ] {
        at(part);
    }
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(ran.stderr.contains("every row of the database will be read once"), "{ran:?}");
    let quiet = live(&place, &database, &["latest", "live", "-q"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (4, "", ""));
}

#[test]
fn what_cannot_be_compared_is_refused_or_named() {
    let (place, database) = (Place::new(), prepared());
    let before = snapshot(&place, &database);
    let command = &mut place.create(database.access(), &["--formats", "dump", "--exclude-data", "public.no_key"]);
    let partial = Ran::of(command).folder();
    let ran = offline(&place, &before, &partial, &["-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["not_compared"][0]["what"], "public.no_key", "{ran:?}");

    let usage = live(&place, &database, &["live", "latest"]);
    assert!(usage.code == 64 && usage.stderr.contains("stacksnap diff latest live"), "{usage:?}");
    assert_eq!(live(&place, &database, &["nothing", "live"]).code, 10);
    assert_eq!(live(&place, &database, &["latest", "live", "--data", "--schema"]).code, 64);
    let unreachable = Ran::of(&mut place.bare(&["diff", "latest", "live", "--db-url", "postgres://u@127.0.0.1:1/x"]));
    assert_eq!(unreachable.code, 69, "{unreachable:?}");

    // One byte of one file.
    let file = partial.join("inventory.json");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    for (left, right) in [(&before, &partial), (&partial, &before)] {
        let ran = offline(&place, left, right, &[]);
        assert!(ran.code == 13 && ran.stderr.contains("inventory.json"), "{ran:?}");
    }
}
