//! The database itself: what `ALTER DATABASE` can set comes back, what only a new one can have is named beforehand.

use crate::support::commands::{restore, snapshot};
use crate::support::{Database, Place, Ran, server};
use serde_json::Value;

fn set(database: &Database, options: &str) {
    database.server.sql("postgres", &format!("ALTER DATABASE {} WITH {options}", database.name));
}

fn properties(database: &Database) -> String {
    database.sql("SELECT datconnlimit, datistemplate FROM pg_database WHERE datname = current_database()")
}

fn restored(place: &Place, target: &Database, args: &[&str]) -> Ran {
    Ran::of(&mut restore(place, target.access(), "latest", &[&["-o", "json"], args].concat()))
}

fn why<'d>(document: &'d Value, pointer: &str) -> Vec<&'d str> {
    let all = document.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    all.filter(|e| e["code"] == "database_differs").map(|e| e["why"].as_str().unwrap()).collect()
}

#[test]
fn what_can_be_set_comes_back_in_place_elsewhere_and_in_a_drill() {
    let (database, other) = (server().small(), server().database("TEMPLATE template0"));
    set(&database, "CONNECTION LIMIT 7");
    let place = Place::new();
    snapshot(&place, &database, &[]);
    set(&database, "CONNECTION LIMIT 1 IS_TEMPLATE true");
    let plan = restored(&place, &database, &["--dry-run"]).json();
    let planned: Vec<&str> =
        plan["replace"].as_array().unwrap().iter().map(|o| o["identity"].as_str().unwrap()).collect();
    assert_eq!(planned, ["database: connection limit", "database: template"], "{plan:#}");
    let done = restored(&place, &database, &["--confirm", &database.name]);
    assert_eq!((done.code, properties(&database).as_str()), (0, "7|f"), "{done:?}");
    let again = restored(&place, &database, &["--confirm", &database.name]);
    assert_eq!((again.code, &again.json()["statements"]), (0, &0.into()), "{again:?}");
    let fresh = restored(&place, &other, &["--confirm", &other.name]);
    assert_eq!((fresh.code, properties(&other).as_str()), (0, "7|f"), "{fresh:?}");
    let drill = Ran::of(place.bare(&["drill", "latest", "-o", "json"]).arg("--pg-bin").arg(&server().bin));
    assert_eq!(drill.code, 0, "{drill:?}");
}

#[test]
fn what_only_a_new_database_can_have_is_named_before_and_after() {
    let database = server().small();
    let icu = database.sql("SELECT count(*) > 0 FROM pg_collation WHERE collprovider = 'i'") == "t";
    let clause = if icu { "LOCALE_PROVIDER icu ICU_LOCALE 'en'" } else { "LOCALE 'C'" };
    let target = server().database(&format!("TEMPLATE template0 {clause}"));
    let word = if icu { "locale provider libc, here icu" } else { "collation" };
    let place = Place::new();
    snapshot(&place, &database, &[]);
    let plan = restored(&place, &target, &["--dry-run"]).json();
    assert!(why(&plan, "/exceptions").iter().any(|why| why.contains(word)), "{plan:#}");
    let done = restored(&place, &target, &["--confirm", &target.name]);
    assert_eq!(done.code, 3, "{done:?}");
    let report = done.json();
    assert_eq!(report["proof"]["verdict"], "except", "{report:#}");
    assert!(why(&report, "/proof/exceptions").iter().any(|why| why.contains(word)), "{report:#}");
    // Nothing is left to do, and it is not called equal all the same.
    let mut command = place.bare(&["diff", "latest", "live", "-o", "json"]);
    let access = target.access();
    command.env("PGHOST", access.host).env("PGPORT", access.port.to_string()).env("PGUSER", access.user);
    let diff = Ran::of(command.env("PGPASSWORD", access.password).env("PGDATABASE", access.database));
    assert_eq!(diff.code, 4, "{diff:?}");
    assert!(diff.json()["objects"].as_array().unwrap().iter().any(|o| o["kind"] == "DATABASE"), "{diff:?}");
}
