//! Partitions that are gone, or were altered with their parent: a restore in place makes them again below the parent that is
//! still there, with everything that the parent has.

use crate::support::restored::restore_with;
use crate::support::{server, text};

/// Never proved: rows that break it were there before. One partition has its columns in an order of its own.
const SOURCE: &str = "CREATE TABLE p (id int, k text NOT NULL, v numeric(8, 2) DEFAULT 1.10, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
    CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a') PARTITION BY RANGE (id);
    CREATE TABLE p_a_low PARTITION OF p_a FOR VALUES FROM (MINVALUE) TO (50);
    CREATE TABLE p_a_high PARTITION OF p_a FOR VALUES FROM (50) TO (MAXVALUE);
    CREATE TABLE p_rest (k text NOT NULL, junk int, id int NOT NULL, v numeric(8, 2)); ALTER TABLE p_rest DROP COLUMN junk;
    ALTER TABLE p ATTACH PARTITION p_rest DEFAULT; INSERT INTO p SELECT n, CASE n % 2 WHEN 0 THEN 'a' ELSE 'x' END, n FROM generate_series(1, 99) n;
    ALTER TABLE p ADD CONSTRAINT never_proved CHECK (v <> 7 AND v <> 8) NOT VALID; ALTER TABLE p ADD CONSTRAINT proved CHECK (v < 1000);
    CREATE INDEX p_idx ON p (lower(k), v) WHERE v > 2; CREATE TABLE fk (a int, k text, FOREIGN KEY (a, k) REFERENCES p);
    INSERT INTO fk VALUES (4, 'a'), (5, 'x'); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TRIGGER t AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f()";

const DAMAGES: [&str; 6] = [
    "ALTER TABLE p ADD COLUMN added int DEFAULT 5",
    "ALTER TABLE p DROP COLUMN v CASCADE",
    "DELETE FROM fk; ALTER TABLE p DETACH PARTITION p_rest; DROP TABLE p_rest",
    "DELETE FROM fk; ALTER TABLE p_a DETACH PARTITION p_a_low; DROP TABLE p_a_low",
    "DELETE FROM fk; ALTER TABLE p DETACH PARTITION p_a; DROP TABLE p_a",
    "DELETE FROM fk; ALTER TABLE p DETACH PARTITION p_rest; ALTER TABLE p_rest DROP CONSTRAINT never_proved, DROP COLUMN v",
];

#[test]
fn partitions_are_made_again_below_the_parent_that_is_there() {
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let database = cluster.empty("partitions_in_place");
    cluster.sql(&database, SOURCE);
    let snapshot = cluster.create(&database, &place.path().join("snapshots"), 0, &[]);
    let rows = "SELECT count(*), sum(v), (SELECT count(*) FROM fk) FROM p";
    for damage in DAMAGES {
        cluster.sql(&database, damage);
        let done = restore_with(&cluster, &database, &snapshot, place.path(), &["--no-safety-snapshot"]);
        assert_eq!((done.code, done.exceptions()), (0, vec![]), "{damage}: {}", done.said);
        assert_eq!(cluster.sql(&database, rows), "99|4950.00|2", "{damage}");
        let mut diff = cluster.stacksnap(&database, snapshot.folder.parent().unwrap());
        let output = diff.args(["diff"]).arg(&snapshot.folder).arg("live").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{damage}: {}", text(&output));
    }
    cluster.drop_database(&database);
}
