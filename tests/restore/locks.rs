//! A server whose table of locks is small: a restore goes in several transactions where it may, and is refused with the
//! setting that helps where it may not.

use crate::support::restored::restore_with;
use crate::support::{Cluster, Snapshot, server};

/// Room for 120 locks, and a little more.
const SMALL: &str =
    "-c max_locks_per_transaction=10 -c max_connections=12 -c max_worker_processes=2 -c max_wal_senders=1";
const TABLES: u32 = 300;
const LARGE_OBJECTS: u32 = 2500;
const SUMS: &str = "SELECT (SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]+$' AND relkind = 'r'),
    (SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ '^t[0-9]+$' AND indisprimary),
    (SELECT md5(string_agg(l.oid || r.rolname || encode(lo_get(l.oid), 'hex'), ',' ORDER BY l.oid))
     FROM pg_largeobject_metadata l JOIN pg_roles r ON r.oid = l.lomowner),
    (SELECT count(*) FROM pg_description WHERE classoid = 'pg_largeobject'::regclass)";

fn many(cluster: &Cluster) -> String {
    let database = cluster.empty("many_locks");
    let tables: String = (0..TABLES)
        .map(|n| format!("CREATE TABLE t{n} (id int PRIMARY KEY, n text); INSERT INTO t{n} VALUES ({n}, 'x');"))
        .collect();
    for part in tables.split_inclusive(';').collect::<Vec<_>>().chunks(100) {
        cluster.sql(&database, &part.concat());
    }
    cluster.sql("postgres", "DROP ROLE IF EXISTS locks_owner; CREATE ROLE locks_owner");
    let objects = format!(
        "SELECT count(lo_from_bytea(200000 + g, int4send(g))) FROM generate_series(1, {LARGE_OBJECTS}) g;
         SET ROLE locks_owner; SELECT count(lo_from_bytea(300000 + g, int4send(g))) FROM generate_series(1, 50) g; RESET ROLE;
         COMMENT ON LARGE OBJECT 200007 IS 'seven'"
    );
    cluster.sql(&database, &objects);
    database
}

fn restored_on(small: &Cluster, snapshot: &Snapshot, wanted: &str) {
    let place = tempfile::tempdir().unwrap();
    let to = small.empty("many_locks_new");
    let agreed = ["--no-safety-snapshot", "--replace-other-project"];
    let into = || restore_with(small, &to, snapshot, place.path(), &agreed);
    let done = into();
    assert_eq!((done.code, done.exceptions(), done.findings()), (0, Vec::new(), Vec::new()), "{}", done.said);
    assert_eq!(small.sql(&to, SUMS), wanted);
    // In place large objects are written without a lock for each.
    small.sql(&to, "SELECT lo_put(200005, 0, 'other'); SELECT lo_unlink(200006); SELECT lo_from_bytea(5, '')");
    small.sql(
        &to,
        "ALTER LARGE OBJECT 200008 OWNER TO locks_owner; DROP TABLE t5; COMMENT ON LARGE OBJECT 200007 IS 'x'",
    );
    let done = into();
    assert_eq!((done.code, done.exceptions(), done.findings()), (0, Vec::new(), Vec::new()), "{}", done.said);
    assert_eq!(small.sql(&to, SUMS), wanted);
    // All or nothing does not fit. One that is left makes it a database of somebody.
    for n in 1..TABLES {
        small.sql(&to, &format!("DROP TABLE t{n}"));
    }
    let before = small.sql(&to, SUMS);
    let refused = into();
    assert_eq!(refused.code, 78, "{}", refused.said);
    assert!(refused.said.contains("ALTER SYSTEM SET max_locks_per_transaction = 128"), "{}", refused.said);
    assert_eq!(small.sql(&to, SUMS), before);
    small.drop_database(&to);
}

#[test]
fn a_restore_fits_into_a_small_table_of_locks() {
    // A server of its own: every role of a shared one would be made on the small one too, and take room there.
    let cluster = Cluster::start(server().major());
    let place = tempfile::tempdir().unwrap();
    let from = many(&cluster);
    let wanted = cluster.sql(&from, SUMS);
    assert!(wanted.starts_with(&format!("{TABLES}|{TABLES}|")), "{wanted}");
    let snapshot = cluster.create(&from, &place.path().join("snapshots"), 0, &[]);
    for major in [15, 18] {
        restored_on(&Cluster::start_with(major, SMALL), &snapshot, &wanted);
    }
    cluster.drop_database(&from);
}
