//! What a restore leaves as it is and says so: the password of the role that restores, messages without pgmq.

use std::path::Path;

use crate::support::restored::{Restored, drill, restore};
use crate::support::{Cluster, server};

fn told(done: &Restored) -> Vec<String> {
    done.list("/exceptions", &["code", "what"])
}

#[test]
fn the_password_of_the_role_that_restores_stays_and_is_named() {
    let place = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(server().major());
    cluster.empty("own");
    cluster.sql("own", "CREATE TABLE t (a int); CREATE ROLE operator SUPERUSER LOGIN PASSWORD 'first'");
    let snapshot = cluster.create("own", &place.path().join("snapshots"), 0, &[]);
    cluster.sql("own", "ALTER ROLE operator PASSWORD 'second'");
    let verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'operator'";
    let second = cluster.sql("own", verifier);
    let done = restore(&cluster, "operator", "second", "own", &snapshot, place.path());
    assert_eq!(
        (done.code, told(&done)),
        (3, vec!["own_password password of ROLE operator".to_string()]),
        "{}",
        done.said
    );
    assert_eq!(done.list("/proof/exceptions", &["code"]), ["own_password"], "{}", done.said);
    assert!(
        done.said.contains("ALTER ROLE operator PASSWORD") && !done.said.contains("SCRAM-SHA-256"),
        "{}",
        done.said
    );
    assert_eq!(cluster.sql("own", verifier), second);
    // Another superuser puts it back, and then nothing is left to tell.
    let done = restore(&cluster, "supabase_admin", "postgres", "own", &snapshot, place.path());
    assert_eq!((done.code, told(&done)), (0, vec![]), "{}", done.said);
    assert_ne!(cluster.sql("own", verifier), second);
    // A drill gives its superuser the snapshot's.
    let drilled = drill(&cluster, &snapshot);
    assert_eq!((drilled.code, told(&drilled)), (0, vec![]), "{}", drilled.said);
}

#[test]
fn messages_of_queues_are_counted_where_the_server_has_no_pgmq() {
    // A server without the fixtures' extensions.
    let bare = Path::new("/usr/lib/postgresql/15/bin");
    let source = server();
    if !bare.join("initdb").exists() || source.sql("postgres", "SHOW server_version_num").as_str() >= "160000" {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    source.empty("queued");
    source.sql(
        "queued",
        "CREATE TABLE t (a int); CREATE EXTENSION pgmq; SELECT pgmq.create('orders'); SELECT pgmq.create('none')",
    );
    source
        .sql("queued", "SELECT pgmq.send('orders', '{}') FROM generate_series(1, 7); SELECT pgmq.archive('orders', 2)");
    let snapshot = source.create("queued", &place.path().join("snapshots"), 0, &[]);
    let mut without = source.as_user("supabase_admin", "postgres");
    without.bin = bare.into();
    let drilled = drill(&without, &snapshot);
    assert_eq!((drilled.code, drilled.findings()), (3, vec![]), "{}", drilled.said);
    let all = told(&drilled);
    for what in ["6 messages of pgmq.q_orders", "1 messages of pgmq.a_orders"] {
        assert!(all.contains(&format!("member_rows_not_restored {what}")), "{what}: {}", drilled.said);
    }
    assert!(!drilled.said.contains("pgmq.q_none"), "{}", drilled.said);
    source.drop_database("queued");
}
