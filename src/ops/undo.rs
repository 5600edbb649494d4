//! `undo`: restores the safety snapshot of a restore into the same database.
//!
//! Invariant: the target must be the one of the record, by system identifier and database OID. The safety snapshot must
//! be the one that the record names, by checksum. All of it is restored, including sessions and jobs.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::restore::{Found, Options, same_target};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::ids::SnapshotName;
use crate::model::name::visible;
use crate::model::restore::{RestoreRequest, RoleMade};
use crate::monitor::millis;
use crate::root::folder::Root;
use crate::root::lock;
use crate::root::restores;
use crate::root::restores::{RestoreId, RestoreRecord, RestoreState};
use crate::snapshot::age_file::Keys;
use crate::snapshot::manifest_file::read_manifest;

/// A restore that can be undone: its record and the folder of its safety snapshot.
#[derive(Debug)]
pub struct Undoable {
    pub record: RestoreRecord,
    pub place: PathBuf,
    /// Roles that this restore, or a later one of the same database, created.
    pub roles_made: Vec<RoleMade>,
}

/// Finds the restore and its safety snapshot.
pub fn find(root: &Root, id: &str) -> Result<Undoable> {
    let Some(id) = RestoreId::parse(id) else {
        let text = format!("'{}' is not the id of a restore", visible(id));
        return Err(Failure::msg(FailureKind::NotFound, text).hint("to list the restores: stacksnap undo"));
    };
    let record = restores::read(root.path(), &id)?;
    let Some(name) = &record.safety_snapshot else {
        let why = match record.state {
            RestoreState::Preparing => "it wrote nothing to its target",
            _ => "it was run without a safety snapshot (--no-safety-snapshot), or its target was empty",
        };
        return Err(Failure::msg(FailureKind::NotFound, format!("{id} cannot be undone: {why}"))
            .hint("you can restore an earlier snapshot: stacksnap list"));
    };
    let place = SnapshotName::parse(name).map(|name| root.path().join(name.as_str()));
    let Some(place) = place.filter(|place| place.is_dir()) else {
        let text = format!("{id} cannot be undone: its safety snapshot {} was removed", visible(name));
        return Err(Failure::msg(FailureKind::NotFound, text).hint("to see the snapshots: stacksnap list"));
    };
    let manifest = read_manifest(&place)?;
    if record.safety_manifest_sha256.as_ref().is_some_and(|sha256| *sha256 != manifest.manifest_sha256) {
        let text = format!("{} is not the safety snapshot that {id} took: its manifest differs", visible(name));
        return Err(Failure::msg(FailureKind::Integrity, text).hint("do not restore from it"));
    }
    let roles_made = roles_made_since(root, &record);
    Ok(Undoable { record, place, roles_made })
}

/// Roles that `record` and later restores of this database created: the server had none of them before.
fn roles_made_since(root: &Root, record: &RestoreRecord) -> Vec<RoleMade> {
    let newest_first = restores::list(root.path()).into_iter();
    let since = newest_first.take_while(|(id, _)| *id != record.id).filter_map(|(_, other)| other.ok());
    let wrote = since.filter(|other| other.state != RestoreState::Preparing);
    let of_the_same = wrote.filter(|other| same_target(&record.target, &Found::of(&other.target)).is_ok());
    of_the_same.flat_map(|other| other.roles_made).chain(record.roles_made.iter().cloned()).collect()
}

/// The engine's request: restore everything, even from a snapshot with gaps, and drop `roles_made`.
pub fn request(
    now: Timestamp,
    jobs: u32,
    lock_wait: Duration,
    roles_made: Vec<RoleMade>,
    leave_out: Vec<String>,
) -> RestoreRequest {
    RestoreRequest {
        activate_jobs: true,
        leave_out,
        checks_not_valid: true,
        drop_roles: roles_made,
        ..RestoreRequest::whole(now, jobs, millis(lock_wait))
    }
}

/// The options of the restore that undoes `record`.
pub fn options(record: &RestoreRecord, safety_snapshot: bool, proof: bool, keys: Keys) -> Options {
    let (undo_of, expected) = (Some(record.id.clone()), Some(record.target.clone()));
    Options { safety_snapshot, proof, undo_of, expected, keys, vouch: None }
}

/// One row of the list of restores.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: RestoreId,
    /// `preparing`, `running`, `finished`, `failed`; `died` if it says running and no process holds the root's lock;
    /// `unreadable`.
    pub state: String,
    pub can_undo: bool,
    pub snapshot: Option<String>,
    pub database: Option<String>,
    pub started_at: Option<Timestamp>,
    pub safety_snapshot: Option<String>,
    pub undone_by: Option<RestoreId>,
    /// Why the record cannot be read.
    pub problem: Option<String>,
}

/// All restores of a root folder, newest first.
pub fn list(root: &Root) -> Vec<Row> {
    let held = lock::holder(root.path()).is_some();
    restores::list(root.path()).into_iter().map(|(id, record)| row(root, id, record, held)).collect()
}

fn row(root: &Root, id: RestoreId, record: Result<RestoreRecord>, held: bool) -> Row {
    let record = match record {
        Ok(record) => record,
        Err(failure) => {
            return Row {
                id,
                state: "unreadable".into(),
                can_undo: false,
                snapshot: None,
                database: None,
                started_at: None,
                safety_snapshot: None,
                undone_by: None,
                problem: Some(failure.to_string()),
            };
        }
    };
    let state = match record.state {
        RestoreState::Preparing | RestoreState::Running if !held => "died",
        RestoreState::Preparing => "preparing",
        RestoreState::Running => "running",
        RestoreState::Finished => "finished",
        RestoreState::Failed => "failed",
    };
    let there = |name: &String| SnapshotName::parse(name).is_some_and(|name| root.path().join(name.as_str()).is_dir());
    Row {
        id,
        state: state.to_string(),
        can_undo: record.state != RestoreState::Preparing && record.safety_snapshot.as_ref().is_some_and(there),
        snapshot: Some(record.snapshot),
        database: Some(record.target.database),
        started_at: Some(record.started_at),
        safety_snapshot: record.safety_snapshot,
        undone_by: record.undone_by,
        problem: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, database: &str, roles: &[&str]) -> RestoreRecord {
        let roles: Vec<_> = roles.iter().map(|name| serde_json::json!({ "name": name })).collect();
        serde_json::from_value(serde_json::json!({
            "schema": restores::SCHEMA, "id": id, "state": "finished", "snapshot": "s", "manifest_sha256": "a",
            "target": { "kind": "same_database", "database": database, "user": "u", "host_sha256": "h",
                "system_identifier": "7", "database_oid": 5, "server_version_num": 150_018, "is_superuser": true,
                "sets_replica_role": true, "is_supabase": false },
            "plan_digest": "d", "one_transaction": true, "safety_snapshot": "x", "safety_manifest_sha256": "y",
            "undo_of": null, "undone_by": null, "roles_made": roles, "started_at": "2026-01-30T12:00:05Z",
            "ended_at": null, "failure": null, "report": null
        }))
        .unwrap()
    }

    #[test]
    fn roles_of_later_restores_of_the_same_database_go_too() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path().to_path_buf());
        std::fs::create_dir(folder.path().join("restores")).unwrap();
        let records = [
            record("restore_20260130_120001", "shop", &["before"]),
            record("restore_20260130_120002", "shop", &["a"]),
            record("restore_20260130_120003", "other", &["elsewhere"]),
            record("restore_20260130_120003_2", "shop", &["b"]),
            RestoreRecord { state: RestoreState::Preparing, ..record("restore_20260130_120004", "shop", &["never"]) },
        ];
        for record in &records {
            restores::write(folder.path(), record).unwrap();
        }
        let names = |of: usize| {
            let mut names: Vec<_> = roles_made_since(&root, &records[of]).into_iter().map(|r| r.name).collect();
            names.sort();
            names
        };
        assert_eq!(names(1), ["a", "b"]);
        assert_eq!(names(0), ["a", "b", "before"]);
        assert_eq!(names(3), ["b"]);
    }
}
