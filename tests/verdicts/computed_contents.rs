//! Stored generated columns and materialized views: their contents are recorded, compared, and never taken for equal.

use std::path::Path;

use crate::support::commands::{restore, snapshot};
use crate::support::{Database, Place, Ran, server};
use serde_json::Value;

/// `double` is made another function at the end, as a migration does that forgets the rows.
const SETUP: &str = r#"
    CREATE FUNCTION public.double(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
    CREATE TABLE public.keyed (a int PRIMARY KEY, b int GENERATED ALWAYS AS (public.double(a)) STORED, t text);
    INSERT INTO public.keyed (a, t) SELECT n, 'row' FROM generate_series(1, 3) n;
    CREATE TABLE public.no_key (a int, b int GENERATED ALWAYS AS (public.double(a)) STORED);
    INSERT INTO public.no_key (a) VALUES (1), (2), (2);
    CREATE TABLE public.parts (a int PRIMARY KEY, "B x" int GENERATED ALWAYS AS (public.double(a)) STORED)
        PARTITION BY RANGE (a);
    CREATE TABLE public.part_1 PARTITION OF public.parts FOR VALUES FROM (0) TO (10);
    INSERT INTO public.parts (a) VALUES (1), (2);
    CREATE TABLE public.empty (a int);
    CREATE MATERIALIZED VIEW public.summary AS SELECT a, b FROM public.keyed;
    CREATE MATERIALIZED VIEW public.of_empty AS SELECT count(*) FROM public.empty;
    CREATE MATERIALIZED VIEW public.nothing_yet AS SELECT 1 AS one WITH NO DATA"#;
const OTHER_FUNCTION: &str =
    "CREATE OR REPLACE FUNCTION public.double(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 3'";

fn prepared() -> Database {
    let database = server().database("TEMPLATE template0");
    database.sql(SETUP);
    database
}

fn diff(place: &Place, database: &Database, args: &[&str]) -> Ran {
    let mut command = place.bare(&["diff", "latest", "live"]);
    let access = database.access();
    command.args(args).env("PGHOST", access.host).env("PGPORT", access.port.to_string());
    command.env("PGUSER", access.user).env("PGPASSWORD", access.password).env("PGDATABASE", access.database);
    Ran::of(&mut command)
}

/// What is named with these words.
fn named<'d>(document: &'d Value, code: &str) -> Vec<&'d str> {
    let lists = [&document["exceptions"], &document["proof"]["exceptions"]];
    let all = lists.into_iter().flat_map(|list| list.as_array().into_iter().flatten());
    let mut what: Vec<&str> = all.filter(|e| e["code"] == code).map(|e| e["what"].as_str().unwrap()).collect();
    what.sort_unstable();
    what.dedup();
    what
}

#[test]
fn values_that_a_changed_function_makes_anew_are_named_with_their_rows() {
    let (source, target) = (prepared(), server().database("TEMPLATE template0"));
    source.sql(OTHER_FUNCTION);
    let place = Place::new();
    let folder = snapshot(&place, &source, &[]);
    let read = Ran::of(place.bare(&["verify", "latest", "--level", "read"]).arg("-q"));
    assert_eq!(read.code, 0, "{read:?}");
    let same = diff(&place, &source, &["-o", "json"]);
    assert_eq!(
        (same.code, &same.json()["equal"], &same.json()["not_compared"]),
        (0, &true.into(), &Value::Array(vec![]))
    );

    let args = ["-o", "json", "--confirm", &target.name];
    let ran = Ran::of(&mut restore(&place, target.access(), "latest", &args));
    assert_eq!(ran.code, 3, "{ran:?}");
    let report = ran.json();
    assert_eq!(report["proof"]["verdict"], "except", "{report:#}");
    assert_eq!(
        named(&report, "generated_values_differ"),
        [
            "generated columns of public.keyed",
            "generated columns of public.no_key",
            "generated columns of public.part_1"
        ]
    );
    assert!(ran.stdout.contains("3 of 3 rows (a = 1, 2, 3)"), "which rows: {}", ran.stdout);
    assert!(ran.stdout.contains("generated_columns/public.keyed.copy."), "where the values are: {}", ran.stdout);
    assert_eq!(named(&report, "materialized_view_differs"), ["materialized view public.summary"]);
    assert_eq!(target.sql("SELECT string_agg(b::text, ',' ORDER BY a) FROM public.keyed"), "3,6,9");

    let differs = diff(&place, &target, &["--data", "-o", "json"]);
    assert_eq!(differs.code, 4, "{differs:?}");
    let document = differs.json();
    let keyed = document["tables"].as_array().unwrap().iter().find(|t| t["name"] == "keyed").unwrap().clone();
    assert_eq!((&keyed["change"], &keyed["keys"]["changed"]), (&"generated_columns".into(), &3.into()), "{keyed}");
    drop(folder);
}

#[test]
fn a_drill_names_them_too() {
    let source = prepared();
    source.sql(OTHER_FUNCTION);
    let place = Place::new();
    snapshot(&place, &source, &[]);
    let mut command = place.bare(&["drill", "latest", "-o", "json"]);
    let ran = Ran::of(command.arg("--pg-bin").arg(&server().bin));
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(named(&ran.json(), "generated_values_differ").len(), 3, "{ran:?}");
}

#[test]
fn in_place_the_values_and_the_views_come_back() {
    // A role that another test makes would be a difference.
    let _alone = crate::support::alone();
    let database = prepared();
    let place = Place::new();
    snapshot(&place, &database, &[]);
    database.sql(OTHER_FUNCTION);
    // Another value in the generated columns alone, and a view alone that shows rows which are gone again.
    database.sql(
        "UPDATE public.keyed SET a = a; INSERT INTO public.empty VALUES (1); REFRESH MATERIALIZED VIEW public.of_empty; \
         DELETE FROM public.empty",
    );
    let (text, document) = (diff(&place, &database, &[]), diff(&place, &database, &["-o", "json"]));
    assert_eq!(text.code, 4, "{text:?}");
    assert!(text.stdout.contains("public.keyed: equal rows, other values in its generated columns"), "{text:?}");
    let changes: Vec<(String, String)> = document.json()["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["name"].as_str().unwrap().to_string(), t["change"].as_str().unwrap().to_string()))
        .collect();
    let expected = [("keyed", "generated_columns"), ("of_empty", "materialized_view")];
    assert_eq!(changes, expected.map(|(name, change)| (name.to_string(), change.to_string())));

    let args = ["-o", "json", "--confirm", &database.name];
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &args));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(database.sql("SELECT string_agg(b::text, ',' ORDER BY a) FROM public.keyed"), "2,4,6");
    assert_eq!(database.sql("SELECT * FROM public.of_empty"), "0");
    let after = diff(&place, &database, &["-o", "json"]);
    assert_eq!((after.code, &after.json()["equal"]), (0, &true.into()), "{after:?}");
    let again = Ran::of(&mut restore(&place, database.access(), "latest", &args));
    assert_eq!((again.code, &again.json()["statements"]), (0, &0.into()), "{again:?}");
}

#[test]
fn a_narrowed_snapshot_reads_what_it_was_asked_for() {
    let database = prepared();
    let recorded = |folder: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        assert!(manifest["format"]["minor"].as_u64().unwrap() >= 4);
        let records = manifest["computed"].as_array().unwrap();
        records.iter().map(|r| r["name"].as_str().unwrap().to_string()).collect()
    };
    let place = Place::new();
    let named = |args: &[&str]| recorded(&snapshot(&place, &database, args));
    assert_eq!(named(&[]), ["keyed", "no_key", "of_empty", "part_1", "summary"]);
    assert_eq!(named(&["--formats", "dump"]), ["keyed", "no_key", "of_empty", "part_1", "summary"]);
    assert_eq!(named(&["-t", "public.keyed"]), ["keyed"]);
    assert_eq!(named(&["--exclude-data", "public.k*"]), ["no_key", "of_empty", "part_1", "summary"]);
    assert_eq!(named(&["--only", "policies"]), Vec::<String>::new());
}

#[test]
fn damage_to_the_file_is_found() {
    let database = prepared();
    let place = Place::new();
    let folder = snapshot(&place, &database, &[]);
    let files: Vec<_> = std::fs::read_dir(folder.join("generated_columns")).unwrap().flatten().collect();
    assert_eq!(files.len(), 3);
    let path = files[0].path();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    for level in ["checksum", "read"] {
        let ran = Ran::of(&mut place.bare(&["verify", "latest", "--level", level]));
        assert_eq!(ran.code, 13, "{ran:?}");
    }
}

#[test]
fn what_a_role_may_not_read_is_not_called_equal() {
    let _alone = crate::support::alone();
    let database = prepared();
    let role = format!("reader_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'postgres'; GRANT pg_read_all_data TO {role}; \
         CREATE SCHEMA closed; CREATE MATERIALIZED VIEW closed.hidden AS SELECT 1 AS one; \
         REVOKE pg_read_all_data FROM {role}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ));
    let place = Place::new();
    snapshot(&place, &database, &[]);
    let mut command = place.bare(&["diff", "latest", "live"]);
    let access = database.access();
    command.env("PGHOST", access.host).env("PGPORT", access.port.to_string()).env("PGUSER", &role);
    command.env("PGPASSWORD", "postgres").env("PGDATABASE", access.database);
    let ran = Ran::of(&mut command);
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout.contains(
            "no difference in what was compared; not compared: materialized view closed.hidden, passwords of roles"
        ),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains("\nequal"), "{ran:?}");
}
