//! What a restore refuses, and what ends one in the middle: the exit code, the words, and a target as it was.

mod rows;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::Cluster;
use crate::support::commands::{contents, restore, snapshot};
use crate::support::{Access, Database, Place, Ran, alone, server};
use rustix::process::Signal;

const DAMAGE: &str = "DROP TABLE app.notes; ALTER TABLE public.people ADD COLUMN added int; DROP FUNCTION public.greet";

/// `--confirm NAME --no-safety-snapshot` and more.
pub fn yes<'a>(database: &'a Database, more: &[&'a str]) -> Vec<&'a str> {
    ["--confirm", &database.name, "--no-safety-snapshot"].into_iter().chain(more.iter().copied()).collect()
}

#[track_caller]
pub fn refused(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word) || ran.stdout.contains(word), "{word}: {ran:?}");
    }
}

/// Nothing was written.
#[track_caller]
pub fn unchanged(database: &Database, before: &[String]) {
    let now = contents(database);
    let lost: Vec<_> = before.iter().filter(|l| !now.contains(l)).take(8).collect();
    let new: Vec<_> = now.iter().filter(|l| !before.contains(l)).take(8).collect();
    assert!(now == before, "lost {lost:#?}; new {new:#?}");
}

#[test]
fn r28_another_project_is_refused() {
    let (place, database, other) = (Place::new(), server().small(), server().small());
    snapshot(&place, &database, &[]);
    other.sql("CREATE TABLE public.theirs (a int); INSERT INTO public.theirs VALUES (1); DROP TABLE app.notes");
    let before = contents(&other);
    let ran = Ran::of(&mut restore(&place, other.access(), "latest", &yes(&other, &[])));
    refused(&ran, 14, &["not the one that the snapshot was taken from", "--replace-other-project"]);
    let ran = Ran::of(&mut restore(&place, other.access(), "latest", &["--dry-run"]));
    refused(&ran, 14, &["--replace-other-project"]);
    unchanged(&other, &before);
    let ran = Ran::of(&mut restore(&place, other.access(), "latest", &yes(&other, &["--replace-other-project"])));
    assert_eq!(ran.code, 0, "{ran:?}");
    unchanged(&other, &contents(&database));
}

#[test]
fn r44_a_target_that_is_read_only_is_refused() {
    let _alone = alone();
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    database.sql(DAMAGE);
    let before = contents(&database);
    let role = format!("reader_{}", database.name);
    database.sql(&format!(
        "CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'x'; ALTER ROLE {role} SET default_transaction_read_only = on"
    ));
    let access = Access { user: &role, password: "x", ..database.access() };
    let ran = Ran::of(&mut restore(&place, access, "latest", &yes(&database, &[])));
    unchanged(&database, &before);
    database.sql(&format!("DROP ROLE {role}"));
    refused(&ran, 1, &["read only", "default_transaction_read_only"]);
}

#[test]
fn r44_the_transaction_pooler_is_refused() {
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    let access = Access { port: 6543, ..database.access() };
    let ran = Ran::of(&mut restore(&place, access, "latest", &yes(&database, &[])));
    assert!(matches!(ran.code, 64 | 78), "{ran:?}");
    refused(&ran, ran.code, &["pooler in transaction mode", "6543", "5432"]);
}

#[test]
fn r41_an_older_server_is_refused() {
    let newer = Cluster::start(16);
    let from = newer.small();
    let (place, target) = (Place::new(), server().database("TEMPLATE template0"));
    let before = contents(&target);
    let ran = place.run(from.access(), &["--pg-bin", newer.bin.to_str().unwrap()]);
    let folder = ran.folder();
    let ran = Ran::of(&mut restore(&place, target.access(), folder.to_str().unwrap(), &yes(&target, &[])));
    refused(&ran, 1, &["older than the snapshot's PostgreSQL 16"]);
    unchanged(&target, &before);
}

#[test]
fn a_damaged_archive_and_a_newer_format_are_refused() {
    let (place, database) = (Place::new(), server().small());
    let folder = snapshot(&place, &database, &[]);
    database.sql(DAMAGE);
    let before = contents(&database);
    let try_it = || Ran::of(&mut restore(&place, database.access(), "latest", &yes(&database, &["--allow-partial"])));
    // Each of them alone: the table of contents of the archive, a file of rows, the inventory.
    let archive = std::fs::read_dir(folder.join(stacksnap::snapshot::layout::DUMP_DIR))
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path());
    let files: Vec<_> = archive.chain([folder.join("inventory.json")]).collect();
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(&file, &bad).unwrap();
        refused(&try_it(), 13, &["nothing was written"]);
        std::fs::remove_file(&file).unwrap();
        refused(&try_it(), 13, &["nothing was written"]);
        std::fs::write(&file, &good).unwrap();
    }
    let mut manifest = stacksnap::snapshot::manifest_file::read_manifest(&folder).unwrap();
    manifest.format.major += 1;
    let (bytes, _) = stacksnap::snapshot::manifest_file::manifest_bytes(&manifest).unwrap();
    std::fs::write(folder.join("manifest.json"), bytes).unwrap();
    let ran = Ran::of(&mut restore(&place, database.access(), folder.to_str().unwrap(), &yes(&database, &[])));
    assert!(ran.code != 0 && ran.code != 3, "{ran:?}");
    refused(&ran, ran.code, &["format"]);
    unchanged(&database, &before);
}

/// Somebody who keeps a table from being emptied, dropped or altered, while it can still be read.
pub struct Holder(Child);

impl Holder {
    pub fn of(database: &Database, table: &str) -> Self {
        let sql = format!("BEGIN; LOCK TABLE {table} IN ROW EXCLUSIVE MODE; SELECT pg_sleep(300)");
        let mut psql = database.server.program("psql", &database.name);
        psql.env("PGAPPNAME", "holder").args(["-X", "-q", "-c", &sql]).stdout(Stdio::null()).stderr(Stdio::null());
        let child = psql.spawn().unwrap();
        until(
            database,
            "SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock' AND granted AND pid IN \
            (SELECT pid FROM pg_stat_activity WHERE application_name = 'holder' AND datname = current_database())",
            "1",
        );
        Self(child)
    }

    pub fn lets_go(mut self, database: &Database) {
        database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder' AND datname = current_database()");
        let _ = self.0.wait();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a query says so.
#[track_caller]
pub fn until(database: &Database, sql: &str, wanted: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while database.sql(sql) != wanted {
        assert!(Instant::now() < end, "never {wanted}: {sql}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

const WAITING: &str = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'stacksnap%' \
    AND datname = current_database() AND wait_event_type = 'Lock'";
const GONE: &str = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'stacksnap%' AND datname = current_database()";

#[test]
fn a_locked_target_is_waited_for_and_no_longer_than_asked() {
    let (place, database) = (Place::new(), server().small());
    snapshot(&place, &database, &[]);
    database.sql(DAMAGE);
    let before = contents(&database);
    let holder = Holder::of(&database, "public.people");
    let clock = Instant::now();
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &yes(&database, &["--lock-wait", "1s"])));
    refused(&ran, 11, &["public.people", "held or queued for by process", "pg_terminate_backend"]);
    assert!(clock.elapsed() < Duration::from_secs(30), "{ran:?}");
    unchanged(&database, &before);
    holder.lets_go(&database);
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &yes(&database, &["--lock-wait", "20s"])));
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Starts a restore and waits until it stands in the middle, at a table that somebody holds.
fn in_the_middle(place: &Place, database: &Database) -> (Child, Holder) {
    let holder = Holder::of(database, "public.people");
    let mut command = restore(place, database.access(), "latest", &yes(database, &["--lock-wait", "5min"]));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(database, WAITING, "t");
    (child, holder)
}

#[test]
fn ctrl_c_in_the_middle_leaves_the_target_as_it_was() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (place, database) = (Place::new(), server().small());
        snapshot(&place, &database, &[]);
        database.sql(DAMAGE);
        let before = contents(&database);
        let (mut child, holder) = in_the_middle(&place, &database);
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        // It ends at once, although somebody still holds what it waits for.
        let end = Instant::now() + Duration::from_secs(20);
        while child.try_wait().unwrap().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(30));
        }
        let ended = child.try_wait().unwrap();
        let _ = child.kill();
        holder.lets_go(&database);
        until(&database, GONE, "t");
        unchanged(&database, &before);
        assert_eq!(ended.and_then(|s| s.code()), Some(code));
        assert_eq!(Ran::of(&mut restore(&place, database.access(), "latest", &yes(&database, &[]))).code, 0);
    }
}

#[test]
fn r33_the_server_dies_in_the_middle() {
    let cluster = Cluster::start(15);
    let (place, database) = (Place::new(), cluster.small());
    snapshot(&place, &database, &[]);
    database.sql(DAMAGE);
    let before = contents(&database);
    let (mut child, holder) = in_the_middle(&place, &database);
    // The server kills the session's process with -9: it takes every other one down and recovers.
    let pid = database.sql(
        "SELECT max(pid) FROM pg_stat_activity WHERE application_name LIKE 'stacksnap%' AND wait_event_type = 'Lock'",
    );
    let kill = format!("COPY (SELECT 1) TO PROGRAM 'kill -9 {pid}'");
    let _ = database.server.program("psql", &database.name).args(["-X", "-q", "-c", &kill]).output();
    assert_eq!(child.wait().unwrap().code(), Some(69));
    drop(holder);
    let end = Instant::now() + Duration::from_secs(60);
    let ready = || database.server.program("pg_isready", &database.name).output().unwrap().status.success();
    while !ready() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    unchanged(&database, &before);
    let ran = Ran::of(&mut restore(&place, database.access(), "latest", &yes(&database, &[])));
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn r33_a_policy_for_a_role_that_cannot_be_made_closes_its_table() {
    let _alone = alone();
    let cluster = Cluster::start(15);
    let target = cluster.database("TEMPLATE template0");
    let (place, source) = (Place::new(), server().small());
    let role = format!("tenant_{}", source.name);
    source.sql(&format!(
        "CREATE ROLE {role}; CREATE POLICY narrow ON app.notes AS RESTRICTIVE TO {role} USING (person = 1)"
    ));
    snapshot(&place, &source, &[]);
    source.sql(&format!("DROP POLICY narrow ON app.notes; DROP ROLE {role}"));
    target.sql(&format!(
        "CREATE ROLE builder LOGIN PASSWORD 'x'; ALTER DATABASE {} OWNER TO builder; GRANT SET ON PARAMETER session_replication_role TO builder",
        target.name
    ));
    let access = Access { user: "builder", password: "x", ..target.access() };
    let ran = Ran::of(&mut restore(&place, access, "latest", &yes(&target, &[])));
    assert_eq!(ran.code, 13, "{ran:?}");
    assert!(ran.stdout.contains("not protected as in the snapshot") && ran.stdout.contains(&role), "{ran:?}");
    let others = "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = 'app.notes'::regclass AND a.grantee <> c.relowner";
    assert_eq!(target.sql(others).trim(), "0");
}
