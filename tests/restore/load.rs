//! Rows from an archive into a live server: whole, in parts, from damaged files, from killed connections.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::archive::{Archive, message};
use crate::support::server;
use stacksnap::model::cancel::{Cancel, CancelReason};
use stacksnap::model::failure::FailureKind;
use stacksnap::model::fingerprint::TableFingerprint;
use stacksnap::model::name::QualifiedName;
use stacksnap::pg::session::Session;
use stacksnap::restore::rows::load::{LoadTask, load_one, load_split};

fn quiet(_: u64) {}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_the_fixtures_comes_back_equal() {
    let cluster = server();
    let from = cluster.load("load_types_from", "revoked", &["types", "nasty"]);
    let archive = Archive::of(&cluster, &from, &[]);
    let to = archive.schema(&cluster, "load_types_to");
    let session = Session::open(&cluster.spec(&to), "test").await.unwrap();
    session.execute("SET session_replication_role = replica").await.unwrap();
    let tasks = archive.tasks();
    assert!(tasks.len() > 60, "{}", tasks.len());
    for task in &tasks {
        let sum = AtomicU64::new(0);
        let count = |bytes| {
            sum.fetch_add(bytes, Ordering::Relaxed);
        };
        let loaded = load_one(&session, task, &Cancel::new(), &count).await.unwrap();
        assert_eq!((loaded.rows, loaded.bytes), (task.rows, task.bytes_raw));
        assert_eq!(sum.into_inner(), task.bytes_raw);
    }
    Archive::of(&cluster, &to, &[]).assert_same_rows(&archive);
}

#[tokio::test(flavor = "multi_thread")]
async fn r33_a_table_in_parts_over_three_connections_is_the_same_table() {
    let cluster = server();
    let (archive, to) = Archive::with_rows(&cluster, "load_split", 50_000);
    // Rows longer than a piece stay whole although others run beside them.
    let task = archive.tasks().remove(0);
    let spec = cluster.spec(&to);
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(Session::open(&spec, "test").await.unwrap());
    }
    let borrowed: Vec<&Session> = sessions.iter().collect();
    let loaded = load_split(&borrowed, &task, &Cancel::new(), &quiet).await.unwrap();
    assert_eq!(loaded.rows, task.rows);
    Archive::of(&cluster, &to, &["--data-only"]).assert_same_rows(&archive);

    // A second time the key is violated on one of them: nothing is added by any.
    cluster.sql(&to, &format!("TRUNCATE {0}; ALTER TABLE {0} ADD UNIQUE (id)", task.table.sql()));
    cluster.sql(&to, &format!("INSERT INTO {} VALUES (25000, 1, now())", task.table.sql()));
    let failure = load_split(&borrowed, &task, &Cancel::new(), &quiet).await.unwrap_err();
    assert!(message(&failure).contains("23505"), "{failure}");
    drop(sessions);
    assert_eq!(cluster.sql(&to, &format!("SELECT count(*) FROM {}", task.table.sql())), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_3_a_wrong_or_cut_file_inserts_nothing() {
    let cluster = server();
    let (archive, to) = Archive::with_rows(&cluster, "load_damage", 2_000);
    let session = Session::open(&cluster.spec(&to), "test").await.unwrap();
    let whole = archive.tasks().remove(0);
    let other = LoadTask { fingerprint: TableFingerprint::new().hex(), ..whole.clone() };
    let fewer = LoadTask { rows: whole.rows + 1, ..whole.clone() };
    let missing = LoadTask { file_name: "0.dat".into(), ..whole.clone() };
    let plain = archive.decoded(&whole);
    let cut_at_row = archive.variant(
        &whole,
        "cut.dat",
        &plain[..=plain[..plain.len() / 2].iter().rposition(|b| *b == b'\n').unwrap()],
    );
    let empty = archive.variant(&whole, "empty.dat", b"");
    let packed = archive.bytes(&whole);
    let cut_gzip = archive.variant(&whole, "half.dat.gz", &packed[..packed.len() / 2]);
    let mut flipped = packed.clone();
    flipped[packed.len() / 2] ^= 4;
    let flipped = archive.variant(&whole, "flipped.dat.gz", &flipped);
    for task in [&other, &fewer, &missing, &cut_at_row, &empty, &cut_gzip, &flipped] {
        let failure = load_one(&session, task, &Cancel::new(), &quiet).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Integrity, "{}: {failure}", task.file_name);
        assert!(message(&failure).contains(&task.table.sql()), "{failure}");
        assert_eq!(cluster.sql(&to, &format!("SELECT count(*) FROM {}", whole.table.sql())), "0", "{}", task.file_name);
    }
    // The session is good for more.
    load_one(&session, &whole, &Cancel::new(), &quiet).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_names_the_table_and_the_place_but_not_the_row() {
    let cluster = server();
    let (archive, to) = Archive::with_rows(&cluster, "load_refused", 50);
    let task = archive.tasks().remove(0);
    let table = task.table.sql();
    cluster.sql(&to, &format!("ALTER TABLE {table} ADD CHECK (id <> 7)"));
    let session = Session::open(&cluster.spec(&to), "test").await.unwrap();
    let failure = load_one(&session, &task, &Cancel::new(), &quiet).await.unwrap_err();
    let text = message(&failure);
    assert!(text.contains(&table) && text.contains(", line ") && text.contains("23514"), "{text}");
    let body = cluster.sql(&to, &format!("SELECT count(*) FROM {table}"));
    assert_eq!(body, "0");
    let gone = LoadTask { table: QualifiedName::new("nowhere", "x\n\\! touch pwned"), ..task };
    let failure = load_one(&session, &gone, &Cancel::new(), &quiet).await.unwrap_err();
    assert!(message(&failure).contains("3F000"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_is_an_error_at_once_and_a_cancel_within_a_second() {
    let cluster = server();
    let (archive, to) = Archive::with_rows(&cluster, "load_killed", 50_000);
    let task = archive.tasks().remove(0);
    let spec = cluster.spec(&to);
    let session = Session::open(&spec, "test").await.unwrap();
    let killer = Session::open(&spec, "killer").await.unwrap();
    let pid = session.backend_pid;
    // The COPY waits for this lock; then its server process dies.
    killer.execute(&format!("BEGIN; LOCK TABLE {}", task.table.sql())).await.unwrap();
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        killer.rows("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
    };
    let cancel = Cancel::new();
    let (result, ()) = tokio::join!(load_one(&session, &task, &cancel, &quiet), kill);
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");

    let session = Session::open(&spec, "test").await.unwrap();
    let started = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel(CancelReason::Interrupted);
    };
    let (result, ()) = tokio::join!(load_one(&session, &task, &cancel, &quiet), stop);
    assert_eq!(result.unwrap_err().kind, FailureKind::Interrupted);
    assert!(started.elapsed() < Duration::from_millis(1200));
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_rows_in_the_transaction_that_emptied_the_table() {
    let cluster = server();
    let (archive, to) = Archive::with_rows(&cluster, "load_freeze", 2_000);
    let task = LoadTask { freeze: true, ..archive.tasks().remove(0) };
    let session = Session::open(&cluster.spec(&to), "test").await.unwrap();
    let failure = load_one(&session, &task, &Cancel::new(), &quiet).await.unwrap_err();
    assert!(message(&failure).contains("FREEZE"), "{failure}");
    // What the server refuses before it takes a row ends the connection too.
    let session = Session::open(&cluster.spec(&to), "test").await.unwrap();
    session.execute(&format!("BEGIN; TRUNCATE {}", task.table.sql())).await.unwrap();
    load_one(&session, &task, &Cancel::new(), &quiet).await.unwrap();
    session.execute("COMMIT").await.unwrap();
    assert_eq!(cluster.sql(&to, &format!("SELECT count(*) FROM {}", task.table.sql())), "2000");
}
