//! Sealing: order, rejected states and links; what is written can be read back.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::model::category::Category;
use crate::model::manifest::{Consistency, FORMAT, SourceFacts, Tools};
use crate::monitor::Recording;
use crate::snapshot::manifest_file::{ManifestProblem, manifest_bytes, parse_manifest, read_manifest};

fn draft(name: &str) -> Manifest {
    Manifest {
        format: FORMAT,
        id: crate::model::ids::SnapshotName::parse(name).unwrap(),
        kind: SnapshotKind::Full,
        complete: true,
        label: None,
        note: Some("0".repeat(64)),
        tags: BTreeMap::new(),
        created_at: "2026-01-30T12:00:00Z".parse().unwrap(),
        duration_ms: 1,
        source: SourceFacts {
            host_sha256: "0".repeat(64),
            database: "shop".into(),
            user: "postgres".into(),
            system_identifier: None,
            database_oid: 5,
            server_version_num: 150018,
            server_version: "15.18".into(),
            encoding: "UTF8".into(),
            locale: "C".into(),
            is_supabase: false,
            is_standby: false,
            database_bytes: 1,
        },
        consistency: Consistency {
            exported_snapshot: "1".into(),
            taken_at: "2026-01-30T12:00:00Z".parse().unwrap(),
            wal_lsn: None,
            transaction_horizon: "1:1:".into(),
            restarts: 0,
        },
        tools: Tools {
            stacksnap: "0".into(),
            pg_dump: "15.18".into(),
            codec: "gzip:1".into(),
            readable_codec: None,
            jobs: 2,
        },
        counts: BTreeMap::new(),
        coverage: vec![],
        tables: vec![],
        member_marks: vec![],
        computed: None,
        outcomes: vec![],
        schema_verification: None,
        gaps: vec![],
        secrets: vec![],
        artifacts: vec![],
        change_marker: None,
        sha256sums_sha256: String::new(),
        manifest_sha256: String::new(),
    }
}

const NAME: &str = "comprehensive_backup_20260130_120000";

fn partial(root: &Path, name: &str) -> ArtifactSink {
    let place = root.join(format!("{name}.partial"));
    std::fs::create_dir(&place).unwrap();
    ArtifactSink::new(place)
}

#[test]
fn what_is_sealed_is_read_back_and_linked() {
    let root = tempfile::tempdir().unwrap();
    let sink = partial(root.path(), NAME);
    sink.write("b.sql", Category::Policies, b"b").unwrap();
    sink.write("a/x.sql", Category::Policies, b"a").unwrap();
    let label = Label::parse("BEFORE").unwrap();
    let monitor = Recording::default();
    let sealed = seal(root.path(), &sink, draft(NAME), Some(&label), &monitor).unwrap();
    assert_eq!(read_manifest(&sealed.folder).unwrap(), sealed.manifest);
    assert_eq!(monitor.warnings(), Vec::<String>::new());
    for link in [LATEST, "comprehensive_backup_BEFORE"] {
        assert_eq!(std::fs::read_link(root.path().join(link)).unwrap(), Path::new(NAME));
    }
    let sums = std::fs::read_to_string(sealed.folder.join(layout::SHA256SUMS)).unwrap();
    let paths: Vec<&str> = sums.lines().map(|l| &l[66..]).collect();
    assert_eq!(paths, ["a/x.sql", "b.sql"]);
    for file in [layout::SHA256SUMS, layout::MANIFEST_JSON] {
        assert_eq!(std::fs::metadata(sealed.folder.join(file)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_existing_snapshot_or_file_is_never_replaced() {
    let root = tempfile::tempdir().unwrap();
    let sink = partial(root.path(), NAME);
    std::fs::create_dir(root.path().join(NAME)).unwrap();
    assert!(seal(root.path(), &sink, draft(NAME), None, &Recording::default()).is_err());
    std::fs::remove_dir(root.path().join(NAME)).unwrap();

    let name = "comprehensive_backup_20260130_120001";
    let sink = partial(root.path(), name);
    std::fs::write(root.path().join(LATEST), "mine").unwrap();
    let monitor = Recording::default();
    seal(root.path(), &sink, draft(name), None, &monitor).unwrap();
    assert_eq!(monitor.warnings(), ["link_not_made"]);
    assert_eq!(std::fs::read(root.path().join(LATEST)).unwrap(), b"mine");
}

#[test]
fn latest_moves_on_and_skips_what_is_not_complete() {
    let root = tempfile::tempdir().unwrap();
    let old = "comprehensive_backup_20260130_110000";
    symlink(old, root.path().join(LATEST)).unwrap();
    let mut gap = draft(NAME);
    gap.complete = false;
    seal(root.path(), &partial(root.path(), NAME), gap, None, &Recording::default()).unwrap();
    assert_eq!(std::fs::read_link(root.path().join(LATEST)).unwrap(), Path::new(old));
    let next = "comprehensive_backup_20260130_120001";
    seal(root.path(), &partial(root.path(), next), draft(next), None, &Recording::default()).unwrap();
    assert_eq!(std::fs::read_link(root.path().join(LATEST)).unwrap(), Path::new(next));
}

#[test]
fn half_a_file_is_removed_and_a_lost_one_fails() {
    let root = tempfile::tempdir().unwrap();
    let sink = partial(root.path(), NAME);
    sink.write("a.sql", Category::Policies, b"a").unwrap();
    std::fs::write(sink.root().join("half.sql"), b"ha").unwrap();
    let monitor = Recording::default();
    let sealed = seal(root.path(), &sink, draft(NAME), None, &monitor).unwrap();
    assert_eq!(monitor.warnings(), ["unfinished_file_removed"]);
    assert!(!sealed.folder.join("half.sql").exists());

    let name = "comprehensive_backup_20260130_120001";
    let sink = partial(root.path(), name);
    sink.write("a.sql", Category::Policies, b"a").unwrap();
    std::fs::write(sink.root().join("a.sql"), "longer").unwrap();
    let failure = seal(root.path(), &sink, draft(name), None, &Recording::default()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Integrity);
    std::fs::remove_file(sink.root().join("a.sql")).unwrap();
    assert!(seal(root.path(), &sink, draft(name), None, &Recording::default()).is_err());
    assert!(!root.path().join(name).exists());
}

#[test]
fn a_file_name_that_sha256sum_would_misread_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let sink = partial(root.path(), NAME);
    sink.write("a\nb", Category::Policies, b"a").unwrap();
    assert!(seal(root.path(), &sink, draft(NAME), None, &Recording::default()).is_err());
}

#[test]
fn every_flipped_bit_of_a_manifest_is_noticed() {
    let (bytes, _) = manifest_bytes(&draft(NAME)).unwrap();
    assert!(parse_manifest(bytes.clone()).is_ok());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(matches!(parse_manifest(flipped), Err(ManifestProblem::Damaged(_))), "byte {at}");
        assert!(parse_manifest(bytes[..at].to_vec()).is_err());
    }
}

#[test]
fn a_newer_major_is_refused_and_a_newer_minor_is_not() {
    let mut newer = draft(NAME);
    newer.format.minor = 7;
    assert!(parse_manifest(manifest_bytes(&newer).unwrap().0).is_ok());
    newer.format.major = 2;
    let problem = parse_manifest(manifest_bytes(&newer).unwrap().0).unwrap_err();
    assert!(matches!(problem, ManifestProblem::FormatUnknown(_)));
}
