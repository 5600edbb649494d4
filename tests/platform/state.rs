//! What a platform's extensions hold and do: jobs with their numbers, queues with their messages, event triggers that are
//! awake while an extension is made or dropped. As the platform's superuser, and as its user, who is none.

use std::path::Path;

use crate::support::restored::{plan, restore};
use crate::support::{Cluster, Snapshot, alone, server};

const USERS: [&str; 2] = ["supabase_admin", "postgres"];

/// A project of the platform with a little of its user's, on the server that all tests here share.
fn project(cluster: &Cluster, name: &str, of_admin: &str, of_user: &str) -> String {
    cluster.load(name, "revoked", &["stack"]);
    if !of_admin.is_empty() {
        cluster.sql(name, of_admin);
    }
    if !of_user.is_empty() {
        cluster.as_user("postgres", "postgres").sql(name, of_user);
    }
    name.to_string()
}

fn snapshot(cluster: &Cluster, database: &str, place: &Path) -> Snapshot {
    cluster.create(database, &place.join("snapshots"), 0, &[])
}

/// An event trigger function of the platform that leaves a trace which no rollback takes away.
fn traced(function: &str, sequence: &str) -> String {
    format!(
        "CREATE SEQUENCE realtime.{sequence}; ALTER SEQUENCE realtime.{sequence} OWNER TO supabase_admin;
         CREATE OR REPLACE FUNCTION extensions.{function}() RETURNS event_trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM nextval('realtime.{sequence}'); END $$;"
    )
}

#[test]
fn r29_extensions_are_made_and_dropped_while_the_platforms_event_triggers_are_awake() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(
        &cluster,
        "platform_awake_from",
        "DROP EXTENSION pg_graphql",
        "CREATE TABLE public.things (id int PRIMARY KEY); INSERT INTO public.things VALUES (1)",
    );
    let snapshot = snapshot(&cluster, &from, place.path());
    let traces = traced("grant_pg_cron_access", "made") + &traced("set_graphql_placeholder", "dropped");
    let to = project(&cluster, "platform_awake_to", &format!("DROP EXTENSION pg_cron; {traces}"), "");
    let ran = |sequence: &str| cluster.sql(&to, &format!("SELECT is_called FROM realtime.{sequence}"));
    assert_eq!((ran("made"), ran("dropped")), ("f".into(), "f".into()));
    let planned = plan(&cluster, USERS[0], "postgres", &to, &snapshot, place.path());
    assert_eq!(planned.report["target"]["kind"], "fresh_project", "{}", planned.said);
    assert_eq!(planned.planned("drop"), ["EXTENSION pg_graphql"], "{}", planned.said);
    assert!(planned.planned("create").contains(&"EXTENSION pg_cron".to_string()), "{}", planned.said);
    restore(&cluster, USERS[0], "postgres", &to, &snapshot, place.path()).is_well();
    assert_eq!((ran("made"), ran("dropped")), ("t".into(), "t".into()));
    let extensions = "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension";
    assert_eq!(cluster.sql(&to, extensions), cluster.sql(&from, extensions));
    for database in [from, to] {
        cluster.drop_database(&database);
    }
}

const NUMBERS: &str = "GRANT SELECT ON SEQUENCE cron.jobid_seq TO postgres";
/// Jobs 1, 3 and 4; the number that was given last, 6, is of a job that is gone, as 2 and 5 are.
const JOBS: &str =
    "CREATE TABLE public.things (id int PRIMARY KEY); SELECT cron.schedule('one', '0 1 * * *', 'SELECT 1');
    SELECT cron.schedule('two', '0 2 * * *', 'SELECT 2'); SELECT cron.unschedule('two');
    SELECT cron.schedule('three', '0 3 * * *', 'SELECT 3'); SELECT cron.schedule('0 4 * * *', 'SELECT 4');
    SELECT cron.alter_job(3, active => false); SELECT cron.schedule('five', '0 5 * * *', 'SELECT 5');
    SELECT cron.schedule('six', '0 6 * * *', 'SELECT 6'); SELECT cron.unschedule(n) FROM unnest('{5,6}'::bigint[]) n";
const JOBS_SEEN: &str = "SELECT jobid, jobname, schedule, command, username, active, database = current_database() FROM cron.job ORDER BY 1";
const LAST_NUMBER: &str = "SELECT last_value, is_called FROM cron.jobid_seq";

#[test]
fn jobs_come_back_with_their_numbers() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "platform_jobs", NUMBERS, JOBS);
    let targets = USERS.map(|user| project(&cluster, &format!("platform_jobs_{user}"), NUMBERS, ""));
    let snapshot = snapshot(&cluster, &from, place.path());
    let (jobs, last) = (cluster.sql(&from, JOBS_SEEN), cluster.sql(&from, LAST_NUMBER));
    assert_eq!((jobs.lines().count(), last.as_str()), (3, "6|t"));
    for (user, to) in USERS.into_iter().zip(targets) {
        restore(&cluster, user, "postgres", &to, &snapshot, place.path()).is_well();
        assert_eq!(cluster.sql(&to, JOBS_SEEN), jobs, "{user}");
        assert_eq!(cluster.sql(&to, LAST_NUMBER), last, "{user}");
        cluster.drop_database(&to);
    }
    // In place: a job is gone and a new one is there. Its number is past; only a superuser may give it again.
    let as_postgres = cluster.as_user("postgres", "postgres");
    let damage = "SELECT cron.unschedule('three'); SELECT cron.schedule('seven', '0 7 * * *', 'SELECT 7');
        SELECT cron.alter_job(1, schedule => '9 9 * * *')";
    as_postgres.sql(&from, damage);
    let done = restore(&cluster, "postgres", "postgres", &from, &snapshot, place.path());
    done.is_well();
    assert_eq!((done.code, done.exceptions()), (3, vec!["job_number_new scheduled jobs".to_string()]), "{}", done.said);
    let numbers = "SELECT string_agg(jobid || coalesce(jobname, '?'), ' ' ORDER BY jobid) FROM cron.job";
    assert_eq!(cluster.sql(&from, numbers), "1one 4? 8three");
    let done = restore(&cluster, USERS[0], "postgres", &from, &snapshot, place.path());
    done.is_well();
    assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{}", done.said);
    assert_eq!(cluster.sql(&from, JOBS_SEEN), jobs);
    // The next job gets the number that it would have got.
    assert_eq!(cluster.sql(&from, LAST_NUMBER), last);
    cluster.drop_database(&from);
}

const QUEUES: &str = "CREATE TABLE public.things (id int PRIMARY KEY); INSERT INTO public.things VALUES (1);
    SELECT pgmq.create('orders'); SELECT pgmq.create('Mails'); SELECT pgmq.create_unlogged('empty');
    SELECT pgmq.send('orders', jsonb_build_object('n', n, 'text', E'a\\nb')) FROM generate_series(1, 6) n;
    SELECT pgmq.send('Mails', '{\"to\": \"x\"}') FROM generate_series(1, 3); SELECT pgmq.archive('Mails', 1)";
const QUEUES_SEEN: &str = "SELECT 'meta', m::text FROM pgmq.meta m UNION ALL SELECT 'orders', q::text FROM pgmq.q_orders q
    UNION ALL SELECT 'read', a::text FROM pgmq.a_orders a UNION ALL SELECT 'mails', q::text FROM pgmq.q_mails q
    UNION ALL SELECT 'archived', a::text FROM pgmq.a_mails a UNION ALL SELECT 'empty', q::text FROM pgmq.q_empty q
    UNION ALL SELECT 'numbers', s.last_value || s.is_called::text FROM pgmq.q_orders_msg_id_seq s
    UNION ALL SELECT 'mail numbers', s.last_value || s.is_called::text FROM pgmq.q_mails_msg_id_seq s
    UNION ALL SELECT 'no numbers', s.last_value || s.is_called::text FROM pgmq.q_empty_msg_id_seq s
    UNION ALL SELECT 'tables', string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'pgmq'::regnamespace
    ORDER BY 1, 2";

#[test]
fn r15_a_rollback_brings_back_queues_as_they_were() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "platform_queues", "", QUEUES);
    let snapshot = snapshot(&cluster, &from, place.path());
    let before = cluster.sql(&from, QUEUES_SEEN);
    let planned = || plan(&cluster, "postgres", "postgres", &from, &snapshot, place.path());
    let nothing = planned();
    assert_eq!((nothing.code, nothing.planned("replace").len()), (0, 0), "{}", nothing.said);
    let as_postgres = cluster.as_user("postgres", "postgres");
    // Sent, read, taken; a queue more, a queue less.
    let damages = [
        "SELECT pgmq.send('orders', '{\"late\": true}'), pgmq.send('empty', '{}')",
        "SELECT pgmq.read('orders', 3600, 2)",
        "DELETE FROM pgmq.q_orders WHERE msg_id IN (2, 6); SELECT pgmq.archive('orders', 3); DELETE FROM pgmq.a_mails",
        "SELECT pgmq.create('new'); SELECT pgmq.send('new', '{}')",
        "SELECT pgmq.drop_queue('Mails')",
    ];
    as_postgres.sql(&from, damages[0]);
    let changed = planned();
    assert_eq!(changed.planned("replace"), ["QUEUE pgmq.q_empty", "QUEUE pgmq.q_orders"], "{}", changed.said);
    for user in USERS {
        as_postgres.sql(&from, &damages.join("; "));
        let done = restore(&cluster, user, "postgres", &from, &snapshot, place.path());
        done.is_well();
        assert_eq!((done.code, done.exceptions()), (0, Vec::new()), "{user}: {}", done.said);
        assert_eq!(cluster.sql(&from, QUEUES_SEEN), before, "{user}");
    }
    cluster.drop_database(&from);
}

/// 25,000 messages of 2 kB, which hold what ends strings and statements; and a small queue beside them.
const LARGE: &str = "CREATE TABLE public.things (id int PRIMARY KEY); INSERT INTO public.things VALUES (1);
    SELECT pgmq.create('large'); SELECT pgmq.create('small'); SELECT pgmq.send('small', '{}');
    INSERT INTO pgmq.q_large (vt, message) SELECT now(), jsonb_build_object('n', n, 'text', E'it''s; \\\\ \\t\\n $$ -- /* \"',
        'more', repeat(md5(n::text), 64)) FROM generate_series(1, 25000) n";
const LARGE_SEEN: &str = "SELECT count(*), sum(hashtextextended(q::text, 0)) FROM pgmq.q_large q
    UNION ALL SELECT count(*), sum(hashtextextended(q::text, 0)) FROM pgmq.q_small q
    UNION ALL SELECT last_value, is_called::int FROM pgmq.q_large_msg_id_seq";
/// How often the large queue was read from its beginning, and its rows written.
const LARGE_USED: &str = "SELECT seq_scan || ' ' || n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables
    WHERE relid = 'pgmq.q_large'::regclass";

#[test]
fn r15_a_queue_of_any_size_is_held_by_nobody_and_read_once() {
    let _one = alone();
    let (cluster, place) = (server(), tempfile::tempdir().unwrap());
    let from = project(&cluster, "platform_large_from", "", LARGE);
    let to = project(&cluster, "platform_large_to", "", "");
    let snapshot = snapshot(&cluster, &from, place.path());
    let file = snapshot.folder.join("extension_state/queues.sql");
    assert!(file.metadata().unwrap().len() > 50_000_000);
    let seen = cluster.sql(&from, LARGE_SEEN);
    let is_small = |done: &crate::support::restored::Restored| {
        done.is_well();
        assert!((1..100_000).contains(&done.peak_kb), "{} kB at most", done.peak_kb);
    };
    is_small(&restore(&cluster, "postgres", "postgres", &to, &snapshot, place.path()));
    assert_eq!(cluster.sql(&to, LARGE_SEEN), seen);

    // Another queue differs, and an object: the large one is left alone.
    let used =
        || -> Vec<u64> { cluster.sql(&from, LARGE_USED).split(' ').map(|number| number.parse().unwrap()).collect() };
    let damage = "SELECT pgmq.send('small', '{\"late\": true}'); ALTER TABLE public.things ADD COLUMN more text";
    cluster.as_user("postgres", "postgres").sql(&from, damage);
    let before = used();
    let planned = plan(&cluster, "postgres", "postgres", &from, &snapshot, place.path());
    assert_eq!(planned.planned("replace")[..1], ["QUEUE pgmq.q_small"], "{}", planned.said);
    let between = used();
    assert!(between[0] <= before[0] + 1, "the plan read it {} times", between[0] - before[0]);
    let done = restore(&cluster, "postgres", "postgres", &from, &snapshot, place.path());
    is_small(&done);
    assert_eq!((done.code, done.exceptions(), cluster.sql(&from, LARGE_SEEN)), (0, Vec::new(), seen.clone()));
    let after = used();
    // Once its values, once the transaction ids of its rows (no counter is trusted), and once by this test.
    assert!(after[0] <= between[0] + 3, "plan and restore read it {} times", after[0] - between[0]);
    assert_eq!(after[1], before[1], "its rows were written");

    // It is written again from the beginning, and then read once.
    cluster.sql(
        &from,
        "DELETE FROM pgmq.q_large WHERE msg_id % 2 = 0; UPDATE pgmq.q_large SET read_ct = 7 WHERE msg_id = 1",
    );
    let done = restore(&cluster, "postgres", "postgres", &from, &snapshot, place.path());
    is_small(&done);
    assert_eq!((done.code, done.exceptions(), cluster.sql(&from, LARGE_SEEN)), (0, Vec::new(), seen));
    for database in [from, to] {
        cluster.drop_database(&database);
    }
}
