//! Runs: single flight, the background, the status file, logs, signals, time limits, the sweep. The server of these
//! tests takes a connection and never answers, so a run lasts as long as the test needs it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::network::SilentServer;
use crate::support::{Place, Ran, all_text_below, signal, wait_until};
use rustix::process::Signal;

/// A run in the background that waits for its server; killed at the end.
struct Background {
    pid: u64,
    run: String,
    log: std::path::PathBuf,
}

impl Background {
    fn start(place: &Place, server: &SilentServer, more: &[&str]) -> Self {
        let url = server.url("canary");
        let mut args = vec!["--db-url", &url, "create", "--background", "-o", "json"];
        args.extend(more);
        let ran = place.ran(&args);
        assert_eq!(ran.code, 0, "{ran:?}");
        let document = ran.document();
        assert_eq!(document["schema"], "stacksnap.v1.create");
        let text = |key: &str| document[key].as_str().unwrap().to_string();
        let log = place.dir.path().join(text("log"));
        Self { pid: document["pid"].as_u64().unwrap(), run: text("run"), log }
    }

    fn gone(&self) -> bool {
        !std::path::Path::new(&format!("/proc/{}", self.pid)).exists()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn foreground(place: &Place, server: &SilentServer, more: &[&str]) -> Child {
    let mut args = vec!["create"];
    args.extend(more);
    let command = place.command(&args);
    let mut plain = Command::new(command.get_program());
    plain.args(command.get_args()).current_dir(place.dir.path()).env_clear().env("HOME", place.dir.path());
    plain.env("STACKSNAP_DB_URL", server.url("canary"));
    plain.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn is_running(place: &Place) -> bool {
    place.status()["running"].is_object()
}

#[test]
fn the_background_returns_at_once_and_tells_no_secret() {
    let (place, server) = (Place::new(), SilentServer::start());
    let start = Instant::now();
    let run = Background::start(&place, &server, &["--label", "START", "--note", "--background"].map(|a| a)[..2]);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    wait_until("the run", || is_running(&place));

    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", run.pid)).unwrap();
    assert!(arguments.contains("--run-id=") && arguments.contains("START"), "{arguments:?}");
    for word in ["canary", "postgresql://", "--background", "--db-url"] {
        assert!(!arguments.contains(word), "{word}: {arguments:?}");
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", run.pid)).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    assert_eq!(fields[2], run.pid.to_string(), "a process group of its own");
    assert_eq!(fields[3], run.pid.to_string(), "a session of its own");
    assert_eq!(fields[16], "10", "nice");

    let status = place.status();
    assert_eq!(status["running"]["run"], run.run.as_str());
    assert_eq!(status["running"]["pid"], run.pid);
    assert_eq!(status["running"]["background"], true);
    for (path, mode) in [(run.log.clone(), 0o600), (place.root(), 0o700), (place.root().join("status.json"), 0o600)] {
        let found = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
    assert!(place.ran(&["list"]).stdout.contains("running now"));
    assert!(!all_text_below(&place.root()).contains("canary"));
}

#[test]
fn text_says_where_to_look() {
    let (place, server) = (Place::new(), SilentServer::start());
    let mut command = place.command(&["create", "--background", "--root", "my snapshots"]);
    let ran = Ran::of(command.env("DATABASE_URL", server.url("canary")));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("stacksnap --root 'my snapshots' logs latest -f"), "{ran:?}");
    assert!(ran.stdout.contains("my snapshots/logs/run_") && ran.stdout.contains("status.json"), "{ran:?}");
    let status = std::fs::read_to_string(place.dir.path().join("my snapshots/status.json"));
    let pid = ran.stdout.split("process ").nth(1).unwrap().split(')').next().unwrap().parse().unwrap();
    signal(pid, Signal::KILL);
    assert!(status.is_ok() || !ran.stdout.is_empty());
}

#[test]
fn only_one_run_at_a_time() {
    let (place, server) = (Place::new(), SilentServer::start());
    let run = Background::start(&place, &server, &[]);
    for args in [&["create"][..], &["create", "--background"]] {
        let ran = Ran::of(place.command(args).env("STACKSNAP_DB_URL", server.url("x")));
        assert_eq!(ran.code, 75, "{ran:?}");
        assert!(ran.stdout.contains(&run.run) && ran.stdout.contains(&run.pid.to_string()), "{ran:?}");
    }
    let ran = Ran::of(place.command(&["create", "-o", "json"]).env("STACKSNAP_DB_URL", server.url("x")));
    assert_eq!(ran.document()["skipped"]["reason"], "busy");
    // Killed without a word: the lock is free, and the next run says what happened.
    signal(run.pid, Signal::KILL);
    wait_until("the end", || run.gone());
    let next = Background::start(&place, &server, &[]);
    wait_until("the next run", || place.status()["running"]["run"] == next.run.as_str());
    assert_eq!(place.status()["last_failure"]["run"], run.run.as_str());
    assert!(place.status()["last_failure"]["message"].as_str().unwrap().contains("without recording its end"));
}

#[test]
fn logs_follow_a_run_to_its_end() {
    let (place, server) = (Place::new(), SilentServer::start());
    let run = Background::start(&place, &server, &[]);
    let follower = {
        let command = place.command(&["logs", "latest", "-f"]);
        let mut plain = Command::new(command.get_program());
        plain.args(command.get_args()).current_dir(place.dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        plain.env_clear().env("HOME", place.dir.path()).spawn().unwrap()
    };
    wait_until("the run", || is_running(&place));
    std::thread::sleep(Duration::from_millis(300));
    signal(run.pid, Signal::TERM);
    let ran = Ran::ended(follower.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains(&format!("{}: stacksnap", run.run)), "{ran:?}");
    assert!(ran.stdout.contains("error: asked to stop by a signal"), "to the last line: {ran:?}");
    let stamped = |line: &str| line.len() > 25 && line.as_bytes()[4] == b'-' && line.contains('Z');
    assert!(ran.stdout.lines().all(stamped), "each line has its time (UTC): {ran:?}");
    assert_eq!(place.status()["last_failure"]["exit"], 143);
    for text in [run.run.as_str(), "latest"] {
        let again = place.ran(&["logs", text, "-o", "json"]).document();
        assert_eq!(again["running"], false);
        assert!(again["lines"].as_array().unwrap().len() > 1);
    }
    let lines = place.ran(&["logs", "latest", "-o", "ndjson"]).stdout;
    assert!(lines.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["kind"] == "log"));
    assert_eq!(place.ran(&["logs", "run_20200101_000000_1"]).code, 10);
}

#[test]
fn signals_end_a_run_cleanly_with_their_codes() {
    for (sent, code, said) in
        [(Signal::INT, 130, "interrupted"), (Signal::TERM, 143, "asked to stop"), (Signal::HUP, 143, "asked to stop")]
    {
        // Under nohup it stays ignored, here and in the program.
        if sent == Signal::HUP && stacksnap::proc::own::hangup_is_ignored() {
            continue;
        }
        let (place, server) = (Place::new(), SilentServer::start());
        let child = foreground(&place, &server, &[]);
        wait_until("the run", || is_running(&place));
        std::thread::sleep(Duration::from_millis(100));
        signal(u64::from(child.id()), sent);
        let ran = Ran::ended(child.wait_with_output().unwrap());
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(ran.stderr.contains(said) && ran.stderr.contains("stopping cleanly"), "{ran:?}");
        assert_eq!(ran.stdout, "", "{ran:?}");
        assert!(!is_running(&place) && !format!("{ran:?}").contains("canary"));
        assert_eq!(place.status()["last_failure"]["exit"], code);
    }
}

#[test]
fn a_time_limit_ends_the_run_with_a_hint() {
    let (place, server) = (Place::new(), SilentServer::start());
    let child = foreground(&place, &server, &["--timeout", "300ms", "-o", "json"]);
    let ran = Ran::ended(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1, "{ran:?}");
    let document = ran.document();
    assert!(document["message"].as_str().unwrap().contains("--timeout"), "{document}");
    assert!(document["hint"].as_str().unwrap().contains("--timeout"), "{document}");
}

#[test]
fn a_young_snapshot_is_enough_but_not_one_from_the_future() {
    let (place, server) = (Place::new(), SilentServer::start());
    let ago = |span: jiff::Span| (jiff::Timestamp::now() - span).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let old = ago(jiff::Span::new().hours(2));
    let name = place.snapshot(&old, |_| {});
    let create = |interval: &str, more: &[&str]| {
        let mut command = place.command(&["create", "--timeout", "200ms", "--min-interval", interval]);
        Ran::of(command.args(more).env("STACKSNAP_DB_URL", server.url("x")))
    };
    let ran = create("3h", &["-o", "json"]);
    assert_eq!(ran.code, 75, "{ran:?}");
    assert_eq!(ran.document()["skipped"]["reason"], "too_soon");
    assert_eq!(ran.document()["snapshot"], name.as_str());
    let mut command = place.command(&["create", "--background", "--min-interval", "3h"]);
    assert_eq!(command.env("STACKSNAP_DB_URL", server.url("x")).output().unwrap().status.code(), Some(75));
    assert_eq!(create("1h", &[]).code, 1, "old enough: it runs, until its time limit");
    // A younger one that is not complete does not count.
    place.snapshot(&ago(jiff::Span::new().minutes(5)), |m| m.complete = false);
    assert_eq!(create("1h", &[]).code, 1);
    // A clock that goes back must not stop snapshots for ever.
    place.snapshot(&ago(jiff::Span::new().hours(-48)), |_| {});
    let ran = create("1h", &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("after this machine's clock"), "{ran:?}");
}

#[test]
fn a_run_sweeps_what_dead_runs_left_and_nothing_else() {
    let (place, server) = (Place::new(), SilentServer::start());
    let elsewhere = place.dir.path().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("inner")).unwrap();
    std::fs::write(elsewhere.join("inner/kept"), "x").unwrap();
    let root = place.root();
    let stale = root.join("comprehensive_backup_20260101_000000.partial");
    std::fs::create_dir_all(stale.join("data_records")).unwrap();
    std::fs::write(stale.join("data_records/a.csv"), "x").unwrap();
    symlink(&elsewhere, stale.join("link")).unwrap();
    let link = root.join("comprehensive_backup_20260101_000001.partial");
    symlink(&elsewhere, &link).unwrap();
    let file = root.join("comprehensive_backup_20260101_000002.partial");
    std::fs::write(&file, "x").unwrap();
    let other = root.join("something.partial");
    std::fs::create_dir(&other).unwrap();
    let sealed = place.snapshot("2026-01-02T00:00:00Z", |_| {});

    let ran = Ran::ended(foreground(&place, &server, &["--timeout", "200ms"]).wait_with_output().unwrap());
    assert!(ran.stderr.contains("removed comprehensive_backup_20260101_000000.partial"), "{ran:?}");
    assert!(!stale.exists());
    assert!(elsewhere.join("inner/kept").exists() && link.is_symlink() && file.exists() && other.exists());
    assert!(root.join(sealed.as_str()).join("manifest.json").exists());
}

#[test]
fn a_root_that_everybody_may_write_to_is_refused() {
    let (place, server) = (Place::new(), SilentServer::start());
    std::fs::create_dir(place.root()).unwrap();
    std::fs::set_permissions(place.root(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let ran = Ran::ended(foreground(&place, &server, &[]).wait_with_output().unwrap());
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(ran.stderr.contains("chmod go-w"), "{ran:?}");
}
