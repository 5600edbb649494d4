//! Drift since a snapshot: what changes text or rows is named, what does not is not.

mod catalog_support;

use catalog_support::{fresh, open};
use stacksnap::pg::catalog::drift::drift;
use stacksnap::pg::session::Session;
use stacksnap::pg::snapshot::SnapshotHolder;

const SCHEMA: &str =
    "SET search_path = public; CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x');
    CREATE TABLE gone (x int); CREATE TABLE emptied (x int); INSERT INTO emptied VALUES (1);
    CREATE TABLE plain (x int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 0);
    CREATE VIEW v AS SELECT id FROM t; CREATE TYPE mood AS ENUM ('sad');
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS one; CREATE STATISTICS both_columns ON id, a FROM t;
    CREATE TEXT SEARCH CONFIGURATION words (COPY = pg_catalog.simple); CREATE COLLATION plain_c FROM \"C\";
    CREATE FUNCTION f(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT a'";

/// Runs one change and says where the drift shows, as `catalog name`.
async fn after(name: &str, changes: &[(&str, &[&str])]) {
    let (spec, session) = fresh(name).await;
    session.execute(SCHEMA).await.unwrap();
    for (change, expected) in changes {
        let holder = SnapshotHolder::export(&spec, "stacksnap-test").await.unwrap();
        let old = Session::join(&spec, "stacksnap-test", &holder.exported).await.unwrap();
        let new = open(&spec).await;
        session.execute(change).await.unwrap();
        let found: Vec<String> =
            drift(&old, &new).await.unwrap().into_iter().map(|d| format!("{} {}", d.catalog, d.name)).collect();
        for wanted in *expected {
            assert!(found.iter().any(|f| f == wanted), "{change}: {wanted} is not among {found:?}");
        }
        assert_eq!(expected.is_empty(), found.is_empty(), "{change}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_5_what_a_snapshot_does_not_hold_still_is_drift() {
    after(
        "catalog_drift_named",
        &[
            ("ALTER TABLE t RENAME COLUMN a TO b", &["pg_attribute public.t"]),
            ("ALTER POLICY p ON t USING (id > 1)", &["pg_policy p on public.t"]),
            ("TRUNCATE emptied", &["pg_class public.emptied"]),
            ("CREATE OR REPLACE VIEW v AS SELECT id + 0 AS id FROM t", &["pg_rewrite \"_RETURN\" on public.v"]),
            ("DROP TABLE gone", &["pg_class public.gone"]),
            ("ALTER TABLE t ADD c int", &["pg_attribute public.t"]),
            ("ALTER TABLE plain ALTER x SET DEFAULT 1", &["pg_attrdef public.plain"]),
            (
                "CREATE OR REPLACE FUNCTION f(a int, b int DEFAULT 2) RETURNS int LANGUAGE sql AS 'SELECT a'",
                &["pg_proc public.f"],
            ),
            ("ALTER TYPE mood ADD VALUE 'happy'", &["pg_enum public.mood"]),
            ("ALTER TABLE t RENAME TO t2", &["pg_class public.t"]),
            ("ALTER SCHEMA public RENAME TO other", &["pg_namespace public"]),
        ],
    )
    .await;
}

/// What was dropped and made anew, word for word, was away for a moment: pg_dump writes a hole where it looked then.
#[tokio::test(flavor = "multi_thread")]
async fn trap_5_what_was_made_anew_is_drift() {
    let again: &[(&str, &[&str])] = &[
        (
            "DROP FUNCTION f; CREATE FUNCTION f(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT a'",
            &["pg_proc public.f"],
        ),
        (
            "DROP VIEW v; CREATE VIEW v AS SELECT id FROM t",
            &["pg_class public.v", "pg_rewrite \"_RETURN\" on public.v"],
        ),
        ("DROP POLICY p ON t; CREATE POLICY p ON t USING (id > 0)", &["pg_policy p on public.t"]),
        ("DROP TYPE mood; CREATE TYPE mood AS ENUM ('sad')", &["pg_type public.mood", "pg_enum public.mood"]),
        ("DROP MATERIALIZED VIEW m; CREATE MATERIALIZED VIEW m AS SELECT 1 AS one", &["pg_class public.m"]),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id)", &["pg_constraint t_pkey on public.t"]),
        (
            "DROP STATISTICS both_columns; CREATE STATISTICS both_columns ON id, a FROM t",
            &["pg_statistic_ext public.both_columns"],
        ),
        (
            "DROP TEXT SEARCH CONFIGURATION words; CREATE TEXT SEARCH CONFIGURATION words (COPY = pg_catalog.simple)",
            &["pg_ts_config public.words"],
        ),
        ("DROP COLLATION plain_c; CREATE COLLATION plain_c FROM \"C\"", &["pg_collation public.plain_c"]),
    ];
    after("catalog_drift_anew", again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_the_same_is_no_drift() {
    after(
        "catalog_drift_none",
        &[
            ("SELECT 1", &[]),
            ("CREATE OR REPLACE FUNCTION f(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT b'", &[]),
            ("CREATE TABLE fresh (id serial PRIMARY KEY, x text DEFAULT 'a'); INSERT INTO fresh VALUES (1)", &[]),
            ("CREATE TYPE feeling AS ENUM ('new'); CREATE VIEW v2 AS SELECT 1 AS a", &[]),
            ("CREATE INDEX ON t (a)", &[]),
            ("GRANT SELECT ON t TO PUBLIC", &[]),
            ("INSERT INTO t VALUES (2, 'y'); UPDATE t SET a = 'z'", &[]),
            ("ANALYZE", &[]),
            ("VACUUM t", &[]),
            ("REFRESH MATERIALIZED VIEW m", &[]),
            ("CREATE TEMP TABLE mine (x int)", &[]),
        ],
    )
    .await;
}
