//! Constraints, indexes, triggers, keys and columns between parents and their children, in all the states that they may
//! have there: into an empty database, in place after damage, and back by `undo`. `pg_dump -s` says whether it is equal.

mod cases;

use crate::rounds::round_trip;
use crate::support::restored::{plan, restore};
use crate::support::{Cluster, server};
use cases::CASES;

#[test]
fn families_come_back_on_15() {
    round_trip("families", &server(), 15, CASES);
}

#[test]
fn families_come_back_on_18() {
    round_trip("families", &Cluster::start(18), 18, CASES);
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
