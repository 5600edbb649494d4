//! Restore records: reserved once, private, validated, never read through a link.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::model::restore::TargetKind;

pub fn record(id: RestoreId) -> RestoreRecord {
    RestoreRecord {
        schema: SCHEMA.to_string(),
        id,
        state: RestoreState::Preparing,
        snapshot: "comprehensive_backup_20260130_120005".into(),
        manifest_sha256: "a".repeat(64),
        target: TargetFacts {
            kind: TargetKind::SameDatabase,
            database: "shop".into(),
            user: "postgres".into(),
            host_sha256: "b".repeat(64),
            system_identifier: Some("7".into()),
            database_oid: 5,
            server_version_num: 150_018,
            is_superuser: true,
            sets_replica_role: true,
            is_supabase: true,
        },
        plan_digest: "c".repeat(64),
        one_transaction: true,
        safety_snapshot: None,
        safety_manifest_sha256: None,
        undo_of: None,
        undone_by: None,
        roles_made: vec![],
        started_at: "2026-01-30T12:00:05Z".parse().unwrap(),
        ended_at: None,
        failure: None,
        report: None,
    }
}

#[test]
fn a_record_of_an_older_version_made_no_role_that_is_known() {
    let id = RestoreId::at("2026-01-30T12:00:05Z".parse().unwrap(), 1);
    let old = serde_json::to_value(record(id.clone())).unwrap();
    assert!(old.get("roles_made").is_none());
    assert_eq!(serde_json::from_value::<RestoreRecord>(old).unwrap().roles_made, vec![]);
    let made = vec![RoleMade { name: "a".into(), oid: None }, RoleMade { name: "b c".into(), oid: Some(20_000) }];
    let new = RestoreRecord { roles_made: made, ..record(id) };
    assert_eq!(serde_json::from_value::<RestoreRecord>(serde_json::to_value(&new).unwrap()).unwrap(), new);
}

#[test]
fn ids_are_safe_in_a_path() {
    let moment = "2026-01-30T12:00:05Z".parse().unwrap();
    assert_eq!(RestoreId::at(moment, 1).as_str(), "restore_20260130_120005");
    for attempt in [1, 2, 999] {
        let id = RestoreId::at(moment, attempt);
        assert_eq!(RestoreId::parse(id.as_str()), Some(id));
    }
    for text in
        ["", "restore_", "restore_20260130", "restore_20260130_120005_", "restore_20260130_120005/../x", "latest"]
    {
        assert_eq!(RestoreId::parse(text), None, "{text}");
    }
}

#[test]
fn two_of_one_second_get_two_ids_and_nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let now = "2026-01-30T12:00:05Z".parse().unwrap();
    let first = reserve(dir.path(), now, record).unwrap();
    let second = reserve(dir.path(), now, record).unwrap();
    assert_eq!(second.id.as_str(), "restore_20260130_120005_2");
    assert_eq!(read(dir.path(), &first.id).unwrap(), first);
    let listed: Vec<String> = list(dir.path()).into_iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(listed, ["restore_20260130_120005_2", "restore_20260130_120005"]);
    let folder = dir.path().join(ROOT_RESTORES_DIR);
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(place(dir.path(), &first.id)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn links_damage_and_other_ids_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let now = "2026-01-30T12:00:05Z".parse().unwrap();
    let kept = reserve(dir.path(), now, record).unwrap();
    let id = RestoreId::parse("restore_20260101_000000").unwrap();
    assert_eq!(read(dir.path(), &id).unwrap_err().kind, FailureKind::NotFound);
    std::fs::copy(place(dir.path(), &kept.id), place(dir.path(), &id)).unwrap();
    assert_eq!(read(dir.path(), &id).unwrap_err().kind, FailureKind::Configuration);
    std::fs::write(place(dir.path(), &id), "{").unwrap();
    assert_eq!(read(dir.path(), &id).unwrap_err().kind, FailureKind::Integrity);
    std::fs::remove_file(place(dir.path(), &id)).unwrap();
    std::os::unix::fs::symlink(place(dir.path(), &kept.id), place(dir.path(), &id)).unwrap();
    assert!(read(dir.path(), &id).is_err());
    assert_eq!(list(dir.path()).len(), 1);
}
