//! A connection that somebody wrote and that cannot be read is an error, never a run against the next in the order; and
//! every run says first which database it is about.

use crate::support::{Place, Ran};
use stacksnap::model::gap::Gap;
use stacksnap::model::manifest::SnapshotKind;

const SECRET: &str = "canary-pa55";
/// Nobody listens there: a run that gets so far ends with 69 and names it.
const URL: &str = "postgresql://ann:canary-pa55@127.0.0.1:1/shop";
const WHERE: &str = "database shop as ann at 127.0.0.1, port 1 (from ";

fn with(files: &[(&str, Vec<u8>)], variables: &[(&str, &str)]) -> Ran {
    let place = Place::new();
    for (name, bytes) in files {
        std::fs::write(place.dir.path().join(name), bytes).unwrap();
    }
    let mut command = place.command(&["create"]);
    command.envs(variables.iter().copied());
    let ran = Ran::of(&mut command);
    assert!(!format!("{ran:?}").contains(SECRET), "{ran:?}");
    ran
}

fn text(name: &str, text: &str) -> (&'static str, Vec<u8>) {
    let name = if name == ".env" { ".env" } else { ".env.local" };
    (name, text.as_bytes().to_vec())
}

#[test]
fn a_broken_file_of_variables_is_an_error_with_its_line() {
    let utf16: Vec<u8> = format!("A=1\nDATABASE_URL={URL}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases = [
        ("quote", format!("A=1\nDATABASE_URL=\"{URL}\nB=\"x\"\n").into_bytes(), "line 2", "DATABASE_URL"),
        ("the last quote", format!("A=1\nDATABASE_URL='{URL}\n").into_bytes(), "line 2", "DATABASE_URL"),
        ("colon", format!("A=1\n\nDATABASE_URL: {URL}?a=b\n").into_bytes(), "line 3", "DATABASE_URL"),
        ("UTF-16", [vec![0xff, 0xfe], utf16.clone()].concat(), "line 2", "UTF-16"),
        ("UTF-16 without its mark", utf16, "line 2", "UTF-16"),
        ("another name", format!("A=1\nMY_DATABASE={URL}\n").into_bytes(), "line 2", "MY_DATABASE"),
        ("no name", format!("A=1\n{URL}\n").into_bytes(), "line 2", "contains a connection"),
        ("the host", b"PGPORT=5432\nPGHOST=\"db.example\nPGPORT=1\n".to_vec(), "line 2", "PGHOST"),
    ];
    for (what, bytes, line, word) in cases {
        for name in [".env", ".env.local"] {
            let ran = with(&[(name, bytes.clone())], &[]);
            assert_eq!(ran.code, 78, "{what}: {ran:?}");
            for word in [line, word, name] {
                assert!(ran.stderr.contains(word), "{what}, {word}: {ran:?}");
            }
            assert!(!ran.stderr.contains("54322"), "{what}: {ran:?}");
        }
        // What is said in the process comes before every file.
        let ran = with(&[(".env", bytes)], &[("STACKSNAP_DB_URL", URL)]);
        assert_eq!(ran.code, 69, "{what}: {ran:?}");
    }
}

#[test]
fn a_line_that_would_not_have_won_is_no_error() {
    let broken = "DATABASE_URL=\"broken\n";
    for files in [
        vec![text(".env", &format!("{broken}DIRECT_URL={URL}\n"))],
        vec![text(".env", broken), text(".env.local", &format!("DATABASE_URL={URL}\n"))],
        vec![text(".env", &format!("OTHER=postgres://x@y/z\nPOSTGRES_URL={URL}\nwhat is this\n"))],
    ] {
        let ran = with(&files, &[]);
        assert_eq!(ran.code, 69, "{files:?}: {ran:?}");
        assert!(ran.stderr.contains(WHERE), "{files:?}: {ran:?}");
    }
    // One that would have won is an error, though there is another below it.
    for files in [
        vec![text(".env", &format!("DIRECT_URL=\"broken\nDATABASE_URL={URL}\n"))],
        vec![text(".env.local", broken), text(".env", &format!("DATABASE_URL={URL}\n"))],
    ] {
        let ran = with(&files, &[]);
        assert_eq!(ran.code, 78, "{files:?}: {ran:?}");
    }
}

#[test]
fn what_frameworks_read_is_read_and_the_first_line_says_so() {
    for (files, from) in [
        (vec![text(".env", &format!("POSTGRES_URL={URL}\n"))], "POSTGRES_URL in "),
        (vec![text(".env.local", &format!("DATABASE_URL={URL}\n"))], ".env.local)"),
        (
            vec![
                text(".env", "DATABASE_URL=postgres://x@127.0.0.1:2/y\n"),
                text(".env.local", &format!("DATABASE_URL={URL}\n")),
            ],
            ".env.local)",
        ),
        (vec![text(".env", &format!("DATABASE_URL={URL}\n")), text(".env.local", "A=1\n")], ".env)"),
    ] {
        let ran = with(&files, &[]);
        assert_eq!(ran.code, 69, "{ran:?}");
        let first = ran.stderr.lines().next().unwrap();
        assert!(first.starts_with(&format!("reading {WHERE}")) && first.contains(from), "{first}");
    }
    let ran = with(&[], &[]);
    let first = ran.stderr.lines().next().unwrap();
    assert_eq!(
        first,
        "reading database postgres as postgres at 127.0.0.1, port 54322 (from the local Supabase default)"
    );
}

#[test]
fn every_verb_says_it_and_never_on_an_output_that_holds_data() {
    let place = Place::new();
    place.snapshot("2026-01-30T12:00:05Z", |_| {});
    for (args, doing) in [
        (&["create"][..], "reading"),
        (&["doctor"], "looking at"),
        (&["diff", "latest", "live"], "reading"),
        (&["guard", "--", "true"], "guarding"),
        (&["restore", "latest", "--to", "env:DATABASE_URL", "--dry-run"], "planning for"),
        (&["restore", "latest", "--to", "env:DATABASE_URL", "--confirm", "shop"], "writing to"),
    ] {
        for format in ["text", "json"] {
            let args = [&["-o", format], args].concat();
            let mut command = place.command(&args);
            let ran = Ran::of(command.env("DATABASE_URL", URL));
            let line = ran.stderr.lines().next().unwrap_or_default();
            assert!(line.starts_with(&format!("{doing} {WHERE}DATABASE_URL)")), "{args:?}: {ran:?}");
            assert!(!ran.stdout.contains(WHERE), "{args:?}: {ran:?}");
        }
    }
    let mut command = place.command(&["-o", "ndjson", "create"]);
    let ran = Ran::of(command.env("DATABASE_URL", URL));
    let first: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((first["schema"].as_str(), first["port"].as_u64()), (Some("stacksnap.v1.connection"), Some(1)));
    assert_eq!((first["role"].as_str(), first["from"].as_str()), (Some("ann"), Some("DATABASE_URL")));
}

#[test]
fn latest_names_the_snapshot_that_is_there_when_none_is_complete() {
    let place = Place::new();
    let nothing = place.ran(&["show", "latest"]);
    assert_eq!(nothing.code, 10);
    assert!(nothing.stderr.contains("take one: stacksnap create"), "{nothing:?}");
    let older = place.snapshot("2026-01-29T12:00:05Z", |manifest| {
        manifest.complete = false;
        manifest.gaps.push(Gap::new("vault", "secrets of the vault", "no recipient", "give one"));
    });
    let said = |place: &Place| {
        let ran = place.ran(&["restore", "latest", "--to", URL, "--dry-run"]);
        assert_eq!(ran.code, 10, "{ran:?}");
        ran.stderr
    };
    let text = said(&place);
    for word in [older.as_str(), "with gaps", "secrets of the vault", "--allow-partial", "stacksnap create"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let newer = place.snapshot("2026-01-30T12:00:05Z", |manifest| {
        manifest.complete = false;
        manifest.kind = SnapshotKind::SchemaOnly;
    });
    let text = said(&place);
    assert!(text.contains(newer.as_str()) && text.contains("no rows, as it was asked for"), "{text}");
}
