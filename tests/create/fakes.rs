//! Client programs that fail, hang, flood, die and lie: `create` believes none of them, and leaves nothing behind.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout)]

use std::time::{Duration, Instant};

use crate::support::{Database, Place, Ran, assert_verified, processes, server};

fn fake(place: &Place, database: &Database, name: &str, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let bin = crate::support::repo(&format!("fixtures/fakes/{name}"));
    let args = [args, &["--pg-bin", bin.to_str().unwrap()]].concat();
    let mut command = place.create(database.access(), &args);
    command.env("STACKSNAP_REAL_BIN", &server().bin).envs(env.iter().copied());
    Ran::of(&mut command)
}

#[test]
fn no_client_there() {
    let (place, database) = (Place::new(), server().small());
    let nowhere = place.dir.path().join("nothing_here");
    let ran = place.run(database.access(), &["--pg-bin", nowhere.to_str().unwrap()]);
    place.assert_clean_failure(&ran, 78);
    assert!(ran.error().contains("no pg_dump was found") && ran.error().contains("--pg-bin"), "{ran:?}");
}

#[test]
fn a_client_that_is_too_old() {
    let (place, database) = (Place::new(), server().small());
    let ran = fake(&place, &database, "too_old", &[], &[]);
    place.assert_clean_failure(&ran, 78);
    assert!(ran.error().contains("9.6") && ran.error().contains("older than the server"), "{ran:?}");
}

#[test]
fn one_that_hangs_is_ended_with_its_children() {
    let (place, database) = (Place::new(), server().small());
    let pids = place.dir.path().join("pids");
    let clock = Instant::now();
    let ran =
        fake(&place, &database, "hangs", &["--timeout", "5s"], &[("STACKSNAP_FAKE_PIDS", pids.to_str().unwrap())]);
    place.assert_clean_failure(&ran, 1);
    assert!(ran.error().contains("--timeout"), "{ran:?}");
    assert!(clock.elapsed() < Duration::from_secs(20), "{:?}", clock.elapsed());
    for pid in std::fs::read_to_string(&pids).unwrap().split_whitespace() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "still there: {stat}");
    }
}

#[test]
fn a_flood_of_words_fills_no_memory() {
    let (place, database) = (Place::new(), server().small());
    let bin = crate::support::repo("fixtures/fakes/floods");
    let mut command = place.create(database.access(), &["--pg-bin", bin.to_str().unwrap()]);
    command.env("STACKSNAP_REAL_BIN", &server().bin).env("STACKSNAP_FAKE_BYTES", "100000000");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let (pid, mut peak_kb) = (child.id(), 0);
    let watch = std::thread::spawn(move || {
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
            let Some(line) = status.lines().find(|l| l.starts_with("VmHWM")) else { break };
            peak_kb = line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        peak_kb
    });
    let output = child.wait_with_output().unwrap();
    let peak_kb = watch.join().unwrap();
    let ran = Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    place.assert_clean_failure(&ran, 1);
    assert!(ran.error().contains("the last line of the flood"), "{ran:?}");
    assert!(ran.stderr.len() + ran.stdout.len() < 20_000, "it does not flood in its turn");
    assert!((1..150_000).contains(&peak_kb), "{peak_kb} kB at most");
}

#[test]
fn one_that_fails_says_what_it_said() {
    for (name, code, words) in [
        ("fails", 12, "permission denied for table secrets"),
        ("killed", 1, "was killed by signal 9"),
        ("restore_fails", 1, "must be owner of table users"),
    ] {
        let (place, database) = (Place::new(), server().small());
        let ran = fake(&place, &database, name, &[], &[]);
        place.assert_clean_failure(&ran, code);
        assert!(ran.error().contains(words), "{name}: {ran:?}");
    }
}

#[test]
fn one_that_writes_all_and_then_fails_is_not_believed() {
    let (place, database) = (Place::new(), server().small());
    let ran = fake(&place, &database, "fails_late", &["--lock-wait", "1s"], &[]);
    place.assert_clean_failure(&ran, 11);
    assert!(ran.error().contains("public.orders"), "{ran:?}");
}

#[test]
fn trap_3_one_that_lies_with_a_cut_file_never_makes_a_snapshot() {
    for (name, cut) in [("lies", "half"), ("lies", "empty"), ("says_nothing", ""), ("restore_lies", "")] {
        let (place, database) = (Place::new(), server().small());
        let ran = fake(&place, &database, name, &[], &[("STACKSNAP_FAKE_CUT", cut)]);
        place.assert_clean_failure(&ran, 1);
    }
}

#[test]
fn after_every_bad_day_a_good_one() {
    let (place, database) = (Place::new(), server().small());
    assert_eq!(fake(&place, &database, "killed", &[], &[]).code, 1);
    let ran = place.run(database.access(), &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_verified(&place, &ran.folder());
    assert_eq!(place.status()["last_run"]["state"], "ok");
    processes::assert_gone(&place.mark, Duration::from_secs(1));
}
