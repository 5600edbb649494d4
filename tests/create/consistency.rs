//! One instant: what `create` writes agrees with itself while the database is changed under it (traps 5, 9 and 18), and
//! `--if-changed` sees every kind of change.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout)]

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::network::Slow;
use crate::support::{Database, Place, Ran, alone, assert_verified, fill, read, server, success};

/// Statements in a loop on one session, until it is dropped.
struct Writer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Writer {
    fn start(database: &Database, pause: Duration, statement: impl Fn(u64) -> String + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut command = database.server.program("psql", &database.name);
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut answers = std::io::BufReader::new(child.stdout.take().unwrap());
            let mut n = 0;
            while !seen.load(Ordering::Relaxed) {
                n += 1;
                writeln!(input, "{}\n\\echo done", statement(n)).unwrap();
                let mut line = String::new();
                std::io::BufRead::read_line(&mut answers, &mut line).unwrap();
                assert_eq!(line, "done\n", "a statement of the writer failed");
                std::thread::sleep(pause);
            }
            drop(input);
            assert!(child.wait().unwrap().success(), "the writer failed");
            n
        });
        Self { stop, thread: Some(thread) }
    }

    /// How often it ran.
    fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The number that follows `before` in `text`.
#[track_caller]
fn number_after(text: &str, before: &str) -> u64 {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {before}: {}", &rest[..rest.len().min(40)]))
}

fn data_rows(folder: &Path, table: &str) -> Vec<String> {
    read(folder, &format!("data_records/{table}.csv")).lines().skip(1).map(str::to_string).collect()
}

fn manifest(folder: &Path) -> serde_json::Value {
    serde_json::from_str(&read(folder, "manifest.json")).unwrap()
}

fn table_rows(manifest: &serde_json::Value, table: &str) -> u64 {
    let file = format!("data_records/{table}.csv");
    let found = manifest["tables"].as_array().unwrap().iter().find(|t| t["csv_file"] == file.as_str());
    found.unwrap_or_else(|| panic!("no {table}"))["rows"].as_u64().unwrap()
}

const MOVING: &str = "CREATE TABLE public.moving (id int PRIMARY KEY, n bigint); INSERT INTO public.moving VALUES (1, 0), (2, 0);
    CREATE FUNCTION public.moving_body() RETURNS text LANGUAGE sql AS 'SELECT ''body-0''';
    CREATE TABLE public.renamed (id int, name_a text); INSERT INTO public.renamed SELECT n, 'x' FROM generate_series(1, 50) n;
    CREATE TABLE public.guarded (n int); ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
    CREATE POLICY moving_policy ON public.guarded USING (n < 100000);";

fn agrees(folder: &Path) {
    let archive = text_of(folder);
    let moving = data_rows(folder, "public.moving");
    let row = |id: &str| {
        let found = moving.iter().find_map(|r| r.strip_prefix(id)).unwrap_or_else(|| panic!("{moving:?}"));
        found.parse::<u64>().unwrap()
    };
    let body = row("1,");
    assert_eq!(number_after(&read(folder, "rpc_functions_complete.sql"), "body-"), body, "functions and rows");
    assert_eq!(number_after(&archive, "body-"), body, "archive and rows");
    let bound = row("2,") + 100_000;
    assert_eq!(number_after(&archive, "moving_policy ON public.guarded USING ((n < "), bound, "archive and policy");
    let policies = read(folder, "rls_policies_complete.sql");
    let (_, policy) = policies.split_once("moving_policy").unwrap();
    assert_eq!(number_after(policy, "(n < "), bound, "policies and rows");
    let csv = read(folder, "data_records/public.renamed.csv");
    let header = csv.lines().next().unwrap();
    let copy = archive.lines().find(|l| l.starts_with("COPY public.renamed ")).unwrap();
    assert!(copy.contains(&format!("({})", header.replace(',', ", "))), "{copy} but {header}");
    let sql = read(folder, "complete_database_with_data.sql");
    assert!(sql.contains(copy), "the readable SQL has another header than {copy}");
    assert!(read(folder, "inventory.json").contains(&header["id,".len()..]), "the inventory has no column {header}");
    let record = manifest(folder);
    assert_eq!(table_rows(&record, "auth.users"), table_rows(&record, "public.profiles"), "users and profiles");
    let users = table_rows(&record, "auth.users");
    assert_eq!(record["counts"]["users"].as_u64().unwrap(), users);
}

/// Definitions, rows and both at once, changed without a pause until the run starts over; rows go on being changed.
#[test]
fn trap_5_every_file_shows_the_same_instant() {
    let (place, database) = (Place::new(), server().stack());
    database.sql(MOVING);
    let pause = Duration::from_millis(15);
    let users = Writer::start(&database, pause, |n| {
        format!("INSERT INTO auth.users (id, email) VALUES (gen_random_uuid(), 'moving{n}@example.com');")
    });
    let count = Arc::new(AtomicU64::new(0));
    for _ in 0..3 {
        let count = Arc::clone(&count);
        let definitions = Writer::start(&database, pause, move |_| {
            let n = count.fetch_add(1, Ordering::Relaxed) + 1;
            let (from, to) = if n % 2 == 1 { ("name_a", "name_b") } else { ("name_b", "name_a") };
            format!(
                "BEGIN; CREATE OR REPLACE FUNCTION public.moving_body() RETURNS text LANGUAGE sql AS 'SELECT ''body-{n}'''; \
                 UPDATE public.moving SET n = {n} WHERE id = 1; COMMIT; \
                 ALTER TABLE public.renamed RENAME COLUMN {from} TO {to}; \
                 BEGIN; ALTER POLICY moving_policy ON public.guarded USING (n < {}); \
                 UPDATE public.moving SET n = {n} WHERE id = 2; COMMIT; \
                 DROP TABLE IF EXISTS public.fleeting; CREATE TABLE public.fleeting AS SELECT 1 AS one;",
                n + 100_000
            )
        });
        let mut run = place.start(database.access(), &[]);
        run.wait_for("starting over");
        assert!(definitions.end() > 1);
        let folder = run.wait().folder();
        agrees(&folder);
        assert_verified(&place, &folder);
        std::thread::sleep(Duration::from_millis(1100));
    }
    assert!(users.end() > 3);
}

#[test]
fn trap_9_timeouts_of_the_role_do_not_end_a_long_dump() {
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    fill(&database, "public.large", 8);
    let role = format!("{}_impatient", database.name);
    database.sql(&format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'x'"));
    for setting in
        ["statement_timeout = '500ms'", "idle_in_transaction_session_timeout = '1s'", "lock_timeout = '100ms'"]
    {
        database.sql(&format!("ALTER ROLE {role} SET {setting}"));
    }
    let slow = Slow::to(server().port, 3_000_000);
    let clock = Instant::now();
    let access = crate::support::Access { user: &role, password: "x", ..database.through(slow.port) };
    let ran = place.run(access, &["--jobs", "1"]);
    assert!(clock.elapsed() > Duration::from_secs(2), "the dump was not slow: {:?}", clock.elapsed());
    database.sql(&format!("DROP ROLE {role}"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_verified(&place, &ran.folder());
}

/// An ALTER TABLE in the middle of a parallel dump: both succeed, and it is said.
#[test]
fn trap_18_a_change_that_queues_behind_the_dump() {
    let (place, database) = (Place::new(), server().small());
    fill(&database, "public.large_1", 8);
    fill(&database, "public.large_2", 8);
    let slow = Slow::to(server().port, 4_000_000);
    let mut run = place.start(database.through(slow.port), &["--jobs", "2", "-o", "ndjson"]);
    run.wait_for("public.large_1\"");
    let alter = database.server.program("psql", &database.name).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c"])
        .arg("ALTER TABLE public.people ADD COLUMN added int DEFAULT 7; ALTER TABLE public.people RENAME COLUMN name TO named")
        .stderr(Stdio::null()).spawn().unwrap();
    let ran = run.wait();
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.stdout.contains("\"lock_queue\"") || ran.stdout.contains("\"started_over\"");
    assert!(said, "{}", ran.stdout);
    let alter = alter.wait_with_output().unwrap();
    assert!(alter.status.success());
    assert_eq!(database.sql("SELECT min(added) FROM public.people"), "7");
    let folder = std::fs::canonicalize(place.root().join("comprehensive_backup_LATEST")).unwrap();
    assert_verified(&place, &folder);
}

/// An ALTER TABLE that comes in after our own locks and before pg_dump's: pg_dump waits for it, it waits for us, and
/// no server can see that circle.
#[test]
fn trap_18_a_change_between_our_locks_and_those_of_pg_dump() {
    let (place, database) = (Place::new(), server().small());
    let alter = database
        .server
        .program("psql", &database.name)
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c"])
        .arg(
            "DO $$ BEGIN LOOP PERFORM pg_stat_clear_snapshot(); EXIT WHEN EXISTS (SELECT FROM pg_locks l \
              JOIN pg_stat_activity a USING (pid) WHERE l.relation = 'public.people'::regclass AND l.granted \
              AND a.application_name LIKE 'stacksnap %'); PERFORM pg_sleep(0.001); END LOOP; \
              ALTER TABLE public.people ADD COLUMN added int DEFAULT 7; END $$",
        )
        .spawn()
        .unwrap();
    let clock = Instant::now();
    let ran = place.run(database.access(), &["-o", "ndjson", "--lock-wait", "50s"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(clock.elapsed() < Duration::from_secs(40), "waited for the lock: {:?}", clock.elapsed());
    assert!(ran.stdout.contains("\"started_over\""), "{}", ran.stdout);
    assert!(alter.wait_with_output().unwrap().status.success());
    let folder = std::fs::canonicalize(place.root().join("comprehensive_backup_LATEST")).unwrap();
    assert!(read(&folder, "data_records/public.people.csv").starts_with("id,name,added\n"), "not the new state");
    assert_verified(&place, &folder);
}

/// Deparsing looks at the present, and so do values of sequences: what went away after the snapshot makes the query fail
/// that reads it, ours or pg_dump's. That is a reason to start over, and none to end without a snapshot.
#[test]
fn trap_5_what_goes_away_while_it_is_read() {
    for (make, gone) in [
        (
            "CREATE VIEW public.brief_{n} AS SELECT id FROM public.people WHERE id > {n}; ",
            "DROP VIEW public.brief_{n}; ",
        ),
        ("CREATE SEQUENCE public.brief_{n}; ", "DROP SEQUENCE public.brief_{n}; "),
    ] {
        let (place, database) = (Place::new(), server().small());
        let all = |one: &str| (0..200).map(|n| one.replace("{n}", &n.to_string())).collect::<String>();
        let (make, gone) = (all(make), all(gone));
        database.sql(&make);
        let writer = Writer::start(&database, Duration::ZERO, move |_| format!("BEGIN; {gone}{make}COMMIT;"));
        let mut run = place.start(database.access(), &[]);
        run.wait_for("starting over");
        std::thread::sleep(Duration::from_secs(1));
        writer.end();
        let folder = run.wait().folder();
        assert_verified(&place, &folder);
        assert!(read(&folder, "inventory.json").contains("brief_199"), "something is missing");
    }
}

/// pg_dump asks the present what a function takes and returns: where it was away for a moment, being dropped and made
/// anew word for word, the archive gets `CREATE FUNCTION f() RETURNS LANGUAGE sql`, and pg_dump ends with 0.
#[test]
fn trap_5_functions_made_anew_leave_no_hole_in_the_archive() {
    let (place, database) = (Place::new(), server().small());
    let make = |n: u32| format!("CREATE FUNCTION public.brief_{n}(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; ");
    database.sql(&(0..80).map(make).collect::<String>());
    let again: String = (0..80).map(|n| format!("DROP FUNCTION public.brief_{n}(int); {}", make(n))).collect();
    for _ in 0..2 {
        let again = again.clone();
        let writer = Writer::start(&database, Duration::ZERO, move |_| again.clone());
        let mut run = place.start(database.access(), &["--formats", "dump"]);
        run.wait_for("starting over");
        writer.end();
        let folder = run.wait().folder();
        for line in text_of(&folder).lines().filter(|line| line.contains(" FUNCTION public.brief_")) {
            assert!(line.contains("(a integer)"), "a hole in the archive: {line}");
        }
        std::thread::sleep(Duration::from_millis(1100));
    }
}

/// Rows are written with the labels of the present, and no lock on a table holds them still: a label that is renamed
/// while rows are read would be in the rows and not in the type.
#[test]
fn trap_5_a_label_that_is_renamed_while_rows_are_read() {
    let (place, database) = (Place::new(), server().small());
    fill(&database, "public.large_1", 8);
    fill(&database, "public.large_2", 8);
    database.sql(
        "CREATE TYPE public.mood AS ENUM ('sad', 'glad'); CREATE TABLE public.moods AS SELECT 'sad'::public.mood AS m",
    );
    let slow = Slow::to(server().port, 4_000_000);
    let mut run = place.start(database.through(slow.port), &["--jobs", "2", "-o", "ndjson"]);
    run.wait_for("public.large_1\"");
    database.sql("ALTER TYPE public.mood RENAME VALUE 'sad' TO 'low'");
    let ran = run.wait();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("\"started_over\"") && ran.stdout.contains("public.mood changed meanwhile"), "{ran:?}");
    let folder = std::fs::canonicalize(place.root().join("comprehensive_backup_LATEST")).unwrap();
    assert!(text_of(&folder).contains("'low'"));
    assert_eq!(data_rows(&folder, "public.moods"), ["low"]);
}

/// All that the archive says.
fn text_of(folder: &Path) -> String {
    let archive = folder.join("complete_database_with_data.dump");
    success(server().program("pg_restore", "none").args(["-f", "-"]).arg(archive))
}

/// Waits until no transaction of the server is older than what was written here: rows that were written while another one
/// was under way cannot be told from its own, and count as written since.
fn settled(database: &Database) {
    let written = database.sql("SELECT pg_current_xact_id()");
    let oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())";
    let clock = Instant::now();
    let number = |text: String| text.trim().parse::<u64>().unwrap();
    let written = number(written);
    while number(database.sql(oldest)) <= written {
        assert!(clock.elapsed() < Duration::from_secs(60), "a transaction of another test does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn if_changed_sees_every_kind_of_change() {
    // Loading the stack gives roles their passwords anew: not in between.
    drop(server().stack());
    let _roles = alone();
    let (place, database) = (Place::new(), server().small());
    let functions = place.dir.path().join("project/supabase/functions/hello");
    std::fs::create_dir_all(&functions).unwrap();
    let edge = functions.join("index.ts");
    std::fs::write(&edge, "Deno.serve(() => new Response('1'))").unwrap();
    let role = format!("{}_reader", database.name);
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'one'; SELECT lo_from_bytea(4711, 'one')"));
    let run = || place.run(database.access(), &["--if-changed", "--project-dir", "project"]);
    settled(&database);
    assert_eq!(run().code, 0);
    let grant = format!("GRANT SELECT ON public.people TO {role}");
    let password = format!("ALTER ROLE {role} PASSWORD 'two'");
    for change in [
        "UPDATE public.people SET name = 'other' WHERE id = 1",
        "ALTER POLICY own ON app.notes USING (person < 11)",
        "CREATE OR REPLACE FUNCTION public.greet(who text) RETURNS text LANGUAGE sql AS 'SELECT who'",
        "SELECT nextval('public.numbers')",
        password.as_str(),
        "edge",
        "SELECT lo_put(4711, 0, 'two')",
        "COMMENT ON TABLE public.people IS 'who'",
        grant.as_str(),
        "REFRESH MATERIALIZED VIEW public.summary",
    ] {
        let clock = Instant::now();
        let same = run();
        let log = crate::support::last_log(&place);
        assert_eq!(same.code, 75, "before {change}: {same:?}\n{log}");
        assert_eq!(same.json()["skipped"]["reason"], "unchanged", "{same:?}");
        assert!(clock.elapsed() < Duration::from_secs(5), "{:?} for nothing", clock.elapsed());
        if change == "edge" {
            std::fs::write(&edge, "Deno.serve(() => new Response('2'))").unwrap();
        } else {
            database.sql(change);
        }
        settled(&database);
        let ran: Ran = run();
        assert_eq!(ran.code, 0, "after {change}: {ran:?}");
    }
    database.sql(&format!("REVOKE ALL ON public.people FROM {role}; DROP ROLE {role}"));
}
