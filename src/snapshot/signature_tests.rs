//! Signatures: by our key, by a foreign key, missing, and every kind of invalid one.

use super::*;
use crate::snapshot::manifest_file::{manifest_bytes, parse_manifest};

const NAME: &str = "comprehensive_backup_20260130_120000";

fn key(n: u8) -> Key {
    Key::from_bytes([n; 32])
}

fn name(text: &str) -> SnapshotName {
    SnapshotName::parse(text).unwrap()
}

fn manifest() -> Manifest {
    let json = serde_json::json!({
        "format": { "major": 1, "minor": 1 }, "id": NAME, "kind": "full", "complete": true, "label": null, "note": null,
        "tags": {}, "created_at": "2026-01-30T12:00:00Z", "duration_ms": 1,
        "source": { "host_sha256": "00", "database": "d", "user": "u", "system_identifier": null, "database_oid": 5,
            "server_version_num": 150018, "server_version": "15.18", "encoding": "UTF8", "locale": "C",
            "is_supabase": false, "is_standby": false, "database_bytes": 1 },
        "consistency": { "exported_snapshot": "1", "taken_at": "2026-01-30T12:00:00Z", "wal_lsn": null,
            "transaction_horizon": "1:1:", "restarts": 0 },
        "tools": { "stacksnap": "0.1.0", "pg_dump": "15.18", "codec": "gzip:1", "jobs": 2 },
        "counts": {}, "coverage": [], "tables": [], "outcomes": [], "gaps": [], "secrets": [], "artifacts": [],
        "change_marker": null, "sha256sums_sha256": "", "manifest_sha256": ""
    });
    let draft: Manifest = serde_json::from_value(json).unwrap();
    parse_manifest(manifest_bytes(&draft).unwrap().0).unwrap()
}

fn signed(by: &Key) -> Vec<u8> {
    line(by, &name(NAME), &manifest().manifest_sha256).unwrap()
}

fn is_wrong(seal: &SignedBy) -> bool {
    matches!(seal, SignedBy::Wrong { .. })
}

#[test]
fn ours_and_others() {
    let (bytes, manifest) = (signed(&key(1)), manifest());
    assert_eq!(bytes.iter().filter(|b| **b == b'\n').count(), 1);
    assert_eq!(judge(&bytes, &[key(1)], Some(&manifest.id), &manifest), SignedBy::Ours);
    assert_eq!(judge(&bytes, &[key(2), key(1)], None, &manifest), SignedBy::Ours);
    let foreign = SignedBy::Foreign { key_id: key(1).id() };
    assert_eq!(judge(&bytes, &[], Some(&manifest.id), &manifest), foreign);
    assert_eq!(judge(&bytes, &[key(2)], Some(&manifest.id), &manifest), foreign);
}

#[test]
fn a_signature_holds_for_one_manifest_under_one_name() {
    let (bytes, manifest) = (signed(&key(1)), manifest());
    let mut other = manifest.clone();
    other.manifest_sha256 = "0".repeat(64);
    assert!(is_wrong(&judge(&bytes, &[key(1)], None, &other)));
    let mut other = manifest.clone();
    other.id = name("comprehensive_backup_20260130_120001");
    assert!(is_wrong(&judge(&bytes, &[key(1)], None, &other)));
    // Replay: an older snapshot in the folder of a newer one.
    let newer = name("comprehensive_backup_20260131_120000");
    assert!(is_wrong(&judge(&bytes, &[key(1)], Some(&newer), &manifest)));
}

#[test]
fn what_is_changed_is_wrong_or_foreign_and_never_ours() {
    let (bytes, manifest) = (signed(&key(1)), manifest());
    for at in 0..bytes.len() - 1 {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_ne!(judge(&changed, &[key(1)], None, &manifest), SignedBy::Ours, "{at}");
        assert_ne!(judge(&bytes[..at], &[key(1)], None, &manifest), SignedBy::Ours, "{at}");
    }
    let text = String::from_utf8(bytes).unwrap();
    let other_kind = text.replace("signature.v1", "signature.v2");
    assert!(is_wrong(&judge(other_kind.as_bytes(), &[key(1)], None, &manifest)));
    let odd_id = text.replace(&key(1).id(), "\u{1b}[31mabcdefghijk");
    assert!(is_wrong(&judge(odd_id.as_bytes(), &[key(1)], None, &manifest)));
    assert!(is_wrong(&judge(b"", &[], None, &manifest)));
}

#[test]
fn it_is_read_from_the_folder_without_following_a_link() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join(NAME);
    std::fs::create_dir(&place).unwrap();
    let (folder, manifest) = (Folder::open(&place).unwrap(), manifest());
    let key = Key::own(root.path()).unwrap();
    assert_eq!(check(&folder, &manifest, root.path()).unwrap(), SignedBy::Unsigned);
    let file = place.join(layout::MANIFEST_SIG);
    std::fs::write(&file, line(&key, &manifest.id, &manifest.manifest_sha256).unwrap()).unwrap();
    assert_eq!(check(&folder, &manifest, root.path()).unwrap(), SignedBy::Ours);
    std::os::unix::fs::symlink(NAME, root.path().join("latest")).unwrap();
    let linked = Folder::open(&root.path().join("latest")).unwrap();
    assert_eq!(check(&linked, &manifest, root.path()).unwrap(), SignedBy::Ours);
    std::fs::rename(&file, root.path().join("aside")).unwrap();
    std::os::unix::fs::symlink("../aside", &file).unwrap();
    assert!(is_wrong(&check(&folder, &manifest, root.path()).unwrap()));
}
