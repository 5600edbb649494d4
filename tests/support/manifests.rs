//! Snapshots made by hand for commands that only read manifests.

use std::collections::BTreeMap;

use stacksnap::model::category::Category;
use stacksnap::model::gap::Gap;
use stacksnap::model::ids::SnapshotName;
use stacksnap::model::manifest::{Consistency, FORMAT, Manifest, SnapshotKind, SourceFacts, TableRecord, Tools};
use stacksnap::model::name::QualifiedName;
use stacksnap::model::outcome::Artifact;
use stacksnap::snapshot::manifest_file::manifest_bytes;

use super::Place;

impl Place {
    /// Writes a sealed snapshot: its manifest, changed by `change`, and one file.
    pub fn snapshot(&self, moment: &str, change: impl FnOnce(&mut Manifest)) -> SnapshotName {
        let name = SnapshotName::at(moment.parse().unwrap(), 1);
        let folder = self.root().join(name.as_str());
        std::fs::create_dir_all(&folder).unwrap();
        let mut manifest = manifest(&name, moment);
        change(&mut manifest);
        std::fs::write(folder.join("manifest.json"), manifest_bytes(&manifest).unwrap().0).unwrap();
        name
    }
}

pub fn manifest(name: &SnapshotName, moment: &str) -> Manifest {
    Manifest {
        format: FORMAT,
        id: name.clone(),
        kind: SnapshotKind::Full,
        complete: true,
        label: None,
        note: None,
        tags: BTreeMap::new(),
        created_at: moment.parse().unwrap(),
        duration_ms: 4_200,
        source: SourceFacts {
            host_sha256: "0".repeat(64),
            database: "shop".into(),
            user: "postgres".into(),
            system_identifier: None,
            database_oid: 5,
            server_version_num: 150_018,
            server_version: "15.18".into(),
            encoding: "UTF8".into(),
            locale: "C".into(),
            is_supabase: true,
            is_standby: false,
            database_bytes: 1,
        },
        consistency: Consistency {
            exported_snapshot: "00000003-0000001B-1".into(),
            taken_at: moment.parse().unwrap(),
            wal_lsn: Some("0/1A2B3C4".into()),
            transaction_horizon: "1:1:".into(),
            restarts: 0,
        },
        tools: Tools {
            stacksnap: "0.1.0".into(),
            pg_dump: "15.18".into(),
            codec: "gzip:1".into(),
            readable_codec: None,
            jobs: 2,
        },
        counts: BTreeMap::from([("tables".into(), 2), ("users".into(), 6), ("policies".into(), 88)]),
        coverage: vec![],
        tables: vec![table("users", 6), table("invoices", 1200)],
        member_marks: vec![],
        computed: None,
        outcomes: vec![],
        schema_verification: None,
        gaps: vec![],
        secrets: vec![],
        artifacts: vec![Artifact {
            path: "rls_policies_complete.sql".into(),
            category: Category::Policies,
            bytes: 12_345,
            sha256: "a".repeat(64),
        }],
        change_marker: None,
        sha256sums_sha256: "b".repeat(64),
        manifest_sha256: String::new(),
    }
}

pub fn table(name: &str, rows: u64) -> TableRecord {
    TableRecord {
        name: QualifiedName::new("public", name),
        rows,
        fingerprint: "c".repeat(32),
        bytes_raw: rows * 10,
        data_file: None,
        csv_file: None,
        columns: vec!["id".into()],
        mark: None,
    }
}

pub fn gap(what: &str) -> Gap {
    Gap::new("vault_not_sealed", what, "no recipient was given", "set [snapshot.seal]")
}
