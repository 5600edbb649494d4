//! Databases whose own dump the server refuses, or reads otherwise than it was meant, in some order or under some name:
//! into an empty database, in place after damage, and back by `undo`.

mod cases;

use crate::rounds::round_trip;
use crate::support::restored::{restore_with, undo};
use crate::support::{Cluster, server};
use cases::CASES;

#[test]
fn traps_of_a_dump_come_back_on_15() {
    round_trip("dump_traps", &server(), 15, CASES);
}

#[test]
fn traps_of_a_dump_come_back_on_18() {
    round_trip("dump_traps", &Cluster::start(18), 18, CASES);
}

/// The state before a restore was there once: `undo` reaches it, and names the check that nobody can prove.
#[test]
fn undo_gets_back_to_rows_that_break_a_check() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = cluster.empty("traps_check");
    cluster.sql(
        &from,
        "CREATE FUNCTION fits(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 0';
         CREATE TABLE t (id int PRIMARY KEY, v int CHECK (fits(v)), w int); INSERT INTO t VALUES (1, 5, 1), (2, 50, 2)",
    );
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    cluster.sql(
        &from,
        "CREATE OR REPLACE FUNCTION fits(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 100';
         ALTER TABLE t DROP COLUMN w; ALTER TABLE t ADD COLUMN z int DEFAULT 9",
    );
    let rows = "SELECT string_agg(t::text, ' ' ORDER BY id) FROM t";
    let damaged = cluster.sql(&from, rows);
    let bin = cluster.bin.to_str().unwrap();
    let done = restore_with(&cluster, &from, &snapshot, place.path(), &["--pg-bin", bin]);
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
    let id = done.report["id"].as_str().unwrap().to_string();
    let undone = undo(&cluster, &from, &id, place.path());
    assert_eq!((undone.code, undone.findings()), (3, Vec::new()), "{}", undone.said);
    assert_eq!(undone.exceptions(), ["left_not_valid CHECK CONSTRAINT t_v_check on public.t"], "{}", undone.said);
    assert_eq!(cluster.sql(&from, rows), damaged);
    let is_there = "SELECT count(*) FROM pg_constraint WHERE conname = 't_v_check' AND NOT convalidated";
    assert_eq!(cluster.sql(&from, is_there), "1");
    cluster.drop_database(&from);
}
