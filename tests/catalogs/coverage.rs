//! Counts from the catalogs against what the real pg_dump wrote, on whatever fixtures the server holds.

use std::collections::BTreeMap;

use crate::support::sessions::{fixtures, fresh, open};
use crate::support::{ok, server};
use stacksnap::model::connection::ConnSpec;
use stacksnap::model::object_kind::ObjectKind;
use stacksnap::pg::catalog::coverage::{counts, coverage, disagreements};

/// Words of pg_restore -l, longest first where one begins with another.
const KINDS: &str = "ACCESS METHOD|AGGREGATE|BLOB METADATA|BLOBS|BLOB|CAST|CHECK CONSTRAINT|COLLATION|COMMENT|CONSTRAINT|\
    CONVERSION|DEFAULT ACL|ACL|DEFAULT|DOMAIN|ENCODING|EVENT TRIGGER|EXTENSION|FK CONSTRAINT|FOREIGN DATA WRAPPER|\
    FOREIGN TABLE|FUNCTION|INDEX ATTACH|INDEX|MATERIALIZED VIEW DATA|MATERIALIZED VIEW|OPERATOR CLASS|OPERATOR FAMILY|\
    OPERATOR|POLICY|PROCEDURAL LANGUAGE|PROCEDURE|PUBLICATION TABLES IN SCHEMA|PUBLICATION TABLE|PUBLICATION|\
    ROW SECURITY|RULE|SCHEMA|SEARCHPATH|SECURITY LABEL|SEQUENCE OWNED BY|SEQUENCE SET|SEQUENCE|SERVER|SHELL TYPE|\
    STATISTICS|STDSTRINGS|SUBSCRIPTION|TABLE ATTACH|TABLE DATA|TABLE|TEXT SEARCH CONFIGURATION|TEXT SEARCH DICTIONARY|\
    TEXT SEARCH PARSER|TEXT SEARCH TEMPLATE|TRANSFORM|TRIGGER|TYPE|USER MAPPING|VIEW";

/// The number of entries of each kind in a dump by the server's own client, and that client's major.
fn dumped(spec: &ConnSpec) -> (BTreeMap<ObjectKind, u64>, u32) {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump");
    ok(server().program("pg_dump", &spec.database).args(["-Fd", "-j2", "-f"]).arg(&dump));
    let list = ok(server().program("pg_restore", &spec.database).arg("-l").arg(&dump));
    let mut counts = BTreeMap::new();
    for line in list.lines().filter(|l| !l.starts_with(';') && !l.is_empty()) {
        let entry = line.splitn(4, ' ').nth(3).unwrap();
        let kind = KINDS.split('|').find(|kind| entry.starts_with(&format!("{kind} "))).unwrap_or(entry);
        *counts.entry(ObjectKind::of(kind)).or_insert(0) += 1;
    }
    let version = ok(server().program("pg_dump", &spec.database).arg("--version"));
    let major = version.split_whitespace().nth(2).unwrap().split('.').next().unwrap().parse().unwrap();
    (counts, major)
}

async fn agrees(spec: &ConnSpec) -> (BTreeMap<ObjectKind, u64>, BTreeMap<ObjectKind, u64>) {
    let (archive, major) = dumped(spec);
    let session = open(spec).await;
    let started = std::time::Instant::now();
    let catalog = counts(&session, major, &[]).await.unwrap();
    println_time("coverage counts", started);
    let rows = coverage(&catalog, &archive);
    // Exactly, the three kinds that may be more on one side too.
    let different: Vec<_> = rows.iter().filter(|row| row.in_catalogs != row.in_archive).collect();
    assert!(different.is_empty(), "{different:#?}");
    (catalog, archive)
}

#[allow(clippy::disallowed_macros, clippy::print_stderr)]
fn println_time(what: &str, started: std::time::Instant) {
    eprintln!("{what}: {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_agrees_and_one_entry_less_is_noticed() {
    let (catalog, archive) = agrees(&fixtures()).await;
    for kind in catalog.keys() {
        let mut short = archive.clone();
        *short.get_mut(kind).unwrap() -= 1;
        let rows = coverage(&catalog, &short);
        assert_eq!(disagreements(&rows).iter().map(|row| row.kind).collect::<Vec<_>>(), [*kind]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_agrees() {
    let (spec, _session) = fresh("catalog_coverage_empty").await;
    agrees(&spec).await;
}

const CORNERS: &str = "
    CREATE TABLE parent (id int PRIMARY KEY, note text DEFAULT 'x', gen int GENERATED ALWAYS AS (1) STORED, CHECK (id > 0));
    CREATE TABLE child (extra int CHECK (extra > 1)) INHERITS (parent);
    ALTER TABLE child ALTER note DROP DEFAULT;
    CREATE TABLE child2 (note text DEFAULT 'y') INHERITS (parent);
    CREATE TABLE child3 () INHERITS (parent); ALTER TABLE child3 ALTER note SET DEFAULT 'z';
    CREATE TABLE part (id bigint GENERATED ALWAYS AS IDENTITY, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY HASH (id);
    CREATE TABLE part_2_0 PARTITION OF part_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    CREATE INDEX part_at ON part (at);
    CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER on_part AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION tf();
    ALTER TABLE part_1 DISABLE TRIGGER on_part;
    CREATE TABLE pointing (part_id bigint, part_at date, n int, FOREIGN KEY (part_id, part_at) REFERENCES part);
    ALTER TABLE pointing ADD CONSTRAINT later CHECK (n > 0) NOT VALID;
    CREATE TABLE serials (a serial, b bigserial, c int);
    CREATE FUNCTION of_row(serials) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
    ALTER TABLE serials ADD CONSTRAINT cyclic CHECK (of_row(serials));
    CREATE FUNCTION c_default() RETURNS int LANGUAGE sql AS 'SELECT 1';
    ALTER TABLE serials ALTER c SET DEFAULT c_default();
    CREATE VIEW grouped AS SELECT p.id, p.note, count(*) FROM parent p GROUP BY p.id;
    CREATE VIEW plain AS SELECT id FROM parent; ALTER VIEW plain ALTER id SET DEFAULT 3;
    CREATE MATERIALIZED VIEW full_one AS SELECT 1 AS a; CREATE MATERIALIZED VIEW empty_one AS SELECT 1 AS a WITH NO DATA;
    CREATE DOMAIN positive AS int CHECK (VALUE > 0); ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 9) NOT VALID;
    CREATE TYPE mood AS ENUM ('a'); CREATE TYPE pair AS (a int, b int); CREATE TYPE span AS RANGE (subtype = float8);
    CREATE RULE ignore AS ON DELETE TO serials DO INSTEAD NOTHING;
    CREATE UNLOGGED TABLE unlogged (a int); CREATE STATISTICS st ON a, b FROM serials;
    ALTER TABLE parent ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON parent USING (true);
    CREATE PUBLICATION pub FOR TABLE parent; CREATE SEQUENCE alone; SELECT nextval('alone');
    CREATE EXTENSION IF NOT EXISTS hstore; ALTER TABLE serials ADD h hstore;
    SELECT lo_create(0), lo_create(0); COMMENT ON TABLE parent IS 'c'; ALTER SCHEMA public OWNER TO CURRENT_USER;
    CREATE CAST (pair AS text) WITH INOUT; CREATE TABLE nothing ();";

#[tokio::test(flavor = "multi_thread")]
async fn corners_of_pg_dumps_rules_agree() {
    let (spec, session) = fresh("catalog_coverage_corners").await;
    session.execute("SET search_path = public").await.unwrap();
    let corners =
        match session.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'hstore'", &[]).await.unwrap().len() {
            0 => CORNERS.replace("CREATE EXTENSION IF NOT EXISTS hstore; ALTER TABLE serials ADD h hstore;", ""),
            _ => CORNERS.to_string(),
        };
    session.execute(&corners).await.unwrap();
    let (catalog, _) = agrees(&spec).await;
    for (kind, at_least) in [("DEFAULT", 5), ("CHECK CONSTRAINT", 3), ("RULE", 2), ("TRIGGER", 2), ("INDEX ATTACH", 6)]
    {
        assert!(catalog[&ObjectKind::of(kind)] >= at_least, "{kind}: {}", catalog[&ObjectKind::of(kind)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_left_out_on_purpose_is_not_missed() {
    let (_, session) = fresh("catalog_coverage_left_out").await;
    session.execute("CREATE TABLE public.a (x int); CREATE TABLE public.b (x int)").await.unwrap();
    let oid: u32 = session.one("SELECT 'public.a'::regclass::oid", &[]).await.unwrap().get(0);
    assert_eq!(counts(&session, 15, &[oid]).await.unwrap()[&ObjectKind::TableData], 1);
    assert_eq!(counts(&session, 15, &[]).await.unwrap()[&ObjectKind::TableData], 2);
}
