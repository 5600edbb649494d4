//! In place, a table that nobody wrote to is not read; whatever changed its rows is found all the same.
//!
//! One cluster each, because a test resets its statistics or kills it. Every kind of change has a table of its own: one
//! that was restored once is read ever after.

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use cases::{CHANGES, SCHEMA, TABLES};

use crate::support::{Cluster, Snapshot, ok, text};
use stacksnap::model::restore::RestorePlan;
use stacksnap::pg::catalog::marks::marks;
use stacksnap::pg::session::Session;

const DATABASE: &str = "marked";

struct World {
    cluster: Cluster,
    place: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::of(15)
    }

    fn of(major: u32) -> Self {
        let cluster = Cluster::start(major);
        cluster.empty(DATABASE);
        let tables: Vec<String> = TABLES
            .iter()
            .map(|t| {
                format!(
                    "CREATE TABLE {t} (id int, v text, w text); INSERT INTO {t} VALUES (1, 'a', 'b'), (2, 'c', 'd');"
                )
            })
            .collect();
        cluster.sql(DATABASE, &format!("{}{SCHEMA}", tables.concat()));
        Self { cluster, place: tempfile::tempdir().unwrap() }
    }

    #[track_caller]
    fn sql(&self, sql: &str) -> String {
        self.cluster.sql(DATABASE, sql)
    }

    /// Statement by statement, in a session that ends.
    #[track_caller]
    fn script(&self, sql: &str) {
        let file = self.place.path().join("script.sql");
        std::fs::write(&file, sql).unwrap();
        ok(self.cluster.psql(DATABASE).arg("-f").arg(&file));
    }

    #[track_caller]
    fn snapshot(&self) -> Snapshot {
        self.cluster.create(DATABASE, &self.place.path().join("root"), 0, &[])
    }

    fn command(&self, snapshot: &Snapshot) -> Command {
        let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname={DATABASE}", self.cluster.port);
        let mut command = self.cluster.stacksnap(DATABASE, &self.place.path().join("root"));
        command.arg("restore").arg(&snapshot.folder).args(["--to", &to, "--no-safety-snapshot"]);
        command
    }

    #[track_caller]
    fn plan(&self, snapshot: &Snapshot) -> RestorePlan {
        let file: PathBuf = self.place.path().join("plan.json");
        let _ = std::fs::remove_file(&file);
        let output = self.command(snapshot).args(["--dry-run", "--save-plan"]).arg(&file).output().unwrap();
        assert!(file.exists(), "{}", text(&output));
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    /// Restores, proof and all.
    #[track_caller]
    fn restore(&self, snapshot: &Snapshot) {
        let output = self.command(snapshot).args(["--confirm", DATABASE]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }

    /// pg_dump's words, but for what it never says twice.
    fn contents(&self) -> Vec<String> {
        let said = ok(&mut self.cluster.program("pg_dump", DATABASE));
        let mut lines: Vec<String> = said.lines().filter(|l| !l.contains("restrict")).map(str::to_string).collect();
        lines.sort();
        lines
    }

    /// How often each table was read from its beginning.
    fn scans(&self) -> BTreeMap<String, i64> {
        // A session that has ended hands its counts in a moment later.
        std::thread::sleep(Duration::from_millis(500));
        let said = self.sql("SELECT relname || ' ' || seq_scan FROM pg_stat_user_tables");
        said.lines().filter_map(|l| l.split_once(' ')).map(|(t, n)| (t.to_string(), n.parse().unwrap())).collect()
    }

    /// The tables that a plan reads, and the plan.
    #[track_caller]
    fn plan_reads(&self, snapshot: &Snapshot) -> (BTreeSet<String>, RestorePlan) {
        let before = self.scans();
        let plan = self.plan(snapshot);
        let after = self.scans();
        (after.into_iter().filter(|(table, n)| before.get(table) != Some(n)).map(|(table, _)| table).collect(), plan)
    }
}

fn loaded(plan: &RestorePlan) -> BTreeSet<&str> {
    plan.load.iter().map(|load| load.table.name.as_str()).collect()
}

#[test]
fn one_changed_table_is_all_that_a_rollback_reads() {
    one_changed_table(15);
}

#[test]
fn one_changed_table_is_all_that_a_rollback_reads_on_18() {
    one_changed_table(18);
}

#[track_caller]
fn one_changed_table(major: u32) {
    let world = World::of(major);
    let snapshot = world.snapshot();
    let marked = |t: &str| snapshot.manifest.tables.iter().find(|r| r.name.name == t).unwrap().mark.is_some();
    assert!(["still", "still_too", "nothing", "part_1"].into_iter().all(marked));
    // What shows the names of others, or is made of a row type, reads otherwise without being written to.
    assert!(!["named", "pairs", "with_pairs"].into_iter().any(marked));
    let before = world.contents();
    world.sql("UPDATE updated SET v = 'evil'");
    let (read, plan) = world.plan_reads(&snapshot);
    assert_eq!(read, ["updated", "named", "pairs", "with_pairs"].map(String::from).into());
    assert_eq!((loaded(&plan), plan.load.len()), (["updated"].into(), 1));
    let tables = snapshot.manifest.tables.len() as u64;
    assert_eq!((plan.tables_equal, plan.tables_vouched), (tables - 1, tables - 4));
    // One that is only called otherwise is not read either.
    world.sql("ALTER TABLE renamed RENAME TO other_name");
    let (read, plan) = world.plan_reads(&snapshot);
    assert!(!read.contains("other_name") && loaded(&plan) == ["updated"].into(), "{read:?} {plan:?}");
    assert_eq!(plan.digest, world.plan(&snapshot).digest);
    world.restore(&snapshot);
    assert_eq!(world.contents(), before);
    assert!(world.plan(&snapshot).is_empty());
}

#[test]
fn whatever_changed_rows_is_found() {
    let world = World::new();
    let snapshot = world.snapshot();
    let before = world.contents();
    world.script(&CHANGES.iter().map(|(_, sql, _)| format!("{sql};\n")).collect::<String>());
    let (read, plan) = world.plan_reads(&snapshot);
    for (table, sql, differs) in CHANGES {
        assert_eq!(loaded(&plan).contains(table), *differs, "{sql}: {plan:?}");
    }
    assert!(read.contains("rolled_back") && read.contains("clustered"), "{read:?}");
    assert!(plan.tables_vouched > 0 && !read.contains("still") && !read.contains("still_too"), "{read:?}");
    world.restore(&snapshot);
    assert_eq!(world.contents(), before);
}

/// Labels are how an enum's rows read, also within a domain and a list.
#[tokio::test(flavor = "multi_thread")]
async fn an_enum_with_other_labels_is_another_mark() {
    let world = World::new();
    let snapshot = world.snapshot();
    let before = world.contents();
    let session = Session::open(&world.cluster.spec(DATABASE), "marks").await.unwrap();
    let oid = |table: &str| world.sql(&format!("SELECT '{table}'::regclass::oid")).parse::<u32>().unwrap();
    let (still, too, part) = (oid("still"), oid("still_too"), oid("part_1"));
    let was = marks(&session).await.unwrap();
    world.sql("ALTER TYPE mood RENAME VALUE 'sad' TO 'evil'");
    let is = marks(&session).await.unwrap();
    assert!(was.since.is_some() && was.since == is.since);
    assert!(is.tables.contains_key(&too) && was.tables[&too] != is.tables[&too]);
    assert_eq!((&was.tables[&still], &was.tables[&part]), (&is.tables[&still], &is.tables[&part]));
    drop(session);
    assert_eq!(loaded(&world.plan(&snapshot)), ["still_too"].into());
    world.restore(&snapshot);
    assert_eq!(world.contents(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_hold_counts_back_means_reading() {
    let world = World::new();
    let snapshot = world.snapshot();
    let session = Session::open(&world.cluster.spec(DATABASE), "busy").await.unwrap();
    session.execute("UPDATE public.still SET v = 'evil' WHERE id = 7; UPDATE public.still SET v = v").await.unwrap();
    let (read, plan) = world.plan_reads(&snapshot);
    assert_eq!((plan.tables_vouched, loaded(&plan)), (0, ["still"].into()));
    assert!(read.contains("part_1"), "{read:?}");
    // Idle for long enough, it has handed them in.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let quiet = world.plan(&snapshot);
    assert!(quiet.tables_vouched > 0 && loaded(&quiet) == ["still"].into(), "{quiet:?}");
    assert_eq!(quiet.digest, plan.digest, "how it was found out is no part of what is planned");
    // What a transaction has not ended yet is not there; at its end it is found.
    session.execute("BEGIN; UPDATE public.zero SET v = 'x'; INSERT INTO public.zero VALUES (1, 'late')").await.unwrap();
    assert_eq!(world.plan(&snapshot).tables_vouched, 0);
    session.execute("COMMIT").await.unwrap();
    drop(session);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let plan = world.plan(&snapshot);
    assert!(plan.tables_vouched > 0 && loaded(&plan) == ["still", "zero"].into(), "{plan:?}");
    // Neither is a snapshot vouched for that was taken while somebody was writing: what comes to light later is read.
    let session = Session::open(&world.cluster.spec(DATABASE), "writer").await.unwrap();
    session.execute("BEGIN; INSERT INTO public.zero VALUES (2, 'in between')").await.unwrap();
    let during = world.snapshot();
    session.execute("COMMIT").await.unwrap();
    drop(session);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let plan = world.plan(&during);
    assert!(plan.tables_vouched > 0 && loaded(&plan) == ["zero"].into(), "{plan:?}");
}

#[test]
fn counters_that_began_anew_prove_nothing() {
    let world = World::new();
    // Its counters are all zero when the snapshot is taken, and again when the rows have changed.
    world.sql("INSERT INTO zero VALUES (1, 'a')");
    world.sql("SELECT pg_stat_reset_single_table_counters('zero'::regclass)");
    let snapshot = world.snapshot();
    world.sql("UPDATE zero SET v = 'evil'");
    world.sql("SELECT pg_stat_reset_single_table_counters('zero'::regclass)");
    let now = "SELECT pg_stat_get_tuples_updated('zero'::regclass)";
    assert_eq!(world.sql(now), "0");
    let plan = world.plan(&snapshot);
    assert_eq!((plan.tables_vouched, loaded(&plan)), (0, ["zero"].into()));
    let snapshot = world.snapshot();
    world.sql("UPDATE zero SET v = 'other'");
    world.sql("SELECT pg_stat_reset()");
    let plan = world.plan(&snapshot);
    assert_eq!((plan.tables_vouched, loaded(&plan)), (0, ["zero"].into()));
    // Counting may have been off between two readings of the settings.
    let snapshot = world.snapshot();
    world.sql("ALTER SYSTEM SET track_counts = off");
    world.sql("SELECT pg_reload_conf()");
    std::thread::sleep(Duration::from_millis(500));
    world.sql("UPDATE zero SET v = 'uncounted'");
    world.sql("ALTER SYSTEM RESET track_counts");
    world.sql("SELECT pg_reload_conf()");
    std::thread::sleep(Duration::from_millis(500));
    let plan = world.plan(&snapshot);
    assert_eq!((plan.tables_vouched, loaded(&plan)), (0, ["zero"].into()));
    // A crash loses the counters: they are zero as they were, and an unlogged table is empty.
    world.sql("CREATE UNLOGGED TABLE forgotten (id int); INSERT INTO forgotten VALUES (1)");
    world.sql("SELECT pg_stat_reset_single_table_counters('forgotten'::regclass)");
    let snapshot = world.snapshot();
    assert!(world.plan(&snapshot).tables_vouched > 0);
    let mut victim = world.cluster.psql(DATABASE);
    // It kills its own server process: every other one starts anew.
    let _ = victim.args(["-c", "COPY (SELECT pg_backend_pid()) TO PROGRAM 'kill -9 $(cat)'"]).output().unwrap();
    let up = || world.cluster.psql(DATABASE).args(["-c", "SELECT 1"]).output().unwrap().status.success();
    assert!((0..100).any(|_| up() || {
        std::thread::sleep(Duration::from_millis(100));
        false
    }));
    assert_eq!(world.sql("SELECT count(*) FROM forgotten"), "0");
    let plan = world.plan(&snapshot);
    assert_eq!((plan.tables_vouched, loaded(&plan)), (0, ["forgotten"].into()));
}

/// Who may switch counting off for a session writes without moving a counter. The rows' own transaction ids tell it: where
/// nothing seems to be done, every table is read, and `create --if-changed` looks at them.
#[test]
fn a_session_that_does_not_count_hides_nothing() {
    let changes = [
        "UPDATE still SET v = 'evil' WHERE id = 7",
        "DELETE FROM still WHERE id = 7",
        "INSERT INTO nothing DEFAULT VALUES",
        "SELECT lo_put(4711, 0, 'evil')",
    ];
    let world = World::new();
    world.sql("SELECT lo_from_bytea(4711, 'good')");
    let before = world.contents();
    let counters = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables";
    let uncounted = |change: &str| {
        let counted = world.sql(counters);
        world.script(&format!("SET track_counts = off; {change};"));
        assert_eq!(world.sql(counters), counted);
    };
    for change in changes {
        let snapshot = world.snapshot();
        uncounted(change);
        for arguments in [&[][..], &["--read-all"]] {
            let output = world.command(&snapshot).args(["--confirm", DATABASE]).args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
            assert_eq!(world.contents(), before, "{change}: {}", text(&output));
            uncounted(change);
        }
        world.restore(&snapshot);
        assert_eq!(world.contents(), before, "{change}");
    }
    // Somebody who was busy a moment ago could hold counts back: it is waited for longer than that.
    let if_changed = || {
        std::thread::sleep(Duration::from_secs(12));
        let mut command = world.cluster.stacksnap(DATABASE, &world.place.path().join("root"));
        let output = command.args(["create", "--if-changed", "--pg-bin"]).arg(&world.cluster.bin).output().unwrap();
        (output.status.code(), text(&output))
    };
    world.snapshot();
    for change in &changes[..2] {
        // Nothing was written here, whoever else was busy.
        world
            .cluster
            .sql("template1", "CREATE TABLE IF NOT EXISTS elsewhere (a int); INSERT INTO elsewhere VALUES (1)");
        let quiet = if_changed();
        assert_eq!(quiet.0, Some(75), "{}", quiet.1);
        uncounted(change);
        let seen = if_changed();
        assert_eq!(seen.0, Some(0), "{change}: {}", seen.1);
        world.script(
            "UPDATE still SET v = v WHERE id = 7; INSERT INTO still VALUES (7, 'again') ON CONFLICT DO NOTHING",
        );
        world.snapshot();
    }
}
