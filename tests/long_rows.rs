//! A row of many megabytes: taken, verified, restored and compared like any other, in memory that does not grow with it.
#![allow(clippy::disallowed_methods)]

mod restore_cli_support;
mod take_support;

use std::process::{Command, Stdio};
use std::time::Duration;

use take_support::{Database, Place, success};

/// Of COPY text: one row of 64 MB, one of 32 MB that is bytes in hexadecimal.
const TEXT: &str = "CREATE TABLE public.long (id int PRIMARY KEY, \"a,b\" text, body text, raw bytea); \
    INSERT INTO public.long VALUES (1, 'short', 'first', NULL), \
     (2, E'with, \"quotes\"', repeat(repeat('plain ', 200) || E'one, \"two\"\\n\\tthree \\\\ four', 52000), NULL), \
     (3, NULL, repeat('plain', 1000), decode(repeat('00ff5c2c22', 3200000), 'hex')), (4, '', '', '')";
/// What a run may use: with one whole row in memory, once, it would be more.
const PEAK_KB_MAX: u64 = 60 << 10;

/// Runs to the end and tells the most memory that the process held.
fn peak(mut command: Command, code: i32) -> (u64, String) {
    let output = tempfile::NamedTempFile::new().unwrap();
    let errors = tempfile::NamedTempFile::new().unwrap();
    command.stdin(Stdio::null()).stdout(output.reopen().unwrap()).stderr(errors.reopen().unwrap());
    let mut child = command.spawn().unwrap();
    let mut peak_kb = 0;
    let status = loop {
        let facts = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = facts.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let held = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak_kb = peak_kb.max(held.unwrap_or(0));
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let said = std::fs::read_to_string(output.path()).unwrap();
    let wrong = std::fs::read_to_string(errors.path()).unwrap();
    assert_eq!(status.code(), Some(code), "{command:?}: {said}{wrong}");
    (peak_kb, said)
}

fn in_little_memory(what: &str, command: Command, code: i32) -> String {
    let (peak_kb, said) = peak(command, code);
    assert!((1000..PEAK_KB_MAX).contains(&peak_kb), "{what}: {peak_kb} kB");
    said
}

fn checksum(database: &Database) -> String {
    database.sql("SELECT string_agg(md5(l::text), ' ' ORDER BY id) FROM public.long l")
}

#[test]
fn rows_of_any_length_are_streamed() {
    let server = take_support::server();
    let (source, target) = (server.database("TEMPLATE template0"), server.database("TEMPLATE template0"));
    source.sql(TEXT);
    let place = Place::new();
    in_little_memory("create", place.create(source.access(), &[]), 0);
    let folder = place.root().join("comprehensive_backup_LATEST");

    let mut csv = server.program("psql", &source.name);
    csv.args(["-X", "-c", "COPY public.long TO STDOUT (FORMAT csv, HEADER)"]);
    let ours = std::fs::read(folder.join("data_records/public.long.csv")).unwrap();
    assert!(ours.trim_ascii_end() == success(&mut csv).as_bytes(), "the CSV is what COPY writes");

    in_little_memory("verify", place.bare(&["verify", "latest", "--level", "read"]), 0);
    let args = ["--confirm", &target.name, "-o", "json"];
    let restore = |place: &Place| restore_cli_support::restore(place, target.access(), "latest", &args);
    in_little_memory("restore", restore(&place), 0);
    assert_eq!(checksum(&target), checksum(&source));

    target.sql("UPDATE public.long SET body = body || '!' WHERE id = 2; DELETE FROM public.long WHERE id = 4");
    let mut diff = place.bare(&["diff", "latest", "live", "--data", "-o", "json"]);
    let to = target.access();
    diff.env("PGHOST", to.host).env("PGPORT", to.port.to_string()).env("PGUSER", to.user);
    diff.env("PGPASSWORD", to.password).env("PGDATABASE", to.database);
    let said = in_little_memory("diff", diff, 4);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(said.to_string().contains(r#""changed_keys":[["2"]]"#), "{said}");
    in_little_memory("restore in place", restore(&place), 0);
    assert_eq!(checksum(&target), checksum(&source));
}
