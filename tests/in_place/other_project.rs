//! `--replace-other-project`: what ran and what was kept in the other project does not go on upon the snapshot's tables, and
//! comes back with `undo`.

use std::path::Path;

use crate::support::restored::{Restored, restore, restore_with, undo};
use crate::support::{Cluster, Snapshot, server};

/// What another project has and the snapshot does not.
const THEIRS: &str = "CREATE TABLE public.theirs AS SELECT 1 AS a;
    SELECT cron.schedule('theirs', '* * * * *', 'DELETE FROM public.customers');
    SELECT cron.schedule('nightly-archive', '0 1 * * *', 'DELETE FROM public.orders');
    SELECT vault.create_secret('theirs-value', 'theirs');
    SELECT pgmq.create('their_queue'); SELECT pgmq.send('their_queue', '{\"n\": 1}');
    CREATE ROLE their_login LOGIN PASSWORD 'x' BYPASSRLS; GRANT service_role TO their_login; GRANT SELECT ON public.theirs TO their_login";

const JOBS: &str =
    "SELECT string_agg(concat_ws('|', jobname, schedule, command), E'\\n' ORDER BY jobname) FROM cron.job";
const QUEUES: &str = "SELECT string_agg(queue_name, ',' ORDER BY queue_name) FROM pgmq.meta";
const SECRETS: &str =
    "SELECT string_agg(coalesce(name, '-') || decrypted_secret, ',' ORDER BY name) FROM vault.decrypted_secrets";

fn all(cluster: &Cluster, database: &str) -> Vec<String> {
    [JOBS, QUEUES, SECRETS].map(|sql| cluster.sql(database, sql)).into()
}

/// A restore over another project.
fn replaced(target: &Cluster, snapshot: &Snapshot, place: &Path, more: &[&str]) -> Restored {
    let bin = target.bin.to_str().unwrap();
    let args = [&["--replace-other-project", "--pg-bin", bin], more].concat();
    restore_with(target, "theirs", snapshot, place, &args)
}

fn with_code(done: &Restored, code: &str) -> Vec<String> {
    let beginning = format!("{code} ");
    done.exceptions().iter().filter_map(|e| e.strip_prefix(&beginning)).map(str::to_string).collect()
}

/// A project with an application, and another one; of the major of the tests' server.
fn world(application: &[&str], theirs: &str) -> (Cluster, Cluster) {
    let major = server().major();
    let (source, target) = (Cluster::start(major), Cluster::start(major));
    source.load("ours", "revoked", application);
    target.load("theirs", "revoked", &["stack"]);
    for statement in theirs.split(";\n") {
        target.sql("theirs", statement);
    }
    (source, target)
}

#[test]
fn what_another_project_runs_and_keeps_goes_and_comes_back_with_undo() {
    let place = tempfile::tempdir().unwrap();
    let (source, target) = world(&["stack", "app"], THEIRS);
    let snapshot = source.create("ours", &place.path().join("snapshots"), 3, &[]);
    let before = all(&target, "theirs");
    let plan = replaced(&target, &snapshot, place.path(), &["--dry-run"]);
    let drops = plan.planned("drop");
    for gone in ["CRON JOB 1 theirs", "CRON JOB 2 nightly-archive", "QUEUE their_queue", "VAULT SECRET theirs"] {
        assert!(drops.iter().any(|line| line == gone), "{gone}: {drops:?}");
    }
    let done = replaced(&target, &snapshot, place.path(), &[]);
    done.is_well();
    assert_eq!(target.sql("theirs", JOBS), source.sql("ours", JOBS), "{}", done.said);
    assert_eq!(target.sql("theirs", QUEUES), source.sql("ours", QUEUES), "{}", done.said);
    assert!(!target.sql("theirs", SECRETS).contains("theirs"), "{}", done.said);
    assert_eq!(with_code(&done, "role_stays"), ["ROLE their_login"], "{}", done.said);
    assert!(done.said.contains("row security does not bind it") && done.said.contains("DROP ROLE their_login"));
    let member = "SELECT count(*) FROM pg_auth_members WHERE member = 'their_login'::regrole";
    assert_eq!(target.sql("theirs", member), "0");
    // The same again has nothing to take away.
    let again = replaced(&target, &snapshot, place.path(), &["--dry-run"]);
    assert_eq!(again.planned("drop"), Vec::<String>::new(), "{}", again.said);
    let undone = undo(&target, "theirs", done.report["id"].as_str().unwrap(), place.path());
    assert!(matches!(undone.code, 0 | 3), "{}", undone.said);
    assert_eq!(all(&target, "theirs"), before, "{}", undone.said);
    assert_eq!(target.sql("theirs", member), "1");
}

#[test]
fn a_snapshot_without_jobs_queues_and_secrets_leaves_none_of_another_project() {
    let place = tempfile::tempdir().unwrap();
    let (source, target) = world(&["stack"], THEIRS);
    source.sql("ours", "CREATE TABLE public.mine (a int PRIMARY KEY)");
    let snapshot = source.create("ours", &place.path().join("snapshots"), 0, &[]);
    let before = all(&target, "theirs");
    let done = replaced(&target, &snapshot, place.path(), &[]);
    done.is_well();
    assert_eq!(all(&target, "theirs"), ["", "", ""], "{}", done.said);
    let undone = undo(&target, "theirs", done.report["id"].as_str().unwrap(), place.path());
    assert!(matches!(undone.code, 0 | 3), "{}", undone.said);
    assert_eq!(all(&target, "theirs"), before, "{}", undone.said);
}

#[test]
fn a_queue_that_came_later_goes_in_place_too_where_the_snapshot_has_none() {
    let place = tempfile::tempdir().unwrap();
    let source = server();
    source.load("no_queue", "revoked", &["stack"]);
    let snapshot = source.create("no_queue", &place.path().join("snapshots"), 0, &[]);
    source.sql("no_queue", "SELECT pgmq.create('later')");
    let done = restore(&source, "supabase_admin", "postgres", "no_queue", &snapshot, place.path());
    assert_eq!((done.code, source.sql("no_queue", QUEUES).as_str()), (0, ""), "{}", done.said);
    source.drop_database("no_queue");
}
