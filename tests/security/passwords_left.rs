//! A run that is killed leaves no password behind: pg_dump gets it in memory that has no name.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::network::Slow;
use crate::support::{Access, Cluster, Place, Ran, alone, fill, processes, server};

const CANARY: &str = "canary-7f3a:with\\signs";

/// Every file below a folder, whoever made it.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files(&entry.path()),
        Ok(kind) if kind.is_file() => vec![entry.path()],
        _ => Vec::new(),
    });
    below.collect()
}

/// Nothing in the folders that a run writes to holds the password, and none of them is a password file.
#[track_caller]
fn assert_no_password(place: &Place, temp_dir: &Path) {
    assert_eq!(files(temp_dir), Vec::<std::path::PathBuf>::new());
    let left = files(&std::env::temp_dir());
    // Other tests may run beside this one: only what holds our password counts.
    for file in left.iter().filter(|file| file.to_string_lossy().contains("pgpass")).chain(&files(place.dir.path())) {
        let text = std::fs::read(file).unwrap_or_default();
        let found = text.windows(11).any(|part| part == &CANARY.as_bytes()[..11]);
        assert!(!found, "{} holds the password", file.display());
    }
}

#[test]
fn kill_9_at_any_moment_leaves_no_password_behind() {
    let _roles = alone();
    let database = server().small();
    fill(&database, "public.large", 2);
    let role = format!("{}_reader", database.name);
    database.sql(&format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{CANARY}'"));
    let slow = Slow::to(server().port, 500_000);
    let access = Access { user: &role, password: CANARY, ..database.through(slow.port) };
    let (place, temp_dir) = (Place::new(), tempfile::tempdir().unwrap());
    let mut dumps_seen = 0;
    for round in 0..12 {
        let mut command = place.create(access, &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).env("TMPDIR", temp_dir.path());
        let mut run = command.spawn().unwrap();
        let dumping = || processes::marked(&place.mark).iter().any(|(_, line)| line.contains("--format=directory"));
        let until = Instant::now() + Duration::from_secs(30);
        // Half of the rounds before it starts pg_dump, half of them in the middle of that.
        while round % 2 == 1 && !dumping() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(if round % 2 == 1 { 25 * round } else { 40 * round }));
        dumps_seen += u32::from(dumping());
        run.kill().unwrap();
        run.wait().unwrap();
        assert_no_password(&place, temp_dir.path());
        processes::assert_gone(&place.mark, Duration::from_secs(4));
        assert_no_password(&place, temp_dir.path());
    }
    assert!(dumps_seen > 2, "pg_dump had the password in {dumps_seen} of the rounds");
    // What was killed had really logged in with it: a run to the end does.
    slow.open_up();
    let ran = Ran::of(place.create(access, &["--jobs", "2"]).env("TMPDIR", temp_dir.path()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_no_password(&place, temp_dir.path());
    database.sql(&format!("DROP ROLE {role}"));
}

/// libpq of 18 opens its password file another way than that of 15, which the other test has.
#[test]
fn the_programs_of_the_newest_major_read_it_too() {
    let own = Cluster::start(18);
    let database = own.small();
    database.sql(&format!("CREATE ROLE reader SUPERUSER LOGIN PASSWORD '{CANARY}'"));
    let (place, temp_dir) = (Place::new(), tempfile::tempdir().unwrap());
    let access = Access { user: "reader", password: CANARY, ..database.access() };
    let mut create = place.create(access, &["--jobs", "2", "--pg-bin", own.bin.to_str().unwrap()]);
    let ran = Ran::of(create.env("TMPDIR", temp_dir.path()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_no_password(&place, temp_dir.path());
    drop(database);
}
