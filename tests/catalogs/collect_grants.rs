//! `access_grants.sql` where not everything can be changed, or is there: what can be made right is, the rest is said.

use std::path::Path;
use std::process::Command;

use crate::support::alone;
use crate::support::collector::{Database, Run, run, sql, try_sql_as};
use stacksnap::collect::access_grants;

/// Three roles: who applies the file, somebody else who owns things, and somebody who is granted things.
const ROLES: &str = "DO $$ DECLARE r text; BEGIN
    FOREACH r IN ARRAY ARRAY['cat_me', 'cat_them', 'cat_x'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', r, r);
        END IF;
    END LOOP;
END $$;
CREATE SCHEMA mine AUTHORIZATION cat_me; CREATE SCHEMA theirs AUTHORIZATION cat_them;";

fn database(name: &str, objects: &str) -> Database {
    let db = Database::plain(name);
    sql(&db.0, &format!("{ROLES} {objects}"));
    db
}

/// Runs the file as a user would. Gives whether it ended well, and everything that the server said.
fn apply(user: &str, database: &Database, run: &Run, options: &str) -> (bool, String) {
    let psql = Path::new(&std::env::var_os("STACKSNAP_TEST_BIN").unwrap()).join("psql");
    let mut command = Command::new(psql);
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(run.path("access_grants.sql"));
    command.env("PGDATABASE", &database.0).env("PGOPTIONS", options);
    if user != "supabase_admin" {
        command.env("PGUSER", user).env("PGPASSWORD", user);
    }
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The grants of one object, as the catalogs have them, in no order; nothing where none are written down.
fn acl(database: &Database, of: &str) -> String {
    let (acl, of) = match of.split_once(' ').unwrap() {
        ("schema", name) => ("nspacl", format!("pg_namespace WHERE nspname = '{name}'")),
        ("routine", name) => ("proacl", format!("pg_proc WHERE proname = '{name}'")),
        (_, name) => ("relacl", format!("pg_class WHERE oid = '{name}'::regclass")),
    };
    sql(
        &database.0,
        &format!("SELECT (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest({acl}) a) FROM {of}"),
    )
    .trim()
    .to_string()
}

#[test]
fn one_object_that_cannot_be_changed_does_not_keep_the_others_from_it() {
    let _one = alone();
    let db = database(
        "grants_foreign",
        "CREATE TABLE mine.a (n int); CREATE TABLE theirs.b (n int); CREATE TABLE mine.c (n int);
         CREATE SCHEMA hidden; CREATE TABLE hidden.d (n int); GRANT USAGE ON SCHEMA theirs TO cat_me;
         GRANT SELECT ON hidden.d TO cat_x; GRANT INSERT ON theirs.b TO cat_me; ALTER TABLE mine.a OWNER TO cat_me; ALTER TABLE mine.c OWNER TO cat_me; ALTER TABLE theirs.b OWNER TO cat_them;
         GRANT SELECT ON mine.a, theirs.b, mine.c TO cat_x",
    );
    let of = ["table mine.a", "table theirs.b", "table mine.c"];
    let before = of.map(|o| acl(&db, o));
    let run = run(&access_grants::COLLECTOR, &db.0);
    sql(&db.0, "REVOKE ALL ON mine.a, theirs.b FROM cat_x; GRANT ALL ON mine.c TO PUBLIC");
    let damaged = acl(&db, of[1]);
    let (done, said) = apply("cat_me", &db, &run, "");
    assert!(done, "{said}");
    // One it may see and not change; of the other it may not even see whether it is right.
    let warned: Vec<&str> = said.lines().filter(|l| l.contains("are not those of the snapshot")).collect();
    let of_table = |name: &str| warned.iter().any(|l| l.contains("WARNING") && l.contains(name));
    assert!(warned.len() == 2 && of_table("TABLE theirs.b ") && of_table(" hidden.d "), "{said}");
    let after = of.map(|o| acl(&db, o));
    assert_eq!((&after[0], &after[1], &after[2]), (&before[0], &damaged, &before[2]), "{said}");
    // Their owner's superuser makes the rest right.
    assert!(apply("supabase_admin", &db, &run, "").0);
    assert_eq!(of.map(|o| acl(&db, o)), before);
}

#[test]
fn what_a_role_granted_on_somebody_elses_object_comes_back() {
    let _one = alone();
    let db = database("grants_handed_on", "GRANT USAGE ON SCHEMA theirs TO cat_me WITH GRANT OPTION");
    try_sql_as("cat_me", &db.0, "GRANT USAGE ON SCHEMA theirs TO cat_x").unwrap();
    let before = acl(&db, "schema theirs");
    assert!(before.contains("cat_x=U/cat_me"), "{before}");
    let run = run(&access_grants::COLLECTOR, &db.0);
    // One is lost, and one is there that the snapshot does not have.
    try_sql_as("cat_me", &db.0, "REVOKE USAGE ON SCHEMA theirs FROM cat_x; GRANT USAGE ON SCHEMA theirs TO PUBLIC")
        .unwrap();
    let (done, said) = apply("cat_me", &db, &run, "");
    assert!(done && !said.contains("WARNING"), "{said}");
    assert_eq!(acl(&db, "schema theirs"), before);
}

#[test]
fn a_routine_whose_types_are_missing_is_passed_over_where_that_is_asked_for() {
    let _one = alone();
    let db = database(
        "grants_types",
        "CREATE SCHEMA gone; CREATE TYPE gone.kind AS (a int); CREATE TYPE mine.kind AS (a int); CREATE TABLE mine.z (n int);
         ALTER TABLE mine.z OWNER TO cat_me; GRANT SELECT ON mine.z TO cat_x;
         CREATE FUNCTION mine.by_schema(gone.kind) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE FUNCTION mine.by_type(mine.kind) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE FUNCTION mine.stays(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         REVOKE ALL ON ALL FUNCTIONS IN SCHEMA mine FROM PUBLIC; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mine TO cat_x",
    );
    let (stays, table) = (acl(&db, "routine stays"), acl(&db, "table mine.z"));
    let run = run(&access_grants::COLLECTOR, &db.0);
    sql(
        &db.0,
        "DROP SCHEMA gone CASCADE; DROP TYPE mine.kind CASCADE; GRANT EXECUTE ON FUNCTION mine.stays TO PUBLIC;
         REVOKE ALL ON mine.z FROM cat_x",
    );
    // By itself the file says what is missing, in its own words, and changes nothing.
    let (done, said) = apply("supabase_admin", &db, &run, "");
    assert!(!done && said.contains("in this database"), "{said}");
    assert_ne!((acl(&db, "routine stays"), acl(&db, "table mine.z")), (stays.clone(), table.clone()));
    let (done, said) = apply("supabase_admin", &db, &run, "-c stacksnap.lenient=on");
    assert!(done, "{said}");
    assert_eq!((acl(&db, "routine stays"), acl(&db, "table mine.z")), (stays, table));
}

#[test]
fn rights_that_were_written_down_are_written_down_again() {
    let _one = alone();
    let table = "CREATE TABLE mine.t (n int); ALTER TABLE mine.t OWNER TO cat_me";
    let routine = "CREATE FUNCTION mine.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'";
    let db = database(
        "grants_explicit",
        &format!(
            "{table}; {routine}; GRANT SELECT ON mine.t TO cat_x; REVOKE SELECT ON mine.t FROM cat_x;
             GRANT EXECUTE ON FUNCTION mine.f TO cat_x; REVOKE EXECUTE ON FUNCTION mine.f FROM cat_x"
        ),
    );
    let of = ["table mine.t", "routine f"];
    let before = of.map(|o| acl(&db, o));
    assert!(before.iter().all(|acl| !acl.is_empty()), "{before:?}");
    let run = run(&access_grants::COLLECTOR, &db.0);
    sql(&db.0, &format!("DROP TABLE mine.t; DROP FUNCTION mine.f; {table}; {routine}"));
    assert_eq!(of.map(|o| acl(&db, o)), ["", ""]);
    let (done, said) = apply("supabase_admin", &db, &run, "");
    assert!(done, "{said}");
    assert_eq!(of.map(|o| acl(&db, o)), before);
}
