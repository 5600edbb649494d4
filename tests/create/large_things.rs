//! What is large: a row of many megabytes is taken, verified, restored and compared like any other, in memory that does
//! not grow with it; a project with many rows has its readable files compressed.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Database, Place, Ran, success};

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
    let server = crate::support::server();
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
    let restore = |database: &Database| {
        let args = ["--confirm", &database.name, "-o", "json"];
        crate::support::commands::restore(&place, database.access(), "latest", &args)
    };
    in_little_memory("restore", restore(&target), 0);
    assert_eq!(checksum(&target), checksum(&source));

    source.sql("UPDATE public.long SET body = body || '!' WHERE id = 2; DELETE FROM public.long WHERE id = 4");
    let mut diff = place.bare(&["diff", "latest", "live", "--data", "-o", "json"]);
    let from = source.access();
    diff.env("PGHOST", from.host).env("PGPORT", from.port.to_string()).env("PGUSER", from.user);
    diff.env("PGPASSWORD", from.password).env("PGDATABASE", from.database);
    let said = in_little_memory("diff", diff, 4);
    assert!(said.contains(r#""changed_keys":[["2"]]"#) && said.contains(r#""removed_keys":[["4"]]"#), "{said}");
    in_little_memory("restore in place", restore(&source), 0);
    assert_eq!(checksum(&source), checksum(&target));
}

#[test]
fn readable_files_are_compressed_where_the_rows_are_many() {
    let server = crate::support::server();
    let database = server.database("TEMPLATE template0");
    // Pages of deleted rows: the size of a large project without its rows.
    database.sql(
        "CREATE UNLOGGED TABLE public.large (id int, body text) WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false);
         ALTER TABLE public.large ALTER body SET STORAGE EXTERNAL;
         INSERT INTO public.large SELECT n, repeat('x', 1000000) FROM generate_series(1, 258) n;
         DELETE FROM public.large WHERE id > 1",
    );
    let place = Place::new();
    let has = |args: &[&str], packed: bool, codec: &str| {
        let ran = place.run(database.access(), args);
        let folder = place.dir.path().join(ran.folder());
        for name in ["complete_database_with_data.sql", "data_records/public.large.csv"] {
            let plain = folder.join(name);
            let zst = folder.join(format!("{name}.zst"));
            let there = (plain.exists(), zst.exists());
            let csv_left_out = args.contains(&"--exclude-data") && name.starts_with("data_records");
            assert_eq!(there, if csv_left_out { (false, false) } else { (!packed, packed) }, "{name} {ran:?}");
        }
        let manifest = stacksnap::snapshot::manifest_file::read_manifest(&folder).unwrap();
        assert_eq!(manifest.tools.readable_codec.as_deref(), Some(codec));
        let said = Ran::of(&mut place.bare(&["verify", folder.to_str().unwrap(), "--level", "read"]));
        assert_eq!(said.code, 0, "{said:?}");
    };
    has(&[], true, "zstd:1");
    has(&["--readable-compression", "none"], false, "none");
    has(&["--exclude-data", "large"], false, "none");
    let said = Ran::of(&mut place.create(database.access(), &["-o", "text"]));
    assert!(said.stderr.contains("readable SQL and CSV compressed (.zst)"), "{said:?}");
}
