//! Damage by kind of file: each is found, named, and ends with exit 13.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use stacksnap::model::failure::FailureKind;
use stacksnap::monitor::Silent;
use stacksnap::snapshot::seal::read_manifest;
use stacksnap::verify::{Level, Severity, Verdict, Verification, verify};

/// One file of each kind.
const KINDS: [&str; 16] = [
    "manifest.json",
    "SHA256SUMS",
    "BACKUP_MANIFEST.md",
    "complete_database_with_data.dump/toc.dat",
    "complete_database_with_data.dump/plain.dat",
    "complete_database_with_data.dump/gz.dat.gz",
    "complete_database_with_data.dump/zst.dat.zst",
    "complete_database_with_data.dump/blobs.toc",
    "complete_database_with_data.dump/blob_1234.dat.gz",
    "complete_database_with_data.sql",
    "rls_policies_complete.sql",
    "extension_state/10_cron.sql",
    "data_records/public.gz.csv",
    "users_complete.csv",
    "migrations/2026 é%0A.sql",
    "inventory.json",
];

fn check(folder: &Path, level: Level) -> Verification {
    verify(folder, level, &Silent, 2).unwrap()
}

/// Both levels find it, name `path` with one of `codes`, and the failure is exit 13.
#[track_caller]
fn found(folder: &Path, path: &str, codes: &[&str]) {
    for level in [Level::Checksum, Level::Read] {
        let verification = check(folder, level);
        let named = verification.findings.iter().any(|f| f.path == path && codes.contains(&f.code.as_str()));
        assert!(named, "{path} {codes:?} at {level:?}: {:?}", verification.findings);
        assert_eq!(verification.verdict, Verdict::Bad);
        let failure = verification.failure().unwrap();
        assert_eq!((failure.kind, failure.kind.exit_code()), (FailureKind::Integrity, 13));
    }
}

/// Runs `damage` on a fresh copy for every kind of file.
fn for_each_kind(mut damage: impl FnMut(&Path, &str, PathBuf)) {
    for kind in KINDS {
        let root = tempfile::tempdir().unwrap();
        let folder = crate::support::handmade::without_server(root.path(), 50);
        let place = folder.join(kind);
        damage(&folder, kind, place);
    }
}

fn codes(kind: &str, usual: &'static str) -> [&'static str; 3] {
    match kind {
        "manifest.json" => ["manifest_damaged", "manifest_missing", "manifest_damaged"],
        "SHA256SUMS" => ["sums_damaged"; 3],
        _ => [usual; 3],
    }
}

#[test]
fn an_untouched_snapshot_is_good() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 50);
    for level in [Level::Checksum, Level::Read] {
        let verification = check(&folder, level);
        assert_eq!((verification.verdict, verification.findings.len()), (Verdict::Good, 0), "{verification:?}");
        assert!(verification.failure().is_none());
        assert_eq!(verification.files as usize, read_manifest(&folder).unwrap().artifacts.len());
    }
    let link = root.path().join("comprehensive_backup_LATEST");
    assert_eq!(check(&link, Level::Read).verdict, Verdict::Good);
    let sums =
        Command::new("sha256sum").args(["-c", "--strict", "--quiet", "SHA256SUMS"]).current_dir(&folder).status();
    assert!(sums.unwrap().success());
}

#[test]
fn large_files_are_decoded_beside_their_hash() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 200_000);
    let verification = check(&folder, Level::Read);
    assert_eq!(verification.verdict, Verdict::Good, "{:?}", verification.findings);
    assert_eq!(verification.bytes_total, read_manifest(&folder).unwrap().bytes_total());
}

#[test]
fn a_flipped_bit_at_the_start_in_the_middle_and_at_the_end() {
    for_each_kind(|folder, kind, place| {
        let bytes = fs::read(&place).unwrap();
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(&place, flipped).unwrap();
            found(folder, kind, &codes(kind, "wrong_sha256"));
        }
    });
}

#[test]
fn a_cut_an_emptied_and_a_missing_file() {
    for_each_kind(|folder, kind, place| {
        let bytes = fs::read(&place).unwrap();
        for length in [bytes.len() - 1, bytes.len() / 2, 0] {
            fs::write(&place, &bytes[..length]).unwrap();
            found(folder, kind, &codes(kind, "wrong_length"));
        }
        fs::remove_file(&place).unwrap();
        found(folder, kind, &codes(kind, "missing_file"));
    });
}

#[test]
fn a_file_replaced_by_a_link_a_folder_or_a_pipe() {
    for_each_kind(|folder, kind, place| {
        let aside = folder.parent().unwrap().join("aside");
        fs::rename(&place, &aside).unwrap();
        symlink(&aside, &place).unwrap();
        found(folder, kind, &codes(kind, "link"));
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        found(folder, kind, &codes(kind, "special_file"));
        fs::remove_dir(&place).unwrap();
        assert!(Command::new("mkfifo").arg(&place).status().unwrap().success());
        found(folder, kind, &codes(kind, "special_file"));
    });
}

#[test]
fn a_folder_replaced_by_a_link_to_the_same_files() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 5);
    fs::rename(folder.join("migrations"), root.path().join("aside")).unwrap();
    symlink("../aside", folder.join("migrations")).unwrap();
    found(&folder, "migrations", &["link"]);
    found(&folder, "migrations/2026 é%0A.sql", &["link"]);
}

#[test]
fn two_files_swapped() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 5);
    let (one, other) = ("rls_policies_complete.sql", "data_records/public.gz.csv");
    let (a, b) = (fs::read(folder.join(one)).unwrap(), fs::read(folder.join(other)).unwrap());
    fs::write(folder.join(one), b).unwrap();
    fs::write(folder.join(other), a).unwrap();
    for path in [one, other] {
        found(&folder, path, &["wrong_length", "wrong_sha256"]);
    }
    // Of the same length, too.
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 5);
    fs::write(folder.join("data_records/public.gz.csv"), "x").unwrap();
    found(&folder, "data_records/public.gz.csv", &["wrong_length"]);
}

#[test]
fn something_added() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 5);
    for path in ["x.sql", "edge_functions/.hidden", "complete_database_with_data.dump/9.dat", "a\n\u{1b}[2J"] {
        fs::write(folder.join(path), "").unwrap();
        found(&folder, path, &["added_file"]);
        let shown = check(&folder, Level::Checksum).failure().unwrap().to_string();
        assert!(!shown.contains('\u{1b}') && !shown.contains('\n'), "{shown:?}");
        fs::remove_file(folder.join(path)).unwrap();
    }
    symlink("/etc/passwd", folder.join("link")).unwrap();
    found(&folder, "link", &["link"]);
    fs::remove_file(folder.join("link")).unwrap();
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"edge_functions/\xff");
    fs::write(folder.join(odd), "").unwrap();
    found(&folder, "edge_functions/\u{fffd}", &["added_file"]);
}

#[test]
fn modes_and_empty_folders_are_warnings() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 5);
    fs::set_permissions(folder.join("inventory.json"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(folder.join("new")).unwrap();
    let verification = check(&folder, Level::Read);
    assert_eq!(verification.verdict, Verdict::Good);
    let warnings: Vec<_> =
        verification.findings.iter().map(|f| (f.severity, f.path.as_str(), f.code.as_str())).collect();
    assert!(warnings.contains(&(Severity::Warning, "inventory.json", "mode")), "{warnings:?}");
    assert!(warnings.contains(&(Severity::Warning, "new", "added_folder")), "{warnings:?}");
}

#[test]
fn records_edited_by_hand() {
    let root = tempfile::tempdir().unwrap();
    let folder = crate::support::handmade::without_server(root.path(), 5);
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let first = sums.lines().next().unwrap();
    fs::write(folder.join("SHA256SUMS"), format!("{first}\n{sums}")).unwrap();
    found(&folder, "SHA256SUMS", &["sums_damaged"]);
    fs::write(folder.join("SHA256SUMS"), &sums).unwrap();
    assert_eq!(check(&folder, Level::Read).verdict, Verdict::Good);
    let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
    for (from, to) in [
        ("\"rows\": 5", "\"rows\": 6"),
        ("\"complete\": true", "\"complete\":  true"),
        ("\"major\": 1", "\"major\": 2"),
    ] {
        assert!(manifest.contains(from));
        fs::write(folder.join("manifest.json"), manifest.replacen(from, to, 1)).unwrap();
        found(&folder, "manifest.json", &["manifest_damaged"]);
        assert_eq!(read_manifest(&folder).unwrap_err().kind, FailureKind::Integrity);
    }
}

/// A snapshot whose records are right, but whose content never was: what the level `read` is for.
#[test]
fn trap_3_wrong_from_the_beginning() {
    use stacksnap::model::category::Category;
    let cases: [(&str, &[u8], &str); 7] = [
        ("x.dat", b"1\n2\n", "bad_end"),
        ("x.dat", b"", "bad_end"),
        ("x.dat", b"1\n\\.\n", "wrong_rows"),
        ("x.dat", b"1\n3\n\\.\n", "wrong_fingerprint"),
        ("x.dat.gz", b"1\n2\n\\.\n", "undecodable"),
        ("x.dat.zst", b"1\n2\n\\.\n", "undecodable"),
        ("x.dat", b"1\n2\n\\.\n\n\n", ""),
    ];
    for (name, bytes, code) in cases {
        let root = tempfile::tempdir().unwrap();
        let sink = crate::support::handmade::partial(root.path());
        let path = format!("complete_database_with_data.dump/{name}");
        sink.write(&path, Category::Archive, bytes).unwrap();
        let mut manifest = crate::support::handmade::draft();
        let mut record = crate::support::handmade::record("t", &["1".to_string(), "2".to_string()], &path);
        record.csv_file = None;
        manifest.tables.push(record);
        let folder = stacksnap::snapshot::seal::seal(root.path(), &sink, manifest, None, &Silent).unwrap().folder;
        assert_eq!(check(&folder, Level::Checksum).verdict, Verdict::Good);
        let found: Vec<String> = check(&folder, Level::Read).findings.into_iter().map(|f| f.code).collect();
        assert_eq!(found, if code.is_empty() { vec![] } else { vec![code.to_string()] }, "{name} {bytes:?}");
    }
}

#[test]
fn what_is_no_snapshot_at_all() {
    let root = tempfile::tempdir().unwrap();
    let nowhere = verify(&root.path().join("nothing"), Level::Read, &Silent, 1).unwrap_err();
    assert_eq!(nowhere.kind, FailureKind::NotFound);
    assert_eq!(read_manifest(&root.path().join("nothing")).unwrap_err().kind, FailureKind::NotFound);
    found(root.path(), "manifest.json", &["manifest_missing"]);
}

/// Files that a restore does not read: the same rows for people, and what lies beside the database.
const NOT_RESTORED: [&str; 4] = [
    "complete_database_with_data.sql",
    "data_records/public.gz.csv",
    "migrations/2026 é%0A.sql",
    "edge_functions/empty.ts",
];

#[test]
fn a_damaged_copy_for_people_does_not_cost_the_database() {
    for_each_kind(|folder, kind, place| {
        let bytes = fs::read(&place).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        fs::write(&place, &flipped).unwrap();
        let verification = check(folder, Level::ForRestore);
        if NOT_RESTORED.contains(&kind) {
            assert_eq!((verification.verdict, verification.findings.len()), (Verdict::Good, 0), "{verification:?}");
        } else {
            assert!(verification.findings.iter().any(|f| f.path == kind), "{kind}: {verification:?}");
            assert_eq!(verification.failure().unwrap().kind.exit_code(), 13, "{kind}");
        }
        // `verify` itself still says so, and what is not there in its length is always found.
        found(folder, kind, &codes(kind, "wrong_sha256"));
        for damage in ["cut", "longer", "gone"] {
            match damage {
                "cut" => fs::write(&place, &bytes[..bytes.len() - 1]).unwrap(),
                "longer" => fs::write(&place, [bytes.as_slice(), b"x"].concat()).unwrap(),
                _ => fs::remove_file(&place).unwrap(),
            }
            let verification = check(folder, Level::ForRestore);
            assert_eq!(verification.verdict, Verdict::Bad, "{kind} {damage}");
            assert!(verification.findings.iter().any(|f| f.path == kind), "{kind} {damage}: {verification:?}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_bit_and_any_cut(kind in 0..KINDS.len(), place in 0.0..1.0f64, bit in 0u8..8, cut in any::<bool>()) {
        let root = tempfile::tempdir().unwrap();
        let folder = crate::support::handmade::without_server(root.path(), 40);
        let file = folder.join(KINDS[kind]);
        let mut bytes = fs::read(&file).unwrap();
        let at = (place * bytes.len() as f64) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        fs::write(&file, bytes).unwrap();
        for level in [Level::Checksum, Level::Read] {
            let verification = check(&folder, level);
            prop_assert_eq!(verification.verdict, Verdict::Bad);
            prop_assert!(verification.findings.iter().any(|f| f.path == KINDS[kind]), "{:?}", verification.findings);
        }
    }
}
