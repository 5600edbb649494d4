//! Whatever settings a database carries, on the source or on the target: the snapshot holds the same, comes back the
//! same, and carries them back.
//!
//! In CI each round gives a database one value of every setting at once, chosen by a seed. `STACKSNAP_SETTINGS=all` tries
//! each value of each by itself (a quarter of an hour a server), and `STACKSNAP_SETTINGS=name,name` some; a seed that
//! failed is tried again by `STACKSNAP_SETTINGS_SEED`.

mod pooler;
mod values;

use std::path::{Path, PathBuf};

use crate::support::restored::{Restored, restore};
use crate::support::{Cluster, Snapshot, ok, server, text};
use pooler::Options;
use values::{NEEDED, Setting};

const DATABASE: &str = include_str!("session_settings/database.sql");
/// Where the server was built with libxml.
const XML: &str = "CREATE TABLE public.documents (x xml DEFAULT '<!DOCTYPE a><a/>', CHECK (x IS DOCUMENT OR true));
    INSERT INTO public.documents VALUES ('<a b=\"1\">&amp;</a>text'), (DEFAULT);
    CREATE VIEW public.marked_up AS SELECT x, '<a/>text'::xml AS y, xmlelement(name foo, '\\x005c'::bytea) AS z FROM public.documents";
/// Under these, `pg_dump` says the same of two databases that are the same, whatever they carry.
const PLAIN: &str = "-c bytea_output=hex -c quote_all_identifiers=off -c lc_monetary=C -c standard_conforming_strings=on \
    -c timezone=UTC -c client_encoding=UTF8 -c client_min_messages=warning -c zero_damaged_pages=off";
const ROUNDS: u64 = 1;

/// What is tried: settings that a database carries together.
fn cases(cluster: &Cluster, database: &str) -> Vec<Vec<Setting>> {
    let all = values::all(cluster, database);
    let asked = std::env::var("STACKSNAP_SETTINGS").unwrap_or_default();
    if !asked.is_empty() {
        let names: Vec<&str> = asked.split(',').collect();
        let is_asked = |s: &Setting| asked == "all" || names.contains(&s.name.as_str());
        return all.into_iter().filter(is_asked).map(|setting| vec![setting]).collect();
    }
    let seed = std::env::var("STACKSNAP_SETTINGS_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let seeds: Vec<u64> = seed.map_or_else(|| (1..=ROUNDS).collect(), |seed| vec![seed]);
    seeds.into_iter().map(|seed| one_of_each(&all, seed)).collect()
}

fn one_of_each(all: &[Setting], seed: u64) -> Vec<Setting> {
    let mut state = seed;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let of_a_name = all.chunk_by(|a, b| a.name == b.name);
    of_a_name.map(|values| values[usize::try_from(next() % values.len() as u64).unwrap()].clone()).collect()
}

/// A database with something of everything that a setting may change.
fn source(cluster: &Cluster, name: &str) -> String {
    ok(cluster.psql("template1").args(["-c", "SET allow_in_place_tablespaces = on", "-c", NEEDED]));
    cluster.empty(name);
    ok(cluster.psql(name).args(["-c", DATABASE]));
    if cluster.psql(name).args(["-c", "SELECT '<a/>'::xml"]).output().unwrap().status.success() {
        cluster.sql(name, XML);
    }
    cluster.sql(name, "CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler");
    name.to_string()
}

fn carry(cluster: &Cluster, database: &str, settings: &[Setting]) {
    let statements: Vec<String> = settings.iter().map(|setting| setting.statement(database)).collect();
    ok(cluster.psql("template1").args(["-c", &statements.join(";\n")]));
}

/// The whole database as pg_dump prints it, told under settings of its own.
fn printed(cluster: &Cluster, database: &str) -> String {
    let dump = ok(cluster.program("pg_dump", database).env("PGOPTIONS", PLAIN));
    let own = |line: &&str| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ");
    dump.lines().filter(own).collect::<Vec<_>>().join("\n")
}

/// What is wrong, when anything is: one line.
type Verdict = Result<(), String>;

fn same(what: &str, wanted: &str, found: &str) -> Verdict {
    let mut lines = wanted.lines().zip(found.lines());
    match lines.find(|(a, b)| a != b) {
        None if wanted.len() == found.len() => Ok(()),
        difference => Err(format!("{what}: pg_dump prints another database: {difference:?}")),
    }
}

fn ended(done: &Restored, what: &str, exceptions: &[String]) -> Verdict {
    let code = if exceptions.is_empty() { 0 } else { 3 };
    if done.code == code && done.exceptions() == exceptions {
        return Ok(());
    }
    Err(format!("{what}: ended {}, {:?}: {}", done.code, done.exceptions(), done.said))
}

/// Of the program, which has to end with 0.
fn well(what: &str, command: &mut std::process::Command) -> Verdict {
    let output = command.output().unwrap();
    if output.status.success() { Ok(()) } else { Err(format!("{what}: {}: {}", output.status, text(&output))) }
}

/// The source carries them.
fn on_the_source(cluster: &Cluster, plain: &str, settings: &[Setting], place: &Path) -> Verdict {
    let database = cluster.copy(plain, "settings_source");
    let before = printed(cluster, &database);
    carry(cluster, &database, settings);
    let root = place.join("snapshots");
    well("create", cluster.stacksnap(&database, &root).args(["create", "--pg-bin"]).arg(&cluster.bin))?;
    let is_sealed = |folder: &PathBuf| folder.join("manifest.json").exists();
    let folder = std::fs::read_dir(&root).unwrap().flatten().map(|e| e.path()).find(is_sealed).unwrap();
    let snapshot = Snapshot::open(&folder);
    if !snapshot.gaps().is_empty() {
        return Err(format!("create: {:?}", snapshot.gaps()));
    }
    let target = cluster.empty("settings_target");
    ended(&restore(cluster, "supabase_admin", "postgres", &target, &snapshot, place), "restore", &[])?;
    same("restore", &before, &printed(cluster, &target))?;
    well("diff", cluster.stacksnap(&target, &root).arg("diff").arg(&folder).arg("live"))?;
    in_place(cluster, &database, &before, &snapshot, place)
}

/// Damaged and brought back, with the settings that it carries.
fn in_place(cluster: &Cluster, database: &str, before: &str, snapshot: &Snapshot, place: &Path) -> Verdict {
    let damage = "DROP VIEW public.v; DROP FUNCTION public.oldstyle(); UPDATE public.nasty SET m = m * 2, b = 'x' WHERE id < 5; \
        ALTER TABLE public.nasty ALTER t SET DEFAULT 'other'; DROP MATERIALIZED VIEW public.mv; DROP TABLE public.bits";
    let quiet = "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c search_path=public \
        -c transform_null_equals=off -c session_replication_role=origin";
    ok(cluster.psql(database).env("PGOPTIONS", quiet).args(["-c", damage]));
    ended(&restore(cluster, "supabase_admin", "postgres", database, snapshot, place), "in place", &[])?;
    same("in place", before, &printed(cluster, database))
}

/// An empty target carries them: they stay and are named, and the rest is equal; so it is by the snapshot's own script.
fn on_the_target(cluster: &Cluster, snapshot: &Snapshot, before: &str, settings: &[Setting], place: &Path) -> Verdict {
    let mut named: Vec<String> =
        settings.iter().map(|s| format!("setting_stays DATABASE SETTING in this database {}", s.name)).collect();
    named.sort();
    for (database, script) in [("settings_target", false), ("settings_script", true)] {
        cluster.empty(database);
        carry(cluster, database, settings);
        if script {
            let mut command = cluster.command(&snapshot.folder.join("restore_complete_backup.sh"), database);
            well("script", command.args(["--confirm", database, "--pg-bin"]).arg(&cluster.bin))?;
        } else {
            let done = restore(cluster, "supabase_admin", "postgres", database, snapshot, place);
            ended(&done, "restore", &named)?;
        }
        same(database, before, &printed(cluster, database))?;
    }
    Ok(())
}

fn every_setting(cluster: &Cluster) {
    let plain = source(cluster, "settings_plain");
    let before = printed(cluster, &plain);
    let place = tempfile::tempdir().unwrap();
    let snapshot = cluster.create(&plain, &place.path().join("plain"), 0, &[]);
    let mut wrong = Vec::new();
    for settings in cases(cluster, &plain) {
        let verdicts = [
            ("source", on_the_source(cluster, &plain, &settings, tempfile::tempdir().unwrap().path())),
            ("target", on_the_target(cluster, &snapshot, &before, &settings, tempfile::tempdir().unwrap().path())),
        ];
        let shown: Vec<String> = settings.iter().map(|s| format!("{}={}", s.name, s.value)).collect();
        for (side, verdict) in verdicts {
            if let Err(why) = verdict {
                wrong.push(format!("{side}, {}\n    {}", shown.join(" "), why.trim().replace('\n', "\n    ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases of {}:\n{}", wrong.len(), cluster.port, wrong.join("\n"));
}

#[test]
fn no_setting_of_a_database_changes_what_comes_back() {
    // One of its own: what the settings name is the whole server's.
    let version: u32 = server().sql("template1", "SHOW server_version_num").parse().unwrap();
    every_setting(&Cluster::start(version / 10_000));
}

#[test]
fn nor_on_the_newest_server() {
    every_setting(&Cluster::start(18));
}

/// Through a pooler: what pg_dump cannot be given is a gap, by the name of the setting, and only where it deviates.
#[test]
fn what_a_pooler_keeps_from_pg_dump_is_a_gap() {
    let cluster = Cluster::start(15);
    let database = cluster.empty("pooled");
    cluster.sql(&database, "CREATE TABLE t (b bytea, m money); INSERT INTO t VALUES ('x', 1)");
    for (carried, gaps) in [("search_path = pg_catalog", vec![]), ("bytea_output = escape", vec!["bytea_output"])] {
        cluster.sql("template1", &format!("ALTER DATABASE pooled SET {carried}"));
        for options in [Options::Ignored, Options::Refused] {
            let port = pooler::in_front_of(cluster.port, options);
            let place = tempfile::tempdir().unwrap();
            let mut command = cluster.stacksnap(&database, &place.path().join("snapshots"));
            command.env("PGPORT", port.to_string()).args(["create", "--pg-bin"]).arg(&cluster.bin).args(["-o", "json"]);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(if gaps.is_empty() { 0 } else { 3 }), "{}", text(&output));
            let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let found = report["gaps"].as_array().unwrap();
            let named: Vec<String> = found.iter().map(|g| format!("{}: {}", g["code"], g["what"])).collect();
            let wanted: Vec<String> =
                gaps.iter().map(|name| format!("\"setting_not_pinned\": \"setting {name}\"")).collect();
            assert_eq!(named, wanted, "{options:?}");
        }
    }
    // The options that the user gave stay in force.
    let place = tempfile::tempdir().unwrap();
    let mut command = cluster.stacksnap(&database, &place.path().join("snapshots"));
    command.env("PGOPTIONS", "-c work_mem=1234kB -c bytea_output=escape").args(["create", "--pg-bin"]);
    ok(command.arg(&cluster.bin));
}
