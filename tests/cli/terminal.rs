//! What a narrow terminal shows, and what Ctrl-C answers where nothing has to be cleaned up.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::server;

const COLUMNS: usize = 60;

/// What stands between the control sequences of a terminal, cut where a line ends or is drawn again.
fn drawn_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut lines = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => {
                let last = letters.by_ref().skip(1).find(|c| c.is_ascii_alphabetic());
                if matches!(last, Some('K' | 'A' | 'J')) {
                    lines.push(String::new());
                }
            }
            '\r' | '\n' => lines.push(String::new()),
            _ => lines.last_mut().unwrap().push(letter),
        }
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

#[test]
fn progress_lines_do_not_fill_a_narrow_terminal() {
    let (server, place) = (server(), tempfile::tempdir().unwrap());
    server.empty("terminal_narrow");
    server.sql(
        "terminal_narrow",
        "create table a_table_whose_name_alone_is_almost_as_wide_as_a_terminal as
           select g, md5(g::text) t from generate_series(1, 400000) g",
    );
    let inner = server.stacksnap("terminal_narrow", &place.path().join("root"));
    let mut script = Command::new("script");
    script
        .args(["-qec", &format!("stty cols {COLUMNS} rows 20; exec \"$STACKSNAP\" --root \"$ROOT\" create --jobs 1")]);
    script.arg("/dev/null").stdin(Stdio::null());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    script.env("STACKSNAP", inner.get_program()).env("ROOT", place.path().join("root"));
    script.env("PGDATABASE", "terminal_narrow").env("TERM", "xterm");
    let output = script.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = drawn_lines(&output.stdout);
    let bars: Vec<&String> = lines.iter().filter(|line| line.contains(" MB") && line.contains(" / ")).collect();
    assert!(bars.iter().any(|line| line.contains("reading tables")), "{lines:#?}");
    for line in &bars {
        assert!(line.chars().count() <= COLUMNS - 5, "{line:?} is too wide");
    }
    // Text is a line of its own, not the end of a bar's.
    assert!(lines.iter().any(|line| line.starts_with("reading catalogs: ")), "{lines:#?}");
    server.drop_database("terminal_narrow");
}

#[test]
fn interrupting_a_command_that_only_reads_is_answered() {
    let (server, place) = (server(), tempfile::tempdir().unwrap());
    server.empty("terminal_interrupted");
    server.sql("terminal_interrupted", "create table t as select 1 a");
    let root = place.path().join("root");
    let made = server.create("terminal_interrupted", &root, 0, &[]);
    made.is_good();
    for (signal, code, word) in [("INT", 130, "interrupted"), ("TERM", 143, "asked to stop by a signal")] {
        let mut holder = server.psql("terminal_interrupted");
        holder.args(["-c", "begin; lock table t in access exclusive mode; select pg_sleep(60)"]);
        let mut holder = holder.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for(|| server.sql("terminal_interrupted", LOCKED).trim() == "1");
        let mut diff = server.stacksnap("terminal_interrupted", &root);
        diff.args(["-o", "json", "diff", "latest", "live"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let diff = diff.spawn().unwrap();
        wait_for(|| server.sql("terminal_interrupted", WAITING).trim() == "1");
        Command::new("kill").args([&format!("-{signal}"), &diff.id().to_string()]).status().unwrap();
        let begun = Instant::now();
        let output = diff.wait_with_output().unwrap();
        holder.kill().unwrap();
        holder.wait().unwrap();
        server.sql("terminal_interrupted", "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like '%pg_sleep%' and pid <> pg_backend_pid()");
        assert_eq!((output.status.code(), output.status.signal()), (Some(code), None), "{output:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert_eq!((&last["exit"], &last["kind"]), (&code.into(), &"error".into()), "{said}");
        assert!(last["message"].as_str().unwrap().contains(word), "{said}");
    }
    server.drop_database("terminal_interrupted");
}

const LOCKED: &str =
    "select count(*) from pg_locks where relation = 't'::regclass and mode = 'AccessExclusiveLock' and granted";
const WAITING: &str = "select least(count(*), 1) from pg_locks where relation = 't'::regclass and not granted";

fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited for too long");
        std::thread::sleep(Duration::from_millis(50));
    }
}
