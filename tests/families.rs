//! Constraints, indexes, triggers, keys and columns between parents and their children, in all the states that they may
//! have there: into an empty database, in place after damage, and back by `undo`. `pg_dump -s` says whether it is equal.
#![allow(clippy::disallowed_methods)]

#[path = "families/cases.rs"]
mod cases;
mod round_support;

use std::path::Path;
use std::process::Command;

use cases::{CASES, Case};
use round_support::restored::{plan, restore};
use round_support::{Cluster, Snapshot, ok, server, text};

/// What `pg_dump -s` leaves out.
const UNDUMPED: &str = "SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), description FROM pg_description
        WHERE classoid IN ('pg_constraint'::regclass, 'pg_trigger'::regclass) AND objoid >= 16384
    UNION ALL SELECT 'constraint', concat(conrelid::regclass, ' ', conname), concat(contype, convalidated,
            CASE WHEN contype IN ('c', 'n') THEN conislocal END, connoinherit AND contype IN ('c', 'n')) FROM pg_constraint WHERE conrelid >= 16384
    UNION ALL SELECT 'index', indexrelid::regclass::text, indisvalid::text FROM pg_index
        WHERE indexrelid >= 16384 AND indrelid::regclass::text !~ '^pg_toast'
    ORDER BY 1, 2, 3";
/// A query for each table.
const ROWS: &str =
    "SELECT format('SELECT %L, count(*), md5(string_agg(t::text, '','' ORDER BY t::text)) FROM ONLY %s t',
        c.oid::regclass, c.oid::regclass) FROM pg_class c
    WHERE c.oid >= 16384 AND c.relkind = 'r' AND c.oid::regclass::text !~ '^pg_' ORDER BY c.oid::regclass::text";

fn cases_of(major: u32) -> impl Iterator<Item = &'static Case> {
    let only = std::env::var("STACKSNAP_CASE").unwrap_or_default();
    CASES.iter().filter(move |case| case.since <= major && (only.is_empty() || case.name == only))
}

fn seen(cluster: &Cluster, database: &str) -> String {
    let dump = ok(cluster.program("pg_dump", database).args(["-s", "-d", database]));
    let lines = dump.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    // Parts of a UNION may come in any order, and the server's statistics change it.
    let rows = cluster.sql(database, ROWS).lines().collect::<Vec<_>>().join(" UNION ALL ") + " ORDER BY 1";
    let rows = cluster.sql(database, &rows);
    format!("{}\n{}\n{rows}", lines.collect::<Vec<_>>().join("\n"), cluster.sql(database, UNDUMPED))
}

#[track_caller]
fn assert_same(now: &str, before: &str, when: &str) {
    if now == before {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (was, is) = (place.path().join("was"), place.path().join("is"));
    std::fs::write(&was, before).unwrap();
    std::fs::write(&is, now).unwrap();
    let shown = Command::new("diff").arg("-u").args([was, is]).output().unwrap();
    panic!("{when}: {}", text(&shown));
}

fn damage(cluster: &Cluster, database: &str, case: &Case, sql: &str) {
    cluster.sql(database, &format!("SET search_path = {}; {sql}", case.name));
}

fn stacksnap(cluster: &Cluster, database: &str, place: &Path, arguments: &[&str]) -> (i32, String) {
    let output = cluster.stacksnap(database, &place.join("snapshots")).args(arguments).output().unwrap();
    (output.status.code().unwrap_or(-1), text(&output))
}

/// Restores in place with a safety snapshot, and takes that back.
fn there_and_back(cluster: &Cluster, database: &str, snapshot: &Snapshot, place: &Path, before: &str) {
    let damaged = seen(cluster, database);
    let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname={database}", cluster.port);
    let folder = snapshot.folder.to_str().unwrap();
    let bin = cluster.bin.to_str().unwrap();
    let agreed = ["--to", &to, "--confirm", database, "--pg-bin", bin, "-o", "json"];
    let (code, said) = stacksnap(cluster, database, place, &[&["restore", folder][..], &agreed].concat());
    assert_eq!(code, 0, "{said}");
    assert_same(&seen(cluster, database), before, "restored before it is undone");
    let report: serde_json::Value = said
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str(line).ok().filter(serde_json::Value::is_object))
        .unwrap();
    let id = report["id"].as_str().unwrap_or_else(|| panic!("{said}"));
    let (code, said) = stacksnap(cluster, database, place, &[&["undo", id][..], &agreed].concat());
    assert_eq!(code, 0, "{said}");
    assert_same(&seen(cluster, database), &damaged, "undone");
}

fn round_trip(cluster: &Cluster, major: u32) {
    let place = tempfile::tempdir().unwrap();
    let from = cluster.empty("families");
    for case in cases_of(major) {
        cluster.sql(&from, &format!("CREATE SCHEMA {0}; SET search_path = {0}; {1}", case.name, case.setup));
    }
    let before = seen(cluster, &from);
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    assert_eq!(snapshot.gaps(), Vec::<String>::new());
    let is_equal = |database: &str, when: &str| {
        let done = restore(cluster, "supabase_admin", "postgres", database, &snapshot, place.path());
        assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{when}: {}", done.said);
        assert_same(&seen(cluster, database), &before, when);
    };
    let to = cluster.empty("families_new");
    is_equal(&to, "into an empty database");
    let folder = snapshot.folder.to_str().unwrap();
    let (code, said) = stacksnap(cluster, &to, place.path(), &["diff", folder, "live"]);
    assert_eq!(code, 0, "{said}");
    let rounds = cases_of(major).map(|case| case.damages.len()).max().unwrap_or(0);
    for round in 0..rounds {
        let damages = cases_of(major).filter_map(|case| Some((case, case.damages.get(round)?)));
        damages.for_each(|(case, sql)| damage(cluster, &from, case, sql));
        if round == 0 {
            there_and_back(cluster, &from, &snapshot, place.path(), &before);
        }
        is_equal(&from, &format!("in place after damage {round}"));
    }
    cluster.drop_database(&from);
    cluster.drop_database(&to);
}

#[test]
fn families_come_back_on_15() {
    round_trip(&server(), 15);
}

#[test]
fn families_come_back_on_18() {
    round_trip(&Cluster::start(18), 18);
}

const REORDERED: &str = "CREATE TABLE a (k text, a text); CREATE TABLE b (bb text, x int) INHERITS (a); ALTER TABLE b DROP x;
    ALTER TABLE a ADD COLUMN later int; CREATE TABLE c (cc int) INHERITS (b); ALTER TABLE a ADD COLUMN last int DEFAULT 7;
    CREATE TABLE d (a text, z int, k text, last int, later int); ALTER TABLE d INHERIT a;
    INSERT INTO b VALUES ('1', 'x', 'y', 2); INSERT INTO c VALUES ('2', 'x', 'y', 3, 4);
    INSERT INTO d VALUES ('u', 1, 'v', 3, 4); CREATE VIEW v AS SELECT * FROM b;
    CREATE FUNCTION ne(boolean, boolean) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> $2';
    CREATE OPERATOR === (FUNCTION = ne, LEFTARG = boolean, RIGHTARG = boolean, NEGATOR = OPERATOR(public.!==));
    DROP OPERATOR === (boolean, boolean)";

/// pg_dump makes the columns of parents first. Nothing is lost by that, and it is said; an operator that another one only
/// named is none.
#[test]
fn columns_in_an_order_that_no_dump_makes_are_named() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = cluster.empty("families_order");
    cluster.sql(&from, REORDERED);
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    let to = cluster.empty("families_order_new");
    let named = ["b", "c", "d"].map(|table| format!("column_order TABLE public.{table}"));
    let done = restore(&cluster, "supabase_admin", "postgres", &to, &snapshot, place.path());
    assert_eq!((done.code, done.exceptions()), (3, named.to_vec()), "{}", done.said);
    assert_eq!(done.findings(), Vec::<String>::new(), "{}", done.said);
    let rows = "SELECT k, a, bb, later, last FROM b UNION ALL SELECT k, a, z::text, later, last FROM d ORDER BY 1, 2";
    assert_eq!(cluster.sql(&to, rows), cluster.sql(&from, rows));
    // In its own database the order is the snapshot's until a table has to be made again.
    cluster.sql(&from, "DROP TABLE d");
    // The second one has nothing to do, and says the same.
    for times in 0..2 {
        let done = restore(&cluster, "supabase_admin", "postgres", &from, &snapshot, place.path());
        assert_eq!((done.code, done.exceptions()), (3, named[2..].to_vec()), "{times}: {}", done.said);
    }
    let planned = plan(&cluster, "supabase_admin", "postgres", &from, &snapshot, place.path());
    assert_eq!((planned.planned("replace"), planned.planned("drop")), (Vec::new(), Vec::new()), "{}", planned.said);
    assert_eq!(cluster.sql(&from, rows), cluster.sql(&to, rows));
    cluster.drop_database(&from);
    cluster.drop_database(&to);
}
