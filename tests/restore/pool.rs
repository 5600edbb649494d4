//! The parallel phase against a live server: everything in, equal, and a clean end when something breaks.

use std::time::{Duration, Instant};

use crate::support::archive::{Archive, message};
use crate::support::{Cluster, server};
use stacksnap::model::cancel::{Cancel, CancelReason};
use stacksnap::model::failure::FailureKind;
use stacksnap::model::name::QualifiedName;
use stacksnap::monitor::{Event, Phase, Recording, Silent};
use stacksnap::pg::session::Session;
use stacksnap::restore::rows::pool::{BuildTask, PoolDone, run};
use stacksnap::restore::sql::runner::Runner;

const REPLICA: &str = "SET session_replication_role = replica";

fn build(dump_id: i64, statements: &[&str], tables: &[&str]) -> BuildTask {
    let tables: Vec<QualifiedName> = tables.iter().map(|name| QualifiedName::new("public", *name)).collect();
    BuildTask {
        dump_id,
        what: format!("build {dump_id}"),
        statements: statements.iter().map(ToString::to_string).collect(),
        needs: vec![],
        after_rows: tables.clone(),
        tables,
        shared: false,
        weight: 1,
    }
}

fn failures(done: &PoolDone) -> Vec<String> {
    done.failed.iter().map(|f| format!("{}: {}", f.what, message(&f.failure))).collect()
}

/// The phase may run as a task of its own.
fn sendable<T>(work: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
    work
}

/// Our server processes that still do something.
fn at_work(cluster: &Cluster, database: &str) -> String {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'stacksnap restore' AND state <> 'idle'"
    );
    cluster.sql("postgres", &sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn r33_rows_indexes_and_foreign_keys_over_several_connections() {
    let cluster = server();
    let from = cluster.load("pool_from", "revoked", &["cycles", "gen_rows", "200000"]);
    let archive = Archive::of(&cluster, &from, &[]);
    let objects = "SELECT count(*) || ' ' || (SELECT count(*) FROM pg_constraint WHERE connamespace > 16383 AND convalidated) \
                   FROM pg_index WHERE indrelid > 16383 AND indisvalid";
    for jobs in [1, 3] {
        let to = archive.schema(&cluster, "pool_to");
        let mut loads = archive.tasks();
        loads.iter_mut().for_each(|load| load.freeze = true);
        let (rows, bytes): (u64, u64) = (loads.iter().map(|l| l.rows).sum(), loads.iter().map(|l| l.bytes_raw).sum());
        let builds = archive.builds();
        assert!(builds.len() > 10, "{}", builds.len());
        let statements = builds.len() as u64;
        let heard = Recording::default();
        let setup = [REPLICA.to_string()];
        let (spec, cancel) = (cluster.spec(&to), Cancel::new());
        let work = sendable(run(&spec, &setup, loads, builds, jobs, &heard, &cancel));
        let done = work.await.unwrap();
        assert_eq!(failures(&done), Vec::<String>::new());
        assert_eq!((done.rows, done.bytes, done.statements), (rows, bytes, statements));
        Archive::of(&cluster, &to, &[]).assert_same_rows(&archive);
        assert_eq!(cluster.sql(&from, objects), cluster.sql(&to, objects));
        let last = |event: &Event| {
            if let Event::PhaseProgress { phase: Phase::Load, bytes_done } = event { Some(*bytes_done) } else { None }
        };
        assert_eq!(heard.events().iter().filter_map(last).max(), Some(bytes));
    }
}

/// The server reads a message whole before it runs any of it: with one that it cannot read the savepoint is there all
/// the same, what was done before stays, and the reason is the statement's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_the_server_cannot_read_costs_only_itself() {
    let cluster = server();
    let database = cluster.empty("pool_unreadable");
    let session = Session::open(&cluster.spec(&database), "stacksnap restore").await.unwrap();
    let cancel = Cancel::new();
    let runner = Runner::new(&session, &cancel);
    session.execute("BEGIN").await.unwrap();
    assert!(runner.attempt("a table", "CREATE TABLE public.kept_1 ()").await.unwrap().is_none());
    for (wrong, code) in [("CREATE FUNCTION public.f() RETURNS LANGUAGE sql", "42601"), ("SELECT 1 / 0", "22012")] {
        let failure = runner.attempt("something", wrong).await.unwrap().unwrap();
        assert!(message(&failure).contains(code), "{}", message(&failure));
    }
    assert!(runner.attempt("another", "CREATE TABLE public.kept_2 ()").await.unwrap().is_none());
    session.execute("COMMIT").await.unwrap();
    assert_eq!(cluster.sql(&database, "SELECT count(*) FROM pg_class WHERE relname ~ '^kept_'"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_takes_with_it_only_what_needs_it() {
    let cluster = server();
    let database = cluster.empty("pool_failed");
    cluster.sql(&database, "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a VALUES (1), (1)");
    let half = build(2, &["ALTER TABLE public.b ADD COLUMN half int", "SELECT no_such_function()"], &["b"]);
    let needy = BuildTask { needs: vec![1], ..build(3, &["CREATE TABLE public.never ()"], &["b"]) };
    let builds = vec![
        build(1, &["ALTER TABLE public.a ADD PRIMARY KEY (n)"], &["a"]),
        half,
        needy,
        build(4, &["CREATE INDEX good ON public.a (n)"], &["a"]),
        BuildTask { needs: vec![5], ..build(5, &["SELECT 1"], &[]) },
    ];
    let spec = cluster.spec(&database);
    let done = run(&spec, &[], vec![], builds, 2, &Silent, &Cancel::new()).await.unwrap();
    let mut found = failures(&done);
    found.sort();
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].contains("build 1") && found[0].contains("23505"), "{found:?}");
    assert!(found[1].contains("build 2") && found[1].contains("42883"), "{found:?}");
    assert!(found[2].contains("not tried: it needs build 1"), "{found:?}");
    assert!(found[3].contains("build 5: not tried"), "{found:?}");
    assert_eq!(done.statements, 1);
    let left =
        "SELECT (to_regclass('good') IS NOT NULL) || ' ' || (SELECT count(*) FROM pg_attribute WHERE attname = 'half')";
    assert_eq!(cluster.sql(&database, left), "true 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_ends_the_phase_and_nothing_goes_on_behind_it() {
    let cluster = server();
    let database = cluster.empty("pool_lost");
    cluster.sql(&database, "CREATE TABLE a (n int); CREATE TABLE b (n int)");
    let builds =
        vec![build(1, &["SELECT 'first', pg_sleep(60)"], &["a"]), build(2, &["SELECT 'second', pg_sleep(60)"], &["b"])];
    let spec = cluster.spec(&database);
    let kill = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(at_work(&cluster, &database), "2");
        cluster.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT ''first''%'",
        );
        Instant::now()
    };
    let silent = Cancel::new();
    let (result, killed) = tokio::join!(run(&spec, &[], vec![], builds, 2, &Silent, &silent), kill);
    let failure = result.unwrap_err();
    assert!(killed.elapsed() < Duration::from_secs(2));
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    assert!(message(&failure).contains("build 1 was not built"), "{failure}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(at_work(&cluster, &database), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_killed_while_rows_run_ends_the_phase() {
    let cluster = server();
    let (archive, to) = Archive::with_rows(&cluster, "pool_killed", 200_000);
    let spec = cluster.spec(&to);
    // A trigger makes each row slow, so that the COPY is under way when its process dies.
    cluster.sql(&to, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.0001); RETURN new; END$$; \
        CREATE TRIGGER slow BEFORE INSERT ON gen.rows FOR EACH ROW EXECUTE FUNCTION slow()");
    let killer = Session::open(&spec, "killer").await.unwrap();
    let kill = async {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_copy WHERE datname = current_database() AND tuples_processed > 100";
        let give_up = Instant::now() + Duration::from_secs(10);
        while killer.rows(sql, &[]).await.unwrap().is_empty() && Instant::now() < give_up {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Instant::now()
    };
    let cancel = Cancel::new();
    let (result, killed) = tokio::join!(run(&spec, &[], archive.tasks(), vec![], 2, &Silent, &cancel), kill);
    let failure = result.unwrap_err();
    assert!(killed.elapsed() < Duration::from_secs(2));
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    assert!(message(&failure).contains("\"gen\".\"rows\""), "{failure}");
    assert_eq!(cluster.sql(&to, "SELECT count(*) FROM gen.rows"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_heard_within_a_second_and_ends_what_runs() {
    let cluster = server();
    let database = cluster.empty("pool_cancel");
    cluster.sql(&database, "CREATE TABLE a (n int)");
    let builds = vec![build(1, &["SELECT pg_sleep(60)"], &["a"]), build(2, &["SELECT pg_sleep(60)"], &[])];
    let cancel = Cancel::new();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(at_work(&cluster, &database), "2");
        cancel.cancel(CancelReason::Interrupted);
        Instant::now()
    };
    let spec = cluster.spec(&database);
    let (result, stopped) = tokio::join!(run(&spec, &[], vec![], builds, 2, &Silent, &cancel), stop);
    assert!(stopped.elapsed() < Duration::from_secs(1));
    assert_eq!(result.unwrap_err().kind, FailureKind::Interrupted);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(at_work(&cluster, &database), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_3_a_damaged_file_ends_the_phase_as_damage() {
    let cluster = server();
    let (archive, to) = Archive::with_rows(&cluster, "pool_damage", 20_000);
    let whole = archive.tasks().remove(0);
    let packed = archive.bytes(&whole);
    let cut = archive.variant(&whole, "cut.dat.gz", &packed[..packed.len() * 2 / 3]);
    let key = BuildTask { after_rows: vec![cut.table.clone()], ..build(1, &["CREATE TABLE public.never ()"], &[]) };
    let failure = run(&cluster.spec(&to), &[], vec![cut], vec![key], 2, &Silent, &Cancel::new()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Integrity, "{failure}");
    assert_eq!(cluster.sql(&to, "SELECT count(*) FROM gen.rows"), "0");
    assert_eq!(cluster.sql(&to, "SELECT to_regclass('never') IS NULL"), "t");
}
