//! Contents of the summary page, and that names stay text.

use super::*;
use crate::model::category::Category;
use crate::model::gap::Gap;
use crate::model::manifest::*;
use crate::model::name::QualifiedName;
use crate::model::outcome::Artifact;

fn manifest() -> Manifest {
    let json = serde_json::json!({
        "format": FORMAT, "id": "comprehensive_backup_20260130_120000", "kind": "full", "complete": true,
        "label": null, "note": null, "tags": {}, "created_at": "2026-01-30T12:00:00Z", "duration_ms": 1234,
        "source": { "host_sha256": "", "database": "shop", "user": "postgres", "system_identifier": null,
            "database_oid": 5, "server_version_num": 150018, "server_version": "15.18", "encoding": "UTF8",
            "locale": "C", "is_supabase": true, "is_standby": false, "database_bytes": 1 },
        "consistency": { "exported_snapshot": "1", "taken_at": "2026-01-30T12:00:00Z", "wal_lsn": null,
            "transaction_horizon": "1:1:", "restarts": 0 },
        "tools": { "stacksnap": "0.1.0", "pg_dump": "15.18", "codec": "gzip:1", "jobs": 2 },
        "counts": { "policies": 88, "oddities": 2 }, "coverage": [], "tables": [], "outcomes": [], "gaps": [],
        "secrets": [], "artifacts": [], "change_marker": null, "sha256sums_sha256": "", "manifest_sha256": ""
    });
    serde_json::from_value(json).unwrap()
}

#[test]
fn sections_in_the_order_that_readers_know() {
    let mut manifest = manifest();
    manifest.artifacts.push(Artifact {
        path: "rls_policies_complete.sql".into(),
        category: Category::Policies,
        bytes: 2048,
        sha256: String::new(),
    });
    let page = manifest_markdown(&manifest).unwrap();
    let titles: Vec<&str> = page.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    let expected = [
        "Database",
        "Users & Authentication",
        "User Roles",
        "RLS Policies",
        "RPC Functions",
        "Migrations",
        "Edge Functions",
        "Encryption",
    ];
    assert_eq!(titles[1..9], expected);
    assert!(page.contains("- policies: 88\n"));
    assert!(page.contains("| `rls_policies_complete.sql` | 2.0 KiB |"));
    assert!(page.contains("- oddities: 2\n"));
    assert!(page.contains("complete: nothing is missing"));
    assert!(!page.contains("PARTIAL"));
}

#[test]
fn a_partial_snapshot_says_so_first() {
    let mut manifest = manifest();
    manifest.complete = false;
    manifest.gaps.push(Gap::new("role_passwords_unreadable", "role app", "no right to read it", "set it again"));
    let page = manifest_markdown(&manifest).unwrap();
    assert!(page.lines().nth(2).unwrap().contains("PARTIAL SNAPSHOT"));
    assert!(page.contains("| role app | no right to read it | set it again | role\\_passwords\\_unreadable |"));
}

#[test]
fn trap_13_names_are_text() {
    let mut manifest = manifest();
    let nasty = "<img src=x onerror=alert(1)>|`rm`\n# owned\n[x](javascript:1)";
    manifest.tables.push(TableRecord {
        name: QualifiedName::new("public", nasty),
        rows: 1,
        fingerprint: "0".repeat(32),
        bytes_raw: 1,
        data_file: None,
        csv_file: None,
        columns: vec![],
        mark: None,
    });
    manifest.source.database = nasty.into();
    manifest.note = Some(nasty.into());
    manifest.tags.insert(nasty.into(), nasty.into());
    let page = manifest_markdown(&manifest).unwrap();
    assert!(!page.contains("<img") && !page.contains("\n# owned") && !page.contains("[x]("));
}
