//! `list`, `show` and every way to name a snapshot, on folders made by hand.

use std::os::unix::fs::symlink;

use crate::support::Place;
use crate::support::manifests::{gap, table};
use stacksnap::model::failure::FailureKind;
use stacksnap::model::manifest::SnapshotKind;
use stacksnap::root::folder::Root;

const FIRST: &str = "2026-01-29T08:00:00Z";
const SECOND: &str = "2026-01-30T12:00:00Z";
const THIRD: &str = "2026-01-30T13:00:00Z";

#[test]
fn an_absent_root_is_an_empty_list() {
    let place = Place::new();
    let ran = place.ran(&["list"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("no snapshots") && ran.stdout.contains("stacksnap create"), "{ran:?}");
    let document = place.ran(&["list", "-o", "json"]).document();
    assert_eq!(document["schema"], "stacksnap.v1.list");
    assert_eq!(document["snapshots"], serde_json::json!([]));
    assert!(!place.root().exists(), "reading makes no folder");
}

#[test]
fn nothing_with_a_snapshots_name_is_hidden() {
    let place = Place::new();
    let first = place.snapshot(FIRST, |_| {});
    let second = place.snapshot(SECOND, |m| {
        m.complete = false;
        m.gaps = vec![gap("vault secrets")];
        m.label = Some("BEFORE".into());
    });
    let third = place.snapshot(THIRD, |m| {
        m.complete = false;
        m.kind = SnapshotKind::Partial;
    });
    symlink(first.as_str(), place.root().join("comprehensive_backup_LATEST")).unwrap();
    std::fs::create_dir(place.root().join("comprehensive_backup_20260131_000000.partial")).unwrap();
    std::fs::create_dir(place.root().join("comprehensive_backup_20260131_000001")).unwrap();
    let damaged = place.snapshot("2026-01-31T00:00:02Z", |_| {});
    let file = place.root().join(damaged.as_str()).join("manifest.json");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("4200", "4201")).unwrap();
    place.snapshot("2026-01-31T00:00:03Z", |m| m.format.major = 9);
    std::fs::create_dir(place.root().join("something_else")).unwrap();

    let document = place.ran(&["list", "-o", "json"]).document();
    let rows = document["snapshots"].as_array().unwrap();
    let states: Vec<&str> = rows.iter().map(|r| r["state"].as_str().unwrap()).collect();
    let expected = ["unreadable", "unreadable", "unreadable", "stale", "incomplete", "incomplete", "complete"];
    assert_eq!(states, expected, "{document:#}");
    assert_eq!(rows[4]["name"], third.as_str());
    assert_eq!(rows[5]["name"], second.as_str());
    assert_eq!((&rows[6]["latest"], &rows[6]["rows"]), (&true.into(), &1206.into()));
    assert_eq!(rows[5]["label"], "BEFORE");
    assert!(rows[0]["problem"].as_str().unwrap().contains("format 9."), "{}", rows[0]);
    assert!(rows[1]["problem"].as_str().unwrap().contains("checksum"), "{}", rows[1]);

    let text = place.ran(&["list"]).stdout;
    assert!(text.lines().next().unwrap().starts_with("NAME"), "{text}");
    for word in ["UNREADABLE", "unfinished", "NOT COMPLETE", "partial", "complete", "BEFORE", "1,206"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.contains(&format!("{first} *")), "{text}");
}

#[test]
fn a_snapshot_is_found_by_all_its_names() {
    let place = Place::new();
    let first = place.snapshot(FIRST, |m| m.label = Some("BY_MANIFEST".into()));
    let second = place.snapshot(SECOND, |_| {});
    let third = place.snapshot(THIRD, |m| m.complete = false);
    symlink(first.as_str(), place.root().join("comprehensive_backup_BY_LINK")).unwrap();
    let root = Root::new(place.root());
    let name = |text: &str| root.resolve(text).map(|p| p.file_name().unwrap().to_str().unwrap().to_string());
    for (text, expected) in [
        (first.as_str(), &first),
        ("comprehensive_backup_20260129", &first),
        ("20260129", &first),
        ("20260130_12", &second),
        ("BY_MANIFEST", &first),
        ("BY_LINK", &first),
        ("comprehensive_backup_BY_LINK", &first),
        // No link yet: the newest complete one, which is not the newest.
        ("latest", &second),
        ("LATEST", &second),
    ] {
        assert_eq!(name(text).unwrap(), expected.as_str(), "{text}");
    }
    assert_eq!(
        root.resolve(&place.root().join(third.as_str()).to_string_lossy()).unwrap(),
        place.root().join(third.as_str())
    );
    symlink(first.as_str(), place.root().join("comprehensive_backup_LATEST")).unwrap();
    assert_eq!(name("latest").unwrap(), first.as_str());

    let ambiguous = root.resolve("20260130").unwrap_err();
    assert_eq!(ambiguous.kind, FailureKind::Usage);
    assert!(ambiguous.hints[0].contains(second.as_str()) && ambiguous.hints[0].contains(third.as_str()));
    for missing in ["20270101", "NO_LABEL", "./nowhere", "/nowhere/x"] {
        assert_eq!(root.resolve(missing).unwrap_err().kind, FailureKind::NotFound, "{missing}");
    }
    // A name that is the beginning of another one means itself.
    let again = place.root().join(format!("{second}_2"));
    std::fs::create_dir(&again).unwrap();
    std::fs::copy(place.root().join(second.as_str()).join("manifest.json"), again.join("manifest.json")).unwrap();
    assert_eq!(name(second.as_str()).unwrap(), second.as_str());
}

#[test]
fn links_out_of_the_root_are_not_followed() {
    let place = Place::new();
    let elsewhere = Place::new();
    let foreign = elsewhere.snapshot(FIRST, |_| {});
    std::fs::create_dir(place.root()).unwrap();
    let target = elsewhere.root().join(foreign.as_str());
    for link in ["comprehensive_backup_LATEST", "comprehensive_backup_EVIL", foreign.as_str()] {
        symlink(&target, place.root().join(link)).unwrap();
    }
    let root = Root::new(place.root());
    assert!(root.entries().unwrap().is_empty());
    for text in ["latest", "EVIL", foreign.as_str()] {
        assert_eq!(root.resolve(text).unwrap_err().kind, FailureKind::NotFound, "{text}");
    }
    // threat 1: a manifest that is a link is not read.
    let own = place.root().join("comprehensive_backup_20260301_000000");
    std::fs::create_dir(&own).unwrap();
    symlink(target.join("manifest.json"), own.join("manifest.json")).unwrap();
    let document = place.ran(&["list", "-o", "json"]).document();
    assert_eq!(document["snapshots"][0]["state"], "unreadable", "{document}");
}

#[test]
fn show_gives_the_overview_or_one_part() {
    let place = Place::new();
    let name = place.snapshot(SECOND, |m| {
        m.complete = false;
        m.gaps = vec![gap("vault secrets")];
        m.note = Some("before the invoices".into());
    });
    let text = place.ran(&["show", "20260130"]).stdout;
    for word in
        [name.as_str(), "NOT complete", "1 gap", "PostgreSQL 15.18", "before the invoices", "policies", "vault secrets"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(place.ran(&["show", "20260130", "--tables"]).stdout.contains("public.invoices"));
    assert!(place.ran(&["show", "20260130", "--files"]).stdout.contains("rls_policies_complete.sql"));
    let gaps = place.ran(&["show", "20260130", "--gaps"]).stdout;
    assert!(gaps.contains("what to do: set [snapshot.seal]") && !gaps.contains("policies"), "{gaps}");

    let overview = place.ran(&["show", "20260130", "-o", "json"]).document();
    assert_eq!(overview["schema"], "stacksnap.v1.show");
    assert_eq!(overview["snapshot"]["counts"]["policies"], 88);
    assert!(overview["tables"].is_null() && overview["snapshot"]["artifacts"].is_null());
    let part = place.ran(&["show", "20260130", "--gaps", "--tables", "-o", "json"]).document();
    assert_eq!(part["gaps"][0]["code"], "vault_not_sealed");
    assert_eq!(part["tables"][1]["rows"], 1200);
    assert!(part["snapshot"].is_null());
}

#[test]
fn threat_23_names_cannot_steer_the_terminal() {
    let hostile = "x\u{1b}[2J\u{9b}31m\n| \u{202e}y\u{7}";
    let place = Place::new();
    place.snapshot(SECOND, |m| {
        m.note = Some(hostile.into());
        m.label = Some(hostile.into());
        m.source.database = hostile.into();
        m.complete = false;
        m.gaps = vec![gap(hostile)];
        m.tables = vec![table(hostile, 1)];
        m.counts.insert(hostile.into(), 1);
    });
    for args in [
        &["list"][..],
        &["show", "20260130"],
        &["show", "20260130", "--tables"],
        &["show", "20260130", "--gaps"],
        &["list", "-o", "json"],
        &["show", "20260130", "--tables", "--gaps", "-o", "json"],
        &["show", hostile],
    ] {
        let ran = place.ran(args);
        for c in ['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}'] {
            assert!(!ran.stdout.contains(c) && !ran.stderr.contains(c), "{args:?} {ran:?}");
        }
    }
    let document = place.ran(&["show", "20260130", "--tables", "-o", "json"]).document();
    assert_eq!(document["tables"][0]["name"], hostile, "programs get the name itself");
}

#[test]
fn verify_names_what_is_damaged() {
    let place = Place::new();
    place.snapshot(SECOND, |_| {});
    let ran = place.ran(&["verify", "20260130"]);
    assert_eq!(ran.code, 13, "{ran:?}");
    assert!(ran.stdout.starts_with("DAMAGED") && ran.stdout.contains("rls_policies_complete.sql"), "{ran:?}");
    let document = place.ran(&["verify", "20260130", "--level", "checksum", "-o", "json"]);
    assert_eq!(document.code, 13);
    assert_eq!(document.document()["verdict"], "bad");
    assert_eq!(document.document()["schema"], "stacksnap.v1.verify");
}
