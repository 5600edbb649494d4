//! A target whose platform is not the snapshot's: it granted more to its user, or its services are older. And logins in
//! place: what a plan says of them is what becomes of them.

use std::path::Path;
use std::process::Command;

use crate::support::restored::{plan, restore};
use crate::support::{Cluster, Snapshot, text};

fn app(place: &Path) -> (Cluster, Snapshot) {
    let source = Cluster::start(15);
    source.load("other_from", "revoked", &["stack", "app"]);
    let snapshot = source.create("other_from", &place.join("snapshots"), 3, &[]);
    (source, snapshot)
}

fn with_code(all: &[String], code: &str) -> Vec<String> {
    let beginning = format!("{code} ");
    all.iter().filter_map(|e| e.strip_prefix(&beginning)).map(str::to_string).collect()
}

const THEIRS: [&str; 3] = ["supabase_auth_admin", "supabase_realtime_admin", "supabase_storage_admin"];

#[test]
fn what_the_targets_platform_granted_to_its_user_stays_and_is_foretold() {
    let place = tempfile::tempdir().unwrap();
    let (_source, snapshot) = app(place.path());
    let target = Cluster::start(15);
    target.load("fresh", "member", &["stack"]);
    let planned = plan(&target, "postgres", "postgres", "fresh", &snapshot, place.path());
    let told: Vec<String> =
        THEIRS.iter().map(|r| format!("ROLE MEMBERSHIP postgres in {r} by supabase_admin")).collect();
    let foretold = planned.list("/exceptions", &["code", "what"]);
    assert_eq!(with_code(&foretold, "platform_membership"), told, "{}", planned.said);
    let done = restore(&target, "postgres", "postgres", "fresh", &snapshot, place.path());
    done.is_well();
    assert_eq!((done.code, with_code(&done.exceptions(), "platform_membership")), (3, told));
    let members =
        "SELECT count(*) FROM pg_auth_members WHERE member = 'postgres'::regrole AND roleid::regrole::text ~ '_admin$'";
    assert_eq!(target.sql("fresh", members), "4");
}

/// The services of another project keep their own record of what they ran, with the times at which they ran it.
#[test]
fn what_the_targets_services_say_of_their_version_stays_and_is_named() {
    let place = tempfile::tempdir().unwrap();
    let (_source, snapshot) = app(place.path());
    let target = Cluster::start(15);
    target.load("fresh", "member", &["stack"]);
    let rows = "SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM storage.migrations m";
    let before = target.sql("fresh", rows);
    // auth.schema_migrations has no times: it is equal, and nothing is to be said of it.
    let told = ["14 rows of storage.migrations", "2 rows of supabase_functions.migrations"].map(String::from);
    let planned = plan(&target, "postgres", "postgres", "fresh", &snapshot, place.path());
    let foretold = planned.list("/exceptions", &["code", "what"]);
    assert_eq!(with_code(&foretold, "service_version"), told, "{}", planned.said);
    let done = restore(&target, "postgres", "postgres", "fresh", &snapshot, place.path());
    done.is_well();
    assert_eq!((done.code, with_code(&done.exceptions(), "service_version")), (3, told.to_vec()));
    assert_eq!(target.sql("fresh", rows), before);
}

/// A storage service from before vector buckets, with a column less.
const OLDER: &str =
    "DROP TABLE storage.vector_indexes, storage.buckets_vectors; DROP FUNCTION storage.get_size_by_bucket();
    ALTER TABLE storage.objects DROP COLUMN user_metadata; DELETE FROM storage.migrations WHERE id > 11";
const LACKED: [&str; 4] = [
    "FUNCTION storage.get_size_by_bucket()",
    "TABLE storage.buckets_vectors",
    "TABLE storage.vector_indexes",
    "rows of storage.objects",
];

#[test]
fn what_older_services_do_not_have_is_foretold_and_the_rest_comes_back() {
    let place = tempfile::tempdir().unwrap();
    let (source, snapshot) = app(place.path());
    let objects = "SELECT count(*), sum(hashtextextended(id::text || name || metadata::text, 0)) FROM storage.objects";
    let target = Cluster::start(15);
    for user in ["supabase_admin", "postgres"] {
        target.load("fresh", "member", &["stack"]);
        target.sql("fresh", OLDER);
        let planned = plan(&target, user, "postgres", "fresh", &snapshot, place.path());
        let foretold = planned.list("/exceptions", &["code", "what"]);
        assert_eq!(with_code(&foretold, "platform_older"), LACKED, "{user}: {}", planned.said);
        let done = restore(&target, user, "postgres", "fresh", &snapshot, place.path());
        done.is_well();
        assert_eq!(
            (done.code, with_code(&done.exceptions(), "platform_older")),
            (3, LACKED.map(String::from).to_vec())
        );
        assert_eq!(target.sql("fresh", objects), source.sql("other_from", objects), "{user}");
    }
}

/// In place, as people type it: with nothing said about sessions.
fn in_place(cluster: &Cluster, snapshot: &Snapshot, more: &[&str]) -> (Option<i32>, String) {
    let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname=other_from", cluster.port);
    let mut command: Command = cluster.stacksnap("other_from", snapshot.folder.parent().unwrap());
    command.arg("restore").arg(&snapshot.folder).args(["--to", &to, "--confirm", "other_from", "-o", "json"]);
    let output = command.args(["--no-safety-snapshot", "--allow-partial"]).args(more).output().unwrap();
    (output.status.code(), text(&output))
}

#[test]
fn logins_in_place_end_where_the_plan_says_so_and_nowhere_else() {
    let place = tempfile::tempdir().unwrap();
    let (source, snapshot) = app(place.path());
    let logins = || {
        let sql = "SELECT (SELECT count(*) FROM auth.sessions), (SELECT count(*) FROM auth.refresh_tokens)";
        source.sql("other_from", sql)
    };
    // Nobody logged in or out since: there is nothing to end.
    let (code, said) = in_place(&source, &snapshot, &["--activate-jobs"]);
    assert_eq!((code, logins().as_str()), (Some(0), "3|3"), "{said}");
    assert!(!said.contains("sessions_dropped"), "{said}");
    let login = "INSERT INTO auth.sessions (id, user_id) SELECT gen_random_uuid(), id FROM auth.users LIMIT 1";
    source.sql("other_from", login);
    let (code, said) = in_place(&source, &snapshot, &["--activate-jobs"]);
    assert!(said.contains("sessions_dropped") && said.contains("3 rows of auth.sessions"), "{said}");
    // What refers to a login goes with it.
    assert_eq!((code, logins().as_str()), (Some(3), "0|0"), "{said}");
    let (code, said) = in_place(&source, &snapshot, &["--activate-jobs", "--sessions", "keep"]);
    assert_eq!((code, logins().as_str()), (Some(0), "3|3"), "{said}");
}

/// What a role may not do is told by its cause, also beside what is left out: six policies here, on tables of the services.
#[test]
fn what_is_left_out_hides_nothing_of_what_stays_the_platforms() {
    let place = tempfile::tempdir().unwrap();
    let (_source, snapshot) = app(place.path());
    let target = Cluster::start(15);
    target.load("fresh", "revoked", &["stack"]);
    let done = restore(&target, "postgres", "postgres", "fresh", &snapshot, place.path());
    let exceptions = done.exceptions();
    assert_eq!(with_code(&exceptions, "left_out").len(), 6, "{}", done.said);
    assert!(with_code(&exceptions, "platform_role").contains(&"ROLE supabase_admin".to_string()), "{}", done.said);
    assert!(with_code(&exceptions, "not_permitted").contains(&"EVENT TRIGGER log_ddl".to_string()), "{}", done.said);
    // Policies are missing: that alone makes it 13. Nothing is found that was not named.
    assert_eq!((done.code, done.list("/proof/findings", &["code", "what"])), (13, Vec::new()), "{}", done.said);
}
