//! `create --if-changed`: every kind of change is noticed, and what changes nothing is told apart.

use std::time::{Duration, Instant};

use crate::support::sessions::{fixtures, fresh, open, role};
use crate::support::{alone, server};
use stacksnap::model::manifest::ChangeMarker;
use stacksnap::pg::catalog::marker::{Verdict, marker, unchanged};
use stacksnap::pg::catalog::marks::marks;
use stacksnap::pg::session::Session;

const SCHEMA: &str =
    "SET search_path = public; CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x');
    CREATE UNLOGGED TABLE u (x int); CREATE TABLE child (id int REFERENCES t); CREATE SEQUENCE s; SELECT nextval('s');
    CREATE POLICY p ON t USING (id > 0); CREATE TYPE mood AS ENUM ('sad');
    CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PUBLICATION pub FOR TABLE t;
    CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t; SELECT lo_create(77);
    CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf()";

/// Changes of rows: the write counters tell them.
const ROWS: &[&str] = &[
    "INSERT INTO t VALUES (2, 'y')",
    "UPDATE t SET a = 'z'",
    "DELETE FROM t WHERE id = 2",
    "REFRESH MATERIALIZED VIEW m",
    "TRUNCATE t CASCADE",
    "INSERT INTO u VALUES (1)",
    "SELECT lowrite(lo_open(77, 131072), 'bytes')",
    "COPY t FROM PROGRAM 'echo 5,x' (FORMAT csv)",
];

/// Changes of everything else: the catalogs tell them at once.
const CHANGES: &[&str] = &[
    "SELECT nextval('s')",
    "SELECT setval('s', 1)",
    "SELECT setval('s', 1, false)",
    "ALTER POLICY p ON t USING (id > 1)",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "COMMENT ON TABLE t IS 'c'",
    "GRANT SELECT ON t TO PUBLIC",
    "GRANT SELECT (a) ON t TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "ALTER ROLE catalog_marked PASSWORD 'other'",
    "ALTER ROLE catalog_marked SET work_mem = '8MB'",
    "ALTER ROLE catalog_marked IN DATABASE catalog_marker SET work_mem = '9MB'",
    "ALTER DATABASE catalog_marker SET app.settings.jwt_secret = 'a'",
    "ALTER DATABASE catalog_marker SET app.settings.jwt_secret = 'b'",
    "GRANT catalog_marked TO CURRENT_USER",
    "SELECT lo_create(78)",
    "GRANT SELECT ON LARGE OBJECT 77 TO PUBLIC",
    "ALTER TYPE mood ADD VALUE 'happy'",
    "ALTER PUBLICATION pub SET (publish = 'insert')",
    "ALTER PUBLICATION pub DROP TABLE t",
    "ALTER TABLE t DISABLE TRIGGER tr",
    "ALTER TABLE child DISABLE TRIGGER ALL",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE t FORCE ROW LEVEL SECURITY",
    "ALTER TABLE t ADD b int DEFAULT 1",
    "ALTER TABLE t ALTER b SET STATISTICS 10",
    "CREATE INDEX i ON t (a)",
    "ALTER FUNCTION f() SECURITY DEFINER",
    "ALTER TABLE t OWNER TO catalog_marked",
    "DROP TABLE child",
    "CREATE SCHEMA new",
];

async fn now(session: &Session) -> ChangeMarker {
    marker(session, "files".to_string(), "settings".to_string()).await.unwrap()
}

async fn verdict(session: &Session, old: &ChangeMarker) -> Verdict {
    let new = now(session).await;
    unchanged(session, old, &new).await.unwrap()
}

/// Did no witness see anything?
fn is_silent(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unchanged | Verdict::Uncounted)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_noticed() {
    let _alone = alone();
    let (spec, session) = fresh("catalog_marker").await;
    session.execute(SCHEMA).await.unwrap();
    role(&session, "catalog_marked", "", &spec).await;
    let asking = open(&spec).await;
    for change in ROWS {
        let old = now(&asking).await;
        let writer = open(&spec).await;
        writer.execute(&format!("SET search_path = public; {change}")).await.unwrap();
        assert!(!is_silent(&verdict(&asking, &old).await), "{change}");
        drop(writer);
        // A backend hands its counters in when it ends; `session` may still be too fresh to trust, never unchanged.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let told = verdict(&asking, &old).await;
        assert!(matches!(told, Verdict::Changed(_)), "{change}: {told:?}");
    }
    for change in CHANGES {
        let old = now(&asking).await;
        session.execute(change).await.unwrap();
        let told = verdict(&asking, &old).await;
        assert!(matches!(told, Verdict::Changed(_)), "{change}: {told:?}");
    }
    let extension =
        "SELECT name::text FROM pg_available_extensions WHERE name IN ('hstore', 'pg_net') ORDER BY 1 LIMIT 1";
    if let Some(row) = session.rows(extension, &[]).await.unwrap().first() {
        let old = now(&asking).await;
        session.execute(&format!("CREATE EXTENSION {}", row.get::<_, String>(0))).await.unwrap();
        assert!(matches!(verdict(&asking, &old).await, Verdict::Changed(_)));
    }
    let old = now(&asking).await;
    let mut other = now(&asking).await;
    other.files_sha256 = "other".to_string();
    assert!(matches!(unchanged(&asking, &old, &other).await.unwrap(), Verdict::Changed(_)));
    drop(session);
    let admin = open(&server().spec("postgres")).await;
    drop(asking);
    admin.execute("DROP DATABASE catalog_marker WITH (FORCE)").await.unwrap();
    admin.execute("DROP ROLE catalog_marked").await.unwrap();
}

/// Rows that live in tables of extensions, where the fixtures brought them.
#[tokio::test(flavor = "multi_thread")]
async fn a_cron_job_and_a_vault_secret_are_noticed() {
    let _alone = alone();
    let (session, asking) = (open(&fixtures()).await, open(&fixtures()).await);
    let cases = [
        (
            "cron.job",
            "INSERT INTO cron.job (schedule, command, jobname) VALUES ('* * * * *', 'SELECT 1', 'catalog-test')",
            "DELETE FROM cron.job WHERE jobname = 'catalog-test'",
        ),
        (
            "vault.secrets",
            "INSERT INTO vault.secrets (name, secret) VALUES ('catalog-test', 'c2VjcmV0')",
            "DELETE FROM vault.secrets WHERE name = 'catalog-test'",
        ),
    ];
    for (table, insert, delete) in cases {
        if session.one("SELECT to_regclass($1) IS NULL", &[&table]).await.unwrap().get(0) {
            continue;
        }
        let old = now(&asking).await;
        session.execute(insert).await.unwrap();
        let started = Instant::now();
        let told = verdict(&asking, &old).await;
        timing(table, started.elapsed());
        session.execute(delete).await.unwrap();
        assert!(!is_silent(&told), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_is_unchanged() {
    let _alone = alone();
    let (spec, session) = fresh("catalog_marker_quiet").await;
    session.execute(SCHEMA).await.unwrap();
    drop(session);
    let asking = open(&spec).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let old = now(&asking).await;
    let started = Instant::now();
    let told = verdict(&asking, &old).await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // Nothing at all happened here; other tests may write to their own databases meanwhile.
    if asking.version_num >= 150_000 {
        assert!(matches!(told, Verdict::Unchanged | Verdict::Uncounted), "{told:?}");
    }
    let busy = open(&spec).await;
    busy.execute("CHECKPOINT").await.unwrap();
    busy.execute("ANALYZE").await.unwrap();
    busy.execute("VACUUM").await.unwrap();
    let (_, elsewhere) = fresh("catalog_marker_elsewhere").await;
    elsewhere
        .execute("CREATE TABLE public.w (x int); INSERT INTO public.w SELECT generate_series(1, 10)")
        .await
        .unwrap();
    // Somebody was busy a moment ago: counters could still be held back.
    let told = verdict(&asking, &old).await;
    assert!(matches!(told, Verdict::Unsure(_)), "{told:?}");
    tokio::time::sleep(Duration::from_secs(12)).await;
    if asking.version_num >= 150_000 {
        assert_eq!(verdict(&asking, &old).await, Verdict::Uncounted);
    }
    // An open transaction that has written and not committed yet hides nothing, but its end must be seen.
    busy.execute("BEGIN; INSERT INTO public.t VALUES (9, 'late')").await.unwrap();
    let during = now(&asking).await;
    busy.execute("COMMIT").await.unwrap();
    drop(busy);
    assert!(!is_silent(&verdict(&asking, &during).await));
}

#[allow(clippy::disallowed_macros, clippy::print_stderr)]
fn timing(what: &str, took: Duration) {
    eprintln!("marker and verdict beside {what}: {took:?}");
}

/// The server looks where a table's rows are in the present: a table that goes away while the marks are read is none.
#[tokio::test(flavor = "multi_thread")]
async fn trap_5_tables_that_go_away_have_no_mark() {
    let (spec, session) = fresh("catalog_marker_gone").await;
    session.execute("CREATE TABLE public.still (x int)").await.unwrap();
    let other = open(&spec).await;
    let coming_and_going = async {
        for n in 0..1500 {
            other.execute(&format!("CREATE TABLE public.brief_{n} (x int)")).await.unwrap();
            if n >= 50 {
                other.execute(&format!("DROP TABLE public.brief_{}", n - 50)).await.unwrap();
            }
        }
    };
    let reading = async {
        loop {
            // A session of its own each time: what one has looked up once it does not look up again.
            assert!(!marks(&open(&spec).await).await.unwrap().tables.is_empty());
        }
    };
    tokio::select! {
        () = coming_and_going => {}
        () = reading => {}
    }
}
