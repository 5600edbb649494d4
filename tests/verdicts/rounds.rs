//! One database of many small cases that goes there and back: into an empty database, in place after damage, and back by
//! `undo`. `pg_dump -s`, what it leaves out, and all rows say whether it is equal.
//!
//! Each case has its own schema, which is first in the search path. Damages are done one after the other, each to the
//! restored state.

use std::path::Path;
use std::process::Command;

use crate::support::restored::restore;
use crate::support::{Cluster, Snapshot, ok, text};

pub struct Case {
    pub name: &'static str,
    /// The first server that has it.
    pub since: u32,
    pub setup: &'static str,
    pub damages: &'static [&'static str],
}

pub const fn case(name: &'static str, setup: &'static str, damages: &'static [&'static str]) -> Case {
    Case { name, since: 12, setup, damages }
}

pub const fn later(since: u32, name: &'static str, setup: &'static str, damages: &'static [&'static str]) -> Case {
    Case { name, since, setup, damages }
}

/// What `pg_dump -s` leaves out.
const UNDUMPED: &str = "SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), description FROM pg_description
        WHERE objoid >= 16384
    UNION ALL SELECT 'constraint', concat(conrelid::regclass, ' ', conname), concat(contype, convalidated,
            CASE WHEN contype IN ('c', 'n') THEN conislocal END, connoinherit AND contype IN ('c', 'n')) FROM pg_constraint WHERE conrelid >= 16384
    UNION ALL SELECT 'index', indexrelid::regclass::text, indisvalid::text FROM pg_index
        WHERE indexrelid >= 16384 AND indrelid::regclass::text !~ '^pg_toast'
    UNION ALL SELECT 'call', pg_describe_object(classid, objid, objsubid), refobjid::regprocedure::text FROM pg_depend
        WHERE refclassid = 'pg_proc'::regclass AND refobjid >= 16384 AND deptype = 'n'
    ORDER BY 1, 2, 3";
/// A query for each table.
const ROWS: &str =
    "SELECT format('SELECT %L, count(*), md5(string_agg(t::text, '','' ORDER BY t::text)) FROM ONLY %s t',
        c.oid::regclass, c.oid::regclass) FROM pg_class c
    WHERE c.oid >= 16384 AND c.relkind = 'r' AND c.oid::regclass::text !~ '^pg_' ORDER BY c.oid::regclass::text";

fn cases_of(cases: &'static [Case], major: u32) -> impl Iterator<Item = &'static Case> {
    let only = std::env::var("STACKSNAP_CASE").unwrap_or_default();
    cases.iter().filter(move |case| case.since <= major && (only.is_empty() || case.name == only))
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

/// `name` begins the names of the databases.
pub fn round_trip(name: &str, cluster: &Cluster, major: u32, cases: &'static [Case]) {
    let place = tempfile::tempdir().unwrap();
    let from = cluster.empty(name);
    for case in cases_of(cases, major) {
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
    let to = cluster.empty(&format!("{name}_new"));
    is_equal(&to, "into an empty database");
    let folder = snapshot.folder.to_str().unwrap();
    let (code, said) = stacksnap(cluster, &to, place.path(), &["diff", folder, "live"]);
    assert_eq!(code, 0, "{said}");
    let rounds = cases_of(cases, major).map(|case| case.damages.len()).max().unwrap_or(0);
    for round in 0..rounds {
        let damages = cases_of(cases, major).filter_map(|case| Some((case, case.damages.get(round)?)));
        damages.for_each(|(case, sql)| damage(cluster, &from, case, sql));
        if round == 0 {
            there_and_back(cluster, &from, &snapshot, place.path(), &before);
        }
        is_equal(&from, &format!("in place after damage {round}"));
    }
    cluster.drop_database(&from);
    cluster.drop_database(&to);
}
