//! Exit codes and errors: the same word and number for people and for programs.

use crate::support::{Place, Ran};

#[test]
fn wrong_usage_is_64_never_2() {
    let place = Place::new();
    for args in [
        &["restore"][..],
        &["lst"],
        &[],
        &["create", "--jobs", "none"],
        &["create", "--only", "everything"],
        &["create", "--label", "../x"],
        &["create", "--timeout", "soon"],
        &["show"],
        &["-q", "-v", "list"],
        &["logs", "latest", "-f", "-o", "json"],
        &["show", ""],
    ] {
        let ran = place.ran(args);
        assert_eq!(ran.code, 64, "{args:?} {ran:?}");
    }
    assert_eq!(place.ran(&["--version"]).code, 0);
    assert_eq!(place.ran(&["create", "--help"]).code, 0);
}

#[test]
fn errors_are_one_json_document_even_for_wrong_usage() {
    let place = Place::new();
    for (args, code, word) in [
        (&["-o", "json", "lst"][..], 64, "usage"),
        (&["lst", "-ojson"], 64, "usage"),
        (&["--output=ndjson"], 64, "usage"),
        (&["show", "nothing", "-o", "json"], 10, "not_found"),
        (&["verify", "latest", "-o", "ndjson"], 10, "not_found"),
        (&["logs", "latest", "-o", "json"], 10, "not_found"),
    ] {
        let ran = place.ran(args);
        let document = ran.document();
        assert_eq!(ran.code, code, "{args:?}");
        assert_eq!(document["kind"], "error");
        assert_eq!(document["exit"], code);
        assert_eq!(document["code"], word);
        assert!(document["hint"].is_string() && document["message"].is_string(), "{document}");
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

#[test]
fn a_wrong_configuration_is_78_and_says_what_was_meant() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("stacksnap.toml"), "schema = 1\n[snapshot]\nrot = \"x\"\n").unwrap();
    for args in [&["list"][..], &["config", "validate"], &["create"]] {
        let ran = place.ran(args);
        assert_eq!(ran.code, 78, "{args:?} {ran:?}");
        assert!(ran.stderr.contains("root"), "{ran:?}");
        assert_eq!(ran.stdout, "");
    }
    std::fs::write(place.dir.path().join("stacksnap.toml"), "schema = 1\n[snapshot]\nroot = \"x\"\n").unwrap();
    assert_eq!(place.ran(&["config", "validate"]).code, 0);
    let shown = place.ran(&["config", "show", "-o", "json"]).document();
    assert_eq!(shown["schema"], "stacksnap.v1.config_show");
    assert!(place.ran(&["config", "schema"]).stdout.contains("properties"));
}

#[test]
fn an_unreachable_server_is_69_with_a_hint_and_leaves_no_snapshot() {
    let place = Place::new();
    let mut command = place.command(&["create"]);
    let ran = Ran::of(command.env("DATABASE_URL", "postgresql://u:canary@127.0.0.1:1/db?sslmode=disable"));
    assert_eq!(ran.code, 69, "{ran:?}");
    assert!(ran.stderr.starts_with("error: ") || ran.stderr.contains("\nerror: "), "{ran:?}");
    assert!(!format!("{ran:?}").contains("canary"));
    let status = place.status();
    assert_eq!(status["last_failure"]["exit"], 69);
    assert_eq!(status["last_run"]["state"], "failed");
    assert!(status["running"].is_null() && status["last_good"].is_null());
    assert!(!crate::support::all_text_below(&place.root()).contains("canary"));
    let mut doctor = place.command(&["doctor", "-o", "json"]);
    let doctor = doctor.env("DATABASE_URL", "postgresql://u:canary@127.0.0.1:1/db?sslmode=disable");
    assert_eq!(Ran::of(doctor).document()["exit"], 69);
    let list = place.ran(&["list"]);
    assert!(list.stdout.contains("the last run failed"), "{list:?}");
}

#[test]
fn a_secret_in_the_wrong_place_is_not_echoed() {
    let place = Place::new();
    for args in [&["postgres://u:canary@h/db", "list"][..], &["-o", "json", "postgres://u:canary@h/db"]] {
        let ran = place.ran(args);
        assert_eq!(ran.code, 64);
        assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
    }
}

#[test]
fn colours_and_escapes_stay_out_of_pipes() {
    let place = Place::new();
    for args in [&["--help"][..], &["lst"], &["list"], &["show", "x\u{1b}[2J"]] {
        let ran = place.ran(args);
        assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{args:?} {ran:?}");
    }
}

#[test]
fn a_secret_from_a_command_is_fetched_and_its_failure_shows_nothing() {
    let place = Place::new();
    let write = |command: &str| {
        let text = format!("schema = 1\n[projects.shop]\ndb_url = {{ cmd = [\"sh\", \"-c\", \"{command}\"] }}\n");
        std::fs::write(place.dir.path().join("stacksnap.toml"), text).unwrap();
    };
    write("echo postgresql://u:canary@127.0.0.1:1/db");
    let ran = place.ran(&["create"]);
    assert_eq!(ran.code, 69, "the address that it printed was tried: {ran:?}");
    assert!(!format!("{ran:?}").contains("canary"));
    write("echo canary >&2; exit 3");
    let ran = place.ran(&["create"]);
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(!format!("{ran:?}").contains("canary") && ran.stderr.contains("hint: "), "{ran:?}");
}
