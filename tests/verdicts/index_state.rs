//! The state of indexes beside their definitions: those that are not valid, and what constraints' indexes carry.

use std::path::Path;

use crate::support::restored::{Restored, restore};
use crate::support::{Cluster, Snapshot, ok, server, text};

const INDEXES: &str = "CREATE TABLE t (id int, a int, b text, CONSTRAINT t_pkey PRIMARY KEY (id), CONSTRAINT \"t on u\" UNIQUE (a) DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO t SELECT g, g, 'x' FROM generate_series(1, 10) g; CREATE TABLE f (id int REFERENCES t); INSERT INTO f VALUES (1);
    ALTER INDEX t_pkey SET (fillfactor = 50); ALTER INDEX \"t on u\" SET (fillfactor = 60, deduplicate_items = off);
    COMMENT ON INDEX t_pkey IS 'the key'; ALTER TABLE t CLUSTER ON t_pkey; ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey;
    CREATE INDEX ix ON t (lower(b), (a + 1)) WITH (fillfactor = 70); ALTER INDEX ix ALTER COLUMN 1 SET STATISTICS 55;
    CREATE TABLE e (x int, CONSTRAINT e_x EXCLUDE USING btree ((x + 1) WITH =)); ALTER INDEX e_x ALTER COLUMN 1 SET STATISTICS 77;
    CREATE TABLE q (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1);
    ALTER INDEX q1_pkey SET (fillfactor = 40);
    CREATE TABLE p (id int, k int) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); CREATE INDEX pi ON ONLY p (k); CREATE INDEX p1i ON p1 (k);
    ALTER INDEX pi ATTACH PARTITION p1i;
    CREATE TABLE d (v text); INSERT INTO d VALUES ('a'), ('a');
    CREATE TABLE pd (id int, v text) PARTITION BY LIST (id); CREATE TABLE pd1 PARTITION OF pd FOR VALUES IN (1);
    INSERT INTO pd VALUES (1, 'a'), (1, 'a'); CREATE INDEX pdi ON ONLY pd (v);";
/// What `pg_index` and `pg_class` say of all of them.
const SEEN: &str =
    "SELECT string_agg(concat_ws(' ', c.relname, c.reloptions, i.indisvalid, i.indisclustered, i.indisreplident,
        (SELECT string_agg(a.attstattarget::text, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid),
        obj_description(c.oid)), E'\\n' ORDER BY c.relname)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace";

/// A unique index on rows that are not: it fails and stays behind.
fn broken(cluster: &Cluster, database: &str) {
    for sql in
        ["CREATE UNIQUE INDEX CONCURRENTLY \"broken one\" ON d (v)", "CREATE UNIQUE INDEX CONCURRENTLY pd1i ON pd1 (v)"]
    {
        assert!(!cluster.psql(database).args(["-c", sql]).output().unwrap().status.success());
    }
    let disabled = "CREATE INDEX np ON d (v); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'np'::regclass";
    cluster.sql(database, disabled);
    cluster.sql(database, "COMMENT ON INDEX \"broken one\" IS 'of no use'");
}

fn source(cluster: &Cluster, name: &str) -> String {
    cluster.empty(name);
    ok(cluster.psql(name).args(["-c", INDEXES]));
    broken(cluster, name);
    name.to_string()
}

fn put_back(cluster: &Cluster, database: &str, snapshot: &Snapshot, place: &Path) -> Restored {
    let done = restore(cluster, "supabase_admin", "postgres", database, snapshot, place);
    done.is_well();
    done
}

/// Kind and identity of what differs, with how much it matters.
fn diff(cluster: &Cluster, database: &str, snapshot: &Snapshot) -> Vec<String> {
    let mut command = cluster.stacksnap(database, snapshot.folder.parent().unwrap());
    let output = command.arg("diff").arg(&snapshot.folder).args(["live", "-o", "json"]).output().unwrap();
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    let field = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap_or_default().to_string();
    let objects = report["objects"].as_array().unwrap();
    objects.iter().map(|o| format!("{} {}", field(o, "kind"), field(o, "identity"))).collect()
}

/// Without those that are named.
fn seen(cluster: &Cluster, database: &str) -> String {
    let lines = cluster.sql(database, SEEN);
    let named = |line: &&str| ["broken one ", "np ", "pd1i "].iter().any(|name| line.starts_with(name));
    lines.lines().filter(|line| !named(line)).collect::<Vec<_>>().join("\n")
}

const NAMED: [&str; 3] =
    ["index_invalid INDEX public.\"broken one\"", "index_invalid INDEX public.np", "index_invalid INDEX public.pd1i"];

fn an_index_that_is_not_valid(cluster: &Cluster) {
    let (place, database) = (tempfile::tempdir().unwrap(), source(cluster, "indexes_src"));
    let snapshot = cluster.create(&database, &place.path().join("snapshots"), 0, &[]);
    let before = seen(cluster, &database);
    // Into an empty database, by the program and by the script: left out, named, nothing else differs.
    let target = cluster.empty("indexes_dst");
    let done = put_back(cluster, &target, &snapshot, place.path());
    assert_eq!((done.code, done.exceptions()), (3, NAMED.map(str::to_string).to_vec()), "{}", done.said);
    assert_eq!(seen(cluster, &target), before);
    let script = cluster.empty("indexes_script");
    cluster.restore(&snapshot, &script, 3);
    // In place: they stay where they are, they are not missed where they went, and one that was repaired is left, but for
    // a unique one, which the snapshot's rows contradict.
    let done = put_back(cluster, &database, &snapshot, place.path());
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
    let change = "DROP INDEX \"broken one\"; DELETE FROM pd1 WHERE ctid = '(0,1)'; REINDEX INDEX pd1i; \
        UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'np'::regclass; INSERT INTO d VALUES ('b')";
    cluster.sql(&database, change);
    let done = put_back(cluster, &database, &snapshot, place.path());
    let gone = [NAMED[0].to_string(), NAMED[2].to_string()];
    assert_eq!((done.code, done.exceptions()), (3, gone.to_vec()), "{}", done.said);
    assert_eq!(
        cluster.sql(&database, "SELECT count(*) FROM pg_index WHERE indexrelid = 'np'::regclass AND indisvalid"),
        "1"
    );
    // Another one under its name is not left in its place.
    cluster.sql(&database, "CREATE INDEX \"broken one\" ON d (v, v)");
    let done = put_back(cluster, &database, &snapshot, place.path());
    assert_eq!(done.exceptions(), gone, "{}", done.said);
    // A valid one that broke is made again.
    cluster.sql(&database, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix'::regclass");
    put_back(cluster, &database, &snapshot, place.path());
    assert_eq!(seen(cluster, &database), before);
    let mut drill = cluster.stacksnap(&database, &place.path().join("snapshots"));
    let output = drill.args(["drill", "latest", "--pg-bin"]).arg(&cluster.bin).output().unwrap();
    let said = text(&output);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
}

#[test]
fn an_index_that_is_not_valid_is_left_out_and_named() {
    an_index_that_is_not_valid(&server());
}

#[test]
fn the_state_of_a_constraints_index_is_compared_and_put_right() {
    let cluster = server();
    let (place, database) = (tempfile::tempdir().unwrap(), cluster.empty("index_state"));
    ok(cluster.psql(&database).args(["-c", INDEXES]));
    let snapshot = cluster.create(&database, &place.path().join("snapshots"), 0, &[]);
    let before = seen(&cluster, &database);
    let target = cluster.empty("index_state_dst");
    let done = put_back(&cluster, &target, &snapshot, place.path());
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
    assert_eq!(seen(&cluster, &target), before, "pg_dump does not carry all of it");
    // In place by altering: the keys stay, and with them what refers to them.
    let key = "SELECT oid, relfilenode FROM pg_class WHERE relname = 't_pkey'";
    let there = cluster.sql(&database, key);
    let damage = "ALTER INDEX t_pkey SET (fillfactor = 90); ALTER INDEX \"t on u\" RESET (fillfactor); ALTER INDEX q1_pkey RESET (fillfactor); \
        ALTER INDEX \"t on u\" SET (deduplicate_items = on); ALTER INDEX e_x ALTER COLUMN 1 SET STATISTICS -1; ALTER INDEX f_pk SET (fillfactor = 10)";
    cluster.sql(&database, "ALTER TABLE f ADD CONSTRAINT f_pk PRIMARY KEY (id)");
    let snapshot = cluster.create(&database, &place.path().join("snapshots"), 0, &[]);
    cluster.sql(&database, damage);
    let differ =
        ["\"t on u\" on public.t", "e_x on public.e", "f_pk on public.f", "q1_pkey on public.q1", "t_pkey on public.t"];
    assert_eq!(diff(&cluster, &database, &snapshot), differ.map(|name| format!("CONSTRAINT {name}")));
    let done = put_back(&cluster, &database, &snapshot, place.path());
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
    assert_eq!(diff(&cluster, &database, &snapshot), Vec::<String>::new());
    assert_eq!(cluster.sql(&database, key), there);
}
