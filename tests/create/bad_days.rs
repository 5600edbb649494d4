//! Bad days of `create`: no way in, locks, a server that stops, a full disk, signals, kill -9, two at once, odd
//! databases. Each ends with the right exit code and advice, and with nothing half-written.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::network::Slow;
use crate::support::{Access, Cluster, Place, Ran, alone, assert_verified, fill, processes, read, server};
use rustix::process::Signal;

#[test]
fn no_way_in() {
    let database = server().small();
    let access = database.access();
    // Nobody answers on a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (what, access, code, words) in [
        ("password", Access { password: "not-the-password", ..access }, 12, "password"),
        ("port", Access { port: free, ..access }, 69, "cannot be reached"),
        ("host", Access { host: "no-such-host.invalid", ..access }, 69, "cannot be resolved"),
        ("database", Access { database: "no_such_database", ..access }, 10, "no_such_database"),
    ] {
        let place = Place::new();
        let ran = place.run(access, &[]);
        place.assert_clean_failure(&ran, code);
        let error = ran.error();
        assert!(error.contains(words) && error.contains("doctor"), "{what}: {ran:?}");
        assert!(!error.contains("not-the-password"), "{ran:?}");
    }
    let place = Place::new();
    let mut pooler = place.bare(&["create", "-o", "json"]);
    pooler.env("DATABASE_URL", "postgresql://postgres.abc:x@aws-0-eu.pooler.supabase.com:6543/postgres");
    let ran = Ran::of(&mut pooler);
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(ran.error().contains("6543") && ran.error().contains("5432"), "{ran:?}");
    assert!(place.entries().is_empty());
}

#[test]
fn trap_6_a_role_that_may_not_see_everything_is_refused_by_name() {
    let _roles = alone();
    let database = server().small();
    let (blind, shut_out) = (format!("{}_blind", database.name), format!("{}_shut_out", database.name));
    database.sql(&format!(
        "CREATE ROLE {blind} LOGIN PASSWORD 'x' IN ROLE pg_read_all_data; CREATE ROLE {shut_out} LOGIN PASSWORD 'x' BYPASSRLS;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO {shut_out}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {shut_out}"
    ));
    for (user, words) in [(&blind, ["BYPASSRLS", "app.notes"]), (&shut_out, ["USAGE", "schema app"])] {
        let place = Place::new();
        let ran = place.run(Access { user, password: "x", ..database.access() }, &[]);
        place.assert_clean_failure(&ran, 12);
        assert!(words.iter().all(|w| ran.error().contains(w)) && ran.error().contains(user.as_str()), "{ran:?}");
    }
    database.sql(&format!("DROP OWNED BY {blind}, {shut_out}; DROP ROLE {blind}, {shut_out}"));
}

#[test]
fn a_lock_that_is_held_too_long() {
    let (place, database) = (Place::new(), server().small());
    let mut holder = database.server.program("psql", &database.name);
    let sql = "BEGIN; LOCK TABLE public.people IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(30)";
    let mut holder = holder.args(["-X", "-c", sql]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'public.people'::regclass";
    while database.sql(locked) == "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = database.sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ~ 'pg_sleep' AND pid <> pg_backend_pid()");
    let clock = Instant::now();
    let ran = place.run(database.access(), &["--lock-wait", "2s"]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    place.assert_clean_failure(&ran, 11);
    assert!(clock.elapsed() < Duration::from_secs(15), "{:?}", clock.elapsed());
    assert!(ran.error().contains("people") && ran.error().contains("--lock-wait"), "{ran:?}");
    let told = ran.stderr.contains(&format!("process {pid}")) || ran.error().contains(&format!("process {pid}"));
    assert!(told, "who holds it (process {pid})? {ran:?}");
}

/// A slow dump of some megabytes, and the moment in its middle.
fn in_the_middle(megabytes: u32) -> (Place, crate::support::Database, Slow) {
    let database = server().small();
    fill(&database, "public.large", megabytes);
    let slow = Slow::to(server().port, 2_000_000);
    (Place::new(), database, slow)
}

#[test]
fn signals_in_the_middle() {
    for (signal, code, word) in [(Signal::INT, 130, "interrupted"), (Signal::TERM, 143, "signal")] {
        let (place, database, slow) = in_the_middle(10);
        let mut run = place.start(database.through(slow.port), &["-o", "ndjson"]);
        run.wait_for("public.large\"");
        let clock = Instant::now();
        run.signal(signal);
        let ran = run.wait();
        assert!(clock.elapsed() < Duration::from_secs(8), "{:?}", clock.elapsed());
        place.assert_clean_failure(&ran, code);
        assert!(ran.stderr.contains("stopping cleanly"), "{ran:?}");
        assert!(ran.error().contains(word) && ran.error().contains("nothing was kept"), "{ran:?}");
    }
}

#[test]
fn the_time_limit_holds_in_the_middle_of_a_dump() {
    let (place, database, slow) = in_the_middle(20);
    let clock = Instant::now();
    let ran = place.run(database.through(slow.port), &["--timeout", "3s"]);
    assert!(clock.elapsed() < Duration::from_secs(9), "{:?}", clock.elapsed());
    place.assert_clean_failure(&ran, 1);
    assert!(ran.error().contains("--timeout"), "{ran:?}");
}

#[test]
fn kill_9_at_any_moment() {
    let (place, database, slow) = in_the_middle(3);
    let good = place.run(database.access(), &[]).folder();
    let mut seed = u64::from(std::process::id());
    for round in 0..8 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let pause = 50 + round * 150 + (seed >> 33) % 150;
        let run = place.start(database.through(slow.port), &[]);
        std::thread::sleep(Duration::from_millis(pause));
        run.signal(Signal::KILL);
        drop(run);
        processes::assert_gone(&place.mark, Duration::from_secs(4));
        let partial = place.entries().into_iter().filter(|e| e.ends_with(".partial")).count();
        assert!(partial <= 1, "each run sweeps what the one before it left");
    }
    let ran = place.run(database.access(), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!place.entries().iter().any(|e| e.ends_with(".partial")), "{:?}", place.entries());
    assert_verified(&place, &good);
    assert_verified(&place, &ran.folder());
}

#[test]
fn the_server_stops_in_the_middle() {
    let own = Cluster::start(15);
    let database = own.database("TEMPLATE template0");
    fill(&database, "public.large", 8);
    let (place, slow) = (Place::new(), Slow::to(own.port, 2_000_000));
    let mut run = place.start(database.through(slow.port), &["-o", "ndjson", "--pg-bin", own.bin.to_str().unwrap()]);
    run.wait_for("public.large\"");
    own.stop();
    let ran = run.wait();
    place.assert_clean_failure(&ran, 69);
    assert!(ran.error().contains("nothing was kept"), "{ran:?}");
}

/// A small file system of its own, unmounted at the end.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    fn mount(place: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let option = format!("size={size},mode=700");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(place).output();
        done.is_ok_and(|d| d.status.success()).then(|| Self(place.to_path_buf()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk() {
    let (small, large) = (server().small(), server().small());
    fill(&large, "public.large", 30);
    for size in ["1M", "5M", "20M"] {
        let place = Place::new();
        let Some(_disk) = Tmpfs::mount(&place.root(), size) else {
            println!("not tested: this user may not mount a file system");
            return;
        };
        let good = place.run(small.access(), &[]).folder();
        let before = place.entries();
        let ran = place.run(large.access(), &[]);
        assert_eq!(ran.code, 1, "{size}: {ran:?}");
        assert!(ran.error().contains("disk is full") || ran.error().contains("No space left"), "{size}: {ran:?}");
        assert!(ran.error().contains("free space") || ran.error().contains("--root"), "a hint: {size}: {ran:?}");
        assert_eq!(place.entries(), before, "old snapshots stay, nothing else: {size}");
        assert_verified(&place, &good);
        processes::assert_gone(&place.mark, Duration::from_secs(1));
    }
}

#[test]
fn two_at_once() {
    let (place, database, slow) = in_the_middle(6);
    let mut first = place.start(database.through(slow.port), &["-o", "ndjson"]);
    first.wait_for("public.large\"");
    let second = place.run(database.access(), &[]);
    assert_eq!(second.code, 75, "{second:?}");
    assert_eq!(second.json()["skipped"]["reason"], "busy", "{second:?}");
    // A table that is dropped in the middle is in the snapshot: the drop waits.
    let drop_table =
        database.server.program("psql", &database.name).args(["-X", "-q", "-c", "DROP TABLE app.notes"]).spawn();
    slow.open_up();
    let ran = first.wait();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(drop_table.unwrap().wait().unwrap().success());
    let folder = std::fs::canonicalize(place.root().join("comprehensive_backup_LATEST")).unwrap();
    assert_eq!(read(&folder, "data_records/app.notes.csv").lines().count(), 401);
    assert_verified(&place, &folder);
}

#[test]
fn odd_databases_are_whole() {
    let server = server();
    let latin = server.database("TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    latin.sql("SET client_encoding = 'UTF8'; CREATE TABLE public.\"caf\u{e9}\" (a text); INSERT INTO public.\"caf\u{e9}\" VALUES ('\u{e9}t\u{e9}')");
    let place = Place::new();
    let ran = place.run(latin.access(), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(read(&ran.folder(), "complete_database_with_data.sql").contains("\u{e9}t\u{e9}"));
    assert_verified(&place, &ran.folder());
    let ascii = server.database("TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
    ascii.sql("SET client_encoding = 'SQL_ASCII'; CREATE TABLE public.bytes (a text); INSERT INTO public.bytes VALUES (E'x\\377y')");
    let place = Place::new();
    let ran = place.run(ascii.access(), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let csv = std::fs::read(ran.folder().join("data_records/public.bytes.csv")).unwrap();
    assert!(csv.windows(3).any(|w| w == b"x\xffy"), "the bytes are kept: {csv:?}");
    assert_verified(&place, &ran.folder());
    let empty = server.database("TEMPLATE template0");
    let place = Place::new();
    let ran = place.run(empty.access(), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()["gaps"], serde_json::json!([]), "no auth schema is no gap");
    assert_eq!(ran.json()["complete"], true);
    assert_verified(&place, &ran.folder());
}

#[test]
fn a_link_in_the_functions_folder_is_not_followed() {
    let (place, database) = (Place::new(), server().small());
    let functions = place.dir.path().join("project/supabase/functions/hello");
    std::fs::create_dir_all(&functions).unwrap();
    std::fs::write(functions.join("index.ts"), "Deno.serve(() => new Response())").unwrap();
    std::fs::write(place.dir.path().join("outside.txt"), "canary-outside-of-the-folder").unwrap();
    std::os::unix::fs::symlink("../../../../outside.txt", functions.join("leak.txt")).unwrap();
    let ran = place.run(database.access(), &["--project-dir", "project"]);
    let folder = ran.folder();
    let found = Command::new("grep").args(["-rl", "canary-outside-of-the-folder"]).arg(&folder).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
    let found = Command::new("grep").args(["-rlF", "leak.txt"]).arg(&folder).output().unwrap();
    assert!(!found.stdout.is_empty(), "the link is recorded nowhere");
    assert_verified(&place, &folder);
}
