//! Drift since a snapshot: what changes text or rows is named, what does not is not.

use crate::support::alone;
use crate::support::sessions::{fresh, open};
use stacksnap::pg::catalog::drift::{drift, drift_of_rows};
use stacksnap::pg::session::Session;
use stacksnap::pg::snapshot::SnapshotHolder;

const SCHEMA: &str =
    "SET search_path = public; CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x');
    CREATE TABLE gone (x int); CREATE TABLE emptied (x int); INSERT INTO emptied VALUES (1);
    CREATE TABLE plain (x int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 0);
    CREATE VIEW v AS SELECT id FROM t; CREATE TYPE mood AS ENUM ('sad');
    CREATE MATERIALIZED VIEW m AS SELECT 1 AS one; CREATE STATISTICS both_columns ON id, a FROM t;
    CREATE SEQUENCE numbers; CREATE PUBLICATION news; CREATE TYPE pair AS (a int, b text); CREATE SCHEMA side;
    CREATE TYPE distance AS (n int); CREATE FUNCTION far(distance) RETURNS int LANGUAGE sql AS 'SELECT $1.n';
    CREATE CAST (distance AS int) WITH FUNCTION far(distance);
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
            ("ALTER TYPE mood RENAME VALUE 'sad' TO 'gloomy'", &["pg_enum public.mood"]),
            (
                "CREATE OR REPLACE FUNCTION f(a int, b int DEFAULT 2) RETURNS int LANGUAGE sql AS 'SELECT b'",
                &["pg_proc public.f"],
            ),
            ("ALTER SEQUENCE numbers MAXVALUE 1000", &["pg_sequence public.numbers"]),
            ("ALTER SEQUENCE numbers RESTART WITH 1", &["pg_class public.numbers"]),
            ("ALTER INDEX t_pkey SET (fillfactor = 50)", &["pg_class public.t_pkey"]),
            ("ALTER PUBLICATION news RENAME TO older", &["pg_publication publication news"]),
            ("GRANT SELECT ON t TO PUBLIC", &["pg_class public.t"]),
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

/// What was otherwise for a moment, and is as before when we look.
#[tokio::test(flavor = "multi_thread")]
async fn trap_5_there_and_back_is_drift() {
    let back: &[(&str, &[&str])] = &[
        ("ALTER FUNCTION f RENAME TO g; ALTER FUNCTION g RENAME TO f", &["pg_proc public.f"]),
        ("ALTER FUNCTION f SET SCHEMA side; ALTER FUNCTION side.f SET SCHEMA public", &["pg_proc public.f"]),
        (
            "ALTER TYPE mood RENAME VALUE 'sad' TO 'low'; ALTER TYPE mood RENAME VALUE 'low' TO 'sad'",
            &["pg_enum public.mood"],
        ),
        (
            "ALTER TYPE pair RENAME ATTRIBUTE a TO z; ALTER TYPE pair RENAME ATTRIBUTE z TO a",
            &["pg_attribute public.pair"],
        ),
        ("ALTER VIEW v RENAME TO w; ALTER VIEW w RENAME TO v", &["pg_class public.v"]),
        ("ALTER SCHEMA side RENAME TO aside; ALTER SCHEMA aside RENAME TO side", &["pg_namespace side"]),
        ("ALTER SEQUENCE numbers MAXVALUE 9; ALTER SEQUENCE numbers NO MAXVALUE", &["pg_sequence public.numbers"]),
        (
            "ALTER TEXT SEARCH CONFIGURATION words RENAME TO w; ALTER TEXT SEARCH CONFIGURATION w RENAME TO words",
            &["pg_ts_config public.words"],
        ),
        (
            "DROP CAST (distance AS int); CREATE CAST (distance AS int) WITH FUNCTION far(distance)",
            &["pg_cast cast from distance"],
        ),
        ("DROP PUBLICATION news; CREATE PUBLICATION news", &["pg_publication publication news"]),
        ("ALTER TABLE t RENAME a TO z; ALTER TABLE t RENAME z TO a", &["pg_attribute public.t"]),
    ];
    // Each in a transaction of its own.
    let each: Vec<(String, &[&str])> = back
        .iter()
        .map(|(sql, found)| (format!("{}; COMMIT", sql.replace("; ", "; COMMIT; BEGIN; ")), *found))
        .collect();
    let each: Vec<(&str, &[&str])> = each.iter().map(|(sql, found)| (sql.as_str(), *found)).collect();
    after("catalog_drift_back", &each).await;
}

/// What the text of a row depends on, and no lock on its table holds still.
#[tokio::test(flavor = "multi_thread")]
async fn trap_5_what_rows_are_written_by_is_asked_when_they_were_read() {
    let _alone = alone();
    let (spec, session) = fresh("catalog_drift_rows").await;
    session.execute(SCHEMA).await.unwrap();
    let used = "CREATE TABLE kept (m mood[], p pair, r regclass, w regrole);
        INSERT INTO kept VALUES ('{sad}', (1, 'x'), 'v', 'pg_monitor');
        CREATE TYPE unused AS ENUM ('a'); CREATE TYPE unused_pair AS (a int, b int)";
    session.execute(used).await.unwrap();
    for (change, expected) in [
        ("ALTER TYPE mood RENAME VALUE 'sad' TO 'low'", Some("pg_enum public.mood")),
        ("ALTER TYPE pair DROP ATTRIBUTE b", Some("pg_attribute public.pair")),
        ("ALTER VIEW v RENAME TO w", Some("pg_class public.v")),
        ("ALTER ROLE catalog_drift_role RENAME TO catalog_drift_other", Some("pg_authid catalog_drift_role")),
        ("ALTER TYPE mood ADD VALUE 'glad'", None),
        ("ALTER TYPE unused RENAME VALUE 'a' TO 'b'; ALTER TYPE unused_pair DROP ATTRIBUTE b", None),
        ("CREATE OR REPLACE FUNCTION f(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT b'", None),
        ("GRANT SELECT ON t TO PUBLIC; CREATE TABLE fresh (x int); CREATE TEMP TABLE mine (x int); ANALYZE", None),
    ] {
        if change.contains("ROLE") {
            session.execute("DROP ROLE IF EXISTS catalog_drift_other; CREATE ROLE catalog_drift_role").await.unwrap();
        }
        let holder = SnapshotHolder::export(&spec, "stacksnap-test").await.unwrap();
        let old = Session::join(&spec, "stacksnap-test", &holder.exported).await.unwrap();
        session.execute(change).await.unwrap();
        let found = drift_of_rows(&old, &open(&spec).await).await.unwrap();
        let found: Vec<String> = found.into_iter().map(|d| format!("{} {}", d.catalog, d.name)).collect();
        assert_eq!(found.is_empty(), expected.is_none(), "{change}: {found:?}");
        assert!(expected.is_none_or(|wanted| found.iter().any(|f| f == wanted)), "{change}: {found:?}");
    }
    session.execute("DROP ROLE catalog_drift_other").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_the_same_is_no_drift() {
    after(
        "catalog_drift_none",
        &[
            ("SELECT 1", &[]),
            ("ALTER TYPE mood ADD VALUE 'happy'", &[]),
            ("SELECT nextval('numbers'), setval('numbers', 70)", &[]),
            ("CREATE TABLE fresh (id serial PRIMARY KEY, x text DEFAULT 'a'); INSERT INTO fresh VALUES (1)", &[]),
            ("CREATE TYPE feeling AS ENUM ('new'); CREATE VIEW v2 AS SELECT 1 AS a", &[]),
            ("CREATE INDEX ON t (a)", &[]),
            ("INSERT INTO t VALUES (2, 'y'); UPDATE t SET a = 'z'", &[]),
            ("ANALYZE", &[]),
            ("VACUUM t", &[]),
            ("REFRESH MATERIALIZED VIEW m", &[]),
            ("CREATE TEMP TABLE mine (x int)", &[]),
        ],
    )
    .await;
}
