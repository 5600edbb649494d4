//! Which objects may stay different after a restore, tested without a server.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::super::stubs::StubPlan;
use super::*;
use crate::model::manifest::{FORMAT, Manifest};
use crate::model::restore::TargetFacts;
use crate::pg::catalog::target::TargetState;
use crate::pgtools::toc::Toc;
use crate::restore::target::other_platform::OtherPlatform;
use crate::restore::target::scope::Scope;
use crate::restore::target::services::Services;

fn source() -> SnapshotSource {
    let manifest: Manifest = serde_json::from_value(json!({
        "format": FORMAT, "id": "comprehensive_backup_20260130_120000", "kind": "full", "complete": true,
        "label": null, "note": null, "tags": {}, "created_at": "2026-01-30T12:00:00Z", "duration_ms": 1,
        "source": { "host_sha256": "00", "database": "d", "user": "supabase_admin", "system_identifier": null,
            "database_oid": 5, "server_version_num": 150_018, "server_version": "15.18", "encoding": "UTF8",
            "locale": "C", "is_supabase": true, "is_standby": false, "database_bytes": 1 },
        "consistency": { "exported_snapshot": "1", "taken_at": "2026-01-30T12:00:00Z", "wal_lsn": null,
            "transaction_horizon": "1:1:", "restarts": 0 },
        "tools": { "stacksnap": "0.1.0", "pg_dump": "15.18", "codec": "gzip:1", "jobs": 1 },
        "counts": {}, "coverage": [], "tables": [], "outcomes": [], "gaps": [], "secrets": [], "artifacts": [],
        "change_marker": null, "sha256sums_sha256": "", "manifest_sha256": ""
    }))
    .unwrap();
    let toc = Toc {
        format_version: (1, 14),
        database: String::new(),
        server_version: String::new(),
        client_version: String::new(),
        entries: Vec::new(),
    };
    SnapshotSource::new(Path::new(""), manifest, Inventory::default(), toc)
}

/// A project's database, restored by `user`.
fn examined(source: &SnapshotSource, user: &str, is_superuser: bool) -> Examined {
    let facts = source.manifest.source.clone();
    let target = TargetFacts {
        kind: TargetKind::FreshProject,
        database: facts.database.clone(),
        user: user.into(),
        host_sha256: facts.host_sha256.clone(),
        system_identifier: None,
        database_oid: 6,
        server_version_num: facts.server_version_num,
        is_superuser,
        sets_replica_role: true,
        is_supabase: true,
    };
    let state = TargetState {
        facts,
        is_superuser,
        is_supabase: true,
        has_user_objects: false,
        sets_replica_role: true,
        creates_roles: true,
        may_create: true,
        is_read_only: false,
        available_extensions: Vec::new(),
        extensions: Vec::new(),
    };
    let scope = Scope {
        platform: true,
        kind: TargetKind::FreshProject,
        restorer: user.into(),
        only: Vec::new(),
        tables: Vec::new(),
        extensions_missing: BTreeSet::new(),
        left_out: BTreeSet::new(),
        rules: None,
        other: OtherPlatform::default(),
        services: Services::default(),
        built_on: crate::restore::target::built_on::BuiltOn::default(),
        roles_new: BTreeSet::new(),
        roles_kept: BTreeSet::new(),
        untrusted: false,
    };
    Examined { state, facts: target, scope, stubs: StubPlan::default(), fence: None }
}

/// The code of the excuse, if there is one.
fn code(user: &str, is_superuser: bool, kind: &str, identity: &str) -> Option<String> {
    let source = source();
    let object = ObjectName { kind: kind.into(), identity: identity.into() };
    excuse(&object, &Left::default(), &examined(&source, user, is_superuser), &source).map(|e| e.code)
}

#[test]
fn r32_what_new_objects_of_the_restoring_role_are_open_to_is_never_excused() {
    let own = |user: &str, identity: &str| code(user, false, "DEFAULT ACL", identity);
    assert_eq!(own("postgres", "for role postgres in schema public on TABLES"), None);
    assert_eq!(own("postgres", "for role postgres on FUNCTIONS"), None);
    assert_eq!(own("Odd one", "for role \"Odd one\" on TABLES"), None);
    // Default privileges of other roles are the platform's, and `postgres2` is another role although its name starts
    // like ours.
    let others = ["for role supabase_admin in schema public on TABLES", "for role postgres2 on TABLES"];
    for other in others {
        assert_eq!(own("postgres", other).as_deref(), Some("not_permitted"), "{other}");
    }
    // A superuser may change all of them, so there is no excuse.
    assert_eq!(code("supabase_admin", true, "DEFAULT ACL", others[0]), None);
}

#[test]
fn roles_that_stay_as_they_are_say_why() {
    assert_eq!(code("postgres", true, "ROLE", "postgres").as_deref(), Some("own_role"));
    assert_eq!(code("postgres", true, "ROLE", "anon"), None);
    assert_eq!(code("postgres", false, "ROLE", "authenticator").as_deref(), Some("platform_role"));
    assert_eq!(code("postgres", false, "ROLE", "app_reporter").as_deref(), Some("not_permitted"));
}

#[test]
fn a_schema_that_the_platform_made_for_an_extension_may_stay_behind_it() {
    assert_eq!(code("postgres", false, "SCHEMA", "pgtle").as_deref(), Some("not_permitted"));
    assert_eq!(code("postgres", false, "SCHEMA", "app"), None);
    assert_eq!(code("supabase_admin", true, "SCHEMA", "pgtle"), None);
}
