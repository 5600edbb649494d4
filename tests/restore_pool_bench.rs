//! The parallel phase beside `pg_restore -j2` of the same archive, by hand: figures, no verdict.
//!
//! `STACKSNAP_BENCH_SNAPSHOT=FOLDER cargo test --test restore_pool_bench -- --ignored --nocapture`, with a server.

mod restore_support;
mod round_support;

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use restore_support::Archive;
use round_support::{Cluster, ok, server};
use stacksnap::model::cancel::Cancel;
use stacksnap::model::name::QualifiedName;
use stacksnap::monitor::Silent;
use stacksnap::restore::load::LoadTask;
use stacksnap::restore::pool::{BuildTask, run};
use stacksnap::restore::source::SnapshotSource;

/// Foreign keys in two steps: one that locks both tables for a moment, one that reads with a lock on its own alone.
fn in_two_steps(builds: Vec<BuildTask>) -> Vec<BuildTask> {
    let mut out = Vec::new();
    for build in builds {
        let definition = build.statements[0].trim_end().trim_end_matches(';').to_string();
        if !build.what.starts_with("FK ") {
            out.push(build);
            continue;
        }
        let words: Vec<&str> = definition.split_whitespace().collect();
        let name = words[words.iter().position(|w| *w == "CONSTRAINT").unwrap() + 1];
        let own: Vec<QualifiedName> = build.tables[..1].to_vec();
        let validate = format!("ALTER TABLE {} VALIDATE CONSTRAINT {name}", own[0].sql());
        let id = -build.dump_id;
        out.push(BuildTask {
            dump_id: id,
            needs: vec![build.dump_id],
            statements: vec![validate],
            tables: own,
            ..build.clone()
        });
        out.push(BuildTask {
            statements: vec![format!("{definition} NOT VALID")],
            weight: 1,
            after_rows: vec![],
            ..build
        });
    }
    out
}

/// Seconds of processor that the server has used, and that we and our children have: steadier than the clock on a busy
/// machine. The server has to be on this one.
fn processor(cluster: &Cluster) -> (f64, f64) {
    let ticks = |path: &str| -> Vec<f64> {
        let stat = std::fs::read_to_string(path).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.to_string();
        fields.split(' ').map(|field| field.parse().unwrap_or(0.0)).collect()
    };
    let backend = cluster.sql("postgres", "SELECT pg_read_file('postmaster.pid')");
    let server = ticks(&format!("/proc/{}/stat", backend.lines().next().unwrap()));
    let own = ticks("/proc/self/stat");
    let sum = |fields: &[f64]| fields[11..15].iter().sum::<f64>() / 100.0;
    (sum(&server), sum(&own))
}

fn say(line: &str) {
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The best and the middle one.
fn told(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    format!("{:.2} ({:.2}) s", times[0], times[times.len() / 2])
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn ours(cluster: &Cluster, archive: &Archive, loads: &[LoadTask], freeze: bool, split_keys: bool) -> f64 {
    let to = archive.schema(cluster, "bench_ours");
    let (started, before) = (Instant::now(), processor(cluster));
    let mut loads = loads.to_vec();
    loads.iter_mut().for_each(|load| load.freeze = freeze);
    let builds = if split_keys { in_two_steps(archive.builds()) } else { archive.builds() };
    let setup = ["SET session_replication_role = replica".to_string()];
    let done = run(&cluster.spec(&to), &setup, loads, builds, 2, &Silent, &Cancel::new()).await.unwrap();
    assert!(done.failed.is_empty(), "{:?}", done.failed);
    let (elapsed, after) = (started.elapsed().as_secs_f64(), processor(cluster));
    say(&format!(
        "  {elapsed:.2} s, processor: server {:.2} s, client {:.2} s\n",
        after.0 - before.0,
        after.1 - before.1
    ));
    elapsed
}

fn theirs(cluster: &Cluster, archive: &Archive) -> f64 {
    let to = archive.schema(cluster, "bench_theirs");
    let (started, before) = (Instant::now(), processor(cluster));
    let mut restore = cluster.program("pg_restore", &to);
    restore.args(["-d", &to, "-j2", "--section=data", "--section=post-data"]);
    ok(restore.arg(archive.path()));
    let (elapsed, after) = (started.elapsed().as_secs_f64(), processor(cluster));
    say(&format!(
        "  {elapsed:.2} s, processor: server {:.2} s, client {:.2} s\n",
        after.0 - before.0,
        after.1 - before.1
    ));
    elapsed
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement by hand"]
#[allow(clippy::disallowed_methods)]
async fn beside_pg_restore() {
    let cluster = server();
    let folder = PathBuf::from(std::env::var("STACKSNAP_BENCH_SNAPSHOT").unwrap());
    let source = SnapshotSource::open(&folder).unwrap();
    let archive = Archive::at(&folder.join(stacksnap::archive::layout::DUMP_DIR));
    let task = |data: stacksnap::pgtools::toc::TableData| {
        let record = source.manifest.tables.iter().find(|t| t.name == data.table).unwrap();
        let (rows, fingerprint, bytes_raw) = (record.rows, record.fingerprint.clone(), record.bytes_raw);
        let (table, columns, file_name) = (data.table, data.columns, data.file_name);
        LoadTask {
            table,
            columns,
            folder: archive.folder.clone(),
            file_name,
            rows,
            fingerprint,
            bytes_raw,
            freeze: false,
        }
    };
    let loads: Vec<LoadTask> = source.toc.table_data().unwrap().into_iter().map(task).collect();
    let bytes: u64 = loads.iter().map(|l| l.bytes_raw).sum();
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..2 {
        times[0].push(theirs(&cluster, &archive));
        times[1].push(ours(&cluster, &archive, &loads, false, false).await);
        times[2].push(ours(&cluster, &archive, &loads, true, false).await);
        times[3].push(ours(&cluster, &archive, &loads, false, true).await);
    }
    let [theirs, plain, freeze, two_steps] = times.map(told);
    let (mb, peak) = (bytes >> 20, peak_kb() >> 10);
    let line = format!(
        "{mb} MB: pg_restore {theirs}, pool {plain}, with freeze {freeze}, keys in two steps {two_steps}, peak {peak} MB\n"
    );
    say(&line);
}
