//! Replication slots and subscriptions: seen by `diff`, and named after a restore with the statement that makes them.

use std::path::Path;

use crate::support::restored::{Restored, drill, restore, restore_with};
use crate::support::{Cluster, Snapshot, server, text};

const SLOT: &str = "SELECT pg_create_logical_replication_slot";

/// A subscription that calls nobody, and a comment on it.
const SUBSCRIPTION: &str = "CREATE SUBSCRIPTION \"Sub x\" CONNECTION 'host=127.0.0.1 port=1 dbname=nowhere' PUBLICATION p \
    WITH (connect = false, slot_name = NONE)";
const COMMENT: &str = "COMMENT ON SUBSCRIPTION \"Sub x\" IS 'from the other side'";

fn source(name: &str) -> Cluster {
    let cluster = Cluster::start(server().major());
    cluster.empty(name);
    cluster.sql(name, "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)");
    cluster
}

/// `diff SNAPSHOT live`: its exit code and `change KIND identity` of each object.
fn diff(cluster: &Cluster, database: &str, snapshot: &Snapshot) -> (Option<i32>, Vec<String>) {
    let mut command = cluster.stacksnap(database, snapshot.folder.parent().unwrap());
    let output = command.arg("diff").arg(&snapshot.folder).args(["live", "-o", "json"]).output().unwrap();
    let document: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let word = |o: &serde_json::Value, field: &str| o[field].as_str().unwrap_or_default().to_string();
    let line = |o| format!("{} {} {}", word(o, "change"), word(o, "kind"), word(o, "identity"));
    (output.status.code(), document["objects"].as_array().unwrap().iter().map(line).collect())
}

/// `code what` of what the top of the report tells; all that the proof tells is among it.
fn told(done: &Restored) -> Vec<String> {
    let all = done.list("/exceptions", &["code", "what"]);
    for one in done.list("/proof/exceptions", &["code", "what"]) {
        assert!(all.contains(&one), "{one}: {}", done.said);
    }
    all
}

fn into_new(source_of: &Snapshot, place: &Path) -> (Cluster, Restored) {
    let target = Cluster::start(server().major());
    target.empty("new");
    let done = restore(&target, "supabase_admin", "postgres", "new", source_of, place);
    (target, done)
}

#[test]
fn a_slot_is_in_the_snapshot_and_one_that_is_missing_or_new_is_told() {
    let place = tempfile::tempdir().unwrap();
    let source = source("slots");
    source.sql("slots", &format!("{SLOT}('kept', 'pgoutput')"));
    source.sql("slots", &format!("{SLOT}('gone', 'pgoutput', false, true)"));
    source.sql("postgres", &format!("{SLOT}('of_another_database', 'pgoutput')"));
    let snapshot = source.create("slots", &place.path().join("snapshots"), 0, &[]);
    let slots: Vec<_> =
        snapshot.inventory.of_kind("REPLICATION SLOT".into()).map(|o| (&*o.identity, &*o.definition)).collect();
    assert_eq!(slots, [("gone", "PLUGIN pgoutput TWO_PHASE"), ("kept", "PLUGIN pgoutput")]);
    assert_eq!(snapshot.manifest.counts["replication_slots"], 2);
    assert_eq!(diff(&source, "slots", &snapshot), (Some(0), vec![]));

    source.sql("slots", "SELECT pg_drop_replication_slot('gone')");
    source.sql("slots", &format!("{SLOT}('new', 'pgoutput')"));
    let differs = ["missing REPLICATION SLOT gone", "extra REPLICATION SLOT new"].map(String::from).to_vec();
    assert_eq!(diff(&source, "slots", &snapshot), (Some(4), differs));
    let done = restore(&source, "supabase_admin", "postgres", "slots", &snapshot, place.path());
    done.is_well();
    let named = ["slot_not_made REPLICATION SLOT gone", "slot_stays REPLICATION SLOT new"].map(String::from);
    assert_eq!((done.code, told(&done)), (3, named.to_vec()), "{}", done.said);
    assert_eq!(done.list("/proof/exceptions", &["code", "what"]), named);
    assert!(done.said.contains("SELECT pg_create_logical_replication_slot('gone', 'pgoutput', twophase => true)"));
    assert!(done.said.contains("SELECT pg_drop_replication_slot('new')"), "{}", done.said);

    let (_target, done) = into_new(&snapshot, place.path());
    done.is_well();
    let all = told(&done);
    for name in ["kept", "gone"] {
        assert!(all.contains(&format!("slot_not_made REPLICATION SLOT {name}")), "{}", done.said);
    }
    let drilled = drill(&source, &snapshot);
    assert_eq!(drilled.code, 3, "{}", drilled.said);
}

#[test]
fn a_subscription_is_named_with_its_comment_and_the_rest_comes_back() {
    let place = tempfile::tempdir().unwrap();
    let source = source("subs");
    source.sql("subs", SUBSCRIPTION);
    source.sql("subs", COMMENT);
    let snapshot = source.create("subs", &place.path().join("snapshots"), 0, &[]);
    let (target, done) = into_new(&snapshot, place.path());
    done.is_well();
    assert!(told(&done).contains(&"subscription_not_made SUBSCRIPTION \"Sub x\"".to_string()), "{}", done.said);
    assert!(done.said.contains("neither is its comment"), "{}", done.said);
    assert_eq!(target.sql("new", "SELECT * FROM t"), "1");
    let drilled = drill(&source, &snapshot);
    assert_eq!(drilled.code, 3, "{}", drilled.said);
    // The folder's script makes it, switched off, and says so.
    target.empty("by_script");
    let said = target.restore(&snapshot, "by_script", 0);
    let made = "SELECT subname, subenabled, obj_description(oid, 'pg_subscription') FROM pg_subscription";
    assert_eq!(target.sql("by_script", made), "Sub x|f|from the other side");
    assert!(said.contains("subscriptions") && said.contains("switched off"), "{said}");

    // In place its comment comes back, and what differs of it is told.
    assert_eq!(diff(&source, "subs", &snapshot), (Some(0), vec![]));
    source.sql("subs", "COMMENT ON SUBSCRIPTION \"Sub x\" IS 'another'");
    let done = restore(&source, "supabase_admin", "postgres", "subs", &snapshot, place.path());
    assert_eq!((done.code, told(&done)), (0, vec![]), "{}", done.said);
    source.sql("subs", "ALTER SUBSCRIPTION \"Sub x\" SET (binary = true)");
    assert_eq!(diff(&source, "subs", &snapshot), (Some(4), vec!["differs SUBSCRIPTION \"Sub x\"".to_string()]));
    let done = restore(&source, "supabase_admin", "postgres", "subs", &snapshot, place.path());
    assert_eq!(told(&done), ["subscription_differs SUBSCRIPTION \"Sub x\""], "{}", done.said);
    for (cluster, database) in [(&source, "subs"), (&target, "by_script")] {
        cluster.drop_database(database);
    }
}

#[test]
fn another_projects_subscription_and_slot_are_told_before_and_after() {
    let place = tempfile::tempdir().unwrap();
    let (source, target) = (source("from_here"), source("to_there"));
    target.sql("to_there", "CREATE TABLE theirs (a int)");
    target.sql("to_there", SUBSCRIPTION);
    target.sql("to_there", &format!("{SLOT}('theirs', 'pgoutput')"));
    let snapshot = source.create("from_here", &place.path().join("snapshots"), 0, &[]);
    let args = ["--replace-other-project", "--no-safety-snapshot"];
    let done = restore_with(&target, "to_there", &snapshot, place.path(), &args);
    done.is_well();
    let named = ["slot_stays REPLICATION SLOT theirs", "subscription_stays SUBSCRIPTION \"Sub x\""];
    let all = told(&done);
    assert!(named.iter().all(|one| all.iter().any(|told| told == one)), "{}", done.said);
    assert!(done.said.contains("ALTER SUBSCRIPTION \\\"Sub x\\\" DISABLE"), "{}", done.said);
    target.drop_database("to_there");
}
