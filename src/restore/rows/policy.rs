//! Decides which tables' rows a restore loads, and why others are left out.
//!
//! Invariant: rows of the platform's own bookkeeping, of its services' sessions and of extensions that are restored
//! another way are never loaded (R22, R27, R13 to R15). A table that is left out is named with its reason. Pure.

use crate::model::inventory::TableFacts;
use crate::model::manifest::TableRecord;
use crate::model::restore::{ConflictPolicy, RestorePart, RestoreRequest, TargetKind};
use crate::restore::target::other_platform::PLATFORM_OLDER;
use crate::restore::target::scope::Scope;
use crate::restore::target::versions::is_of_versions;
use crate::snapshot::layout;

/// What a login leaves behind: useless elsewhere, dangerous in the wrong hands.
const SESSIONS: [&str; 9] = [
    "auth.sessions",
    "auth.refresh_tokens",
    "auth.one_time_tokens",
    "auth.flow_state",
    "auth.mfa_challenges",
    "auth.mfa_amr_claims",
    "auth.saml_relay_states",
    "auth.oauth_authorizations",
    "auth.oauth_client_states",
];

/// The exception code of sessions that are not restored.
pub const SESSIONS_DROPPED: &str = "sessions_dropped";

/// The exception code of rows in which a platform service records its own version.
pub const SERVICE_VERSION: &str = "service_version";

/// The exception code of an extension's rows of which each project has its own.
pub const EXTENSION_ROWS: &str = "extension_rows";

/// Jobs, secrets and queues are restored by calls of their extension.
const HAVE_A_WAY: [&str; 4] = ["cron.job", "vault.secrets", "pgsodium.key", "pgmq.meta"];

/// What happens to a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    Load,
    /// Exception code and reason.
    Leave(&'static str, String),
}

/// Decides for one table of the snapshot.
pub fn decide(record: &TableRecord, facts: Option<&TableFacts>, scope: &Scope, request: &RestoreRequest) -> Rows {
    let plain = record.name.plain();
    if record.data_file.is_none() {
        return Rows::Leave("rows_not_captured", "the snapshot does not hold its rows".into());
    }
    if !request.tables.is_empty() && !request.tables.contains(&record.name) {
        return Rows::Leave("not_asked_for", "not among the tables of -t".into());
    }
    if let Some(extension) = facts.and_then(|f| f.extension.as_ref()) {
        let carried = facts.is_some_and(|f| f.extension_config);
        if scope.platform && carried && !HAVE_A_WAY.contains(&plain.as_str()) {
            return Rows::Leave(EXTENSION_ROWS, format!("a project keeps its own rows of the extension {extension}"));
        }
        if scope.platform || !carried || scope.extensions_missing.contains(extension) {
            return Rows::Leave(
                "extension_member",
                format!("rows of the extension {extension} are not loaded with the tables"),
            );
        }
    }
    if !part_holds(request) {
        return Rows::Leave("not_asked_for", "not in the parts of --only".into());
    }
    if !scope.platform || !scope.is_managed(Some(&record.name.schema)) {
        return Rows::Load;
    }
    if scope.other.absent_tables.contains(&record.name) {
        return Rows::Leave(PLATFORM_OLDER, "the service of the target is older and has no such table".into());
    }
    if scope.services.rows_lost.contains(&record.name) {
        return Rows::Load;
    }
    if is_of_versions(&record.name) {
        return Rows::Leave(SERVICE_VERSION, "the platform's own record of its schema version".into());
    }
    if !matches!(record.name.schema.as_str(), "auth" | "storage") {
        return Rows::Leave("service_state", "state of a platform service, which the service rebuilds".into());
    }
    if !request.keep_sessions && SESSIONS.contains(&plain.as_str()) {
        return Rows::Leave(SESSIONS_DROPPED, "--sessions drop: all users log in again".into());
    }
    Rows::Load
}

/// In place: is this a login table whose sessions must end?
pub fn ends_logins(record: &TableRecord, facts: Option<&TableFacts>, scope: &Scope, request: &RestoreRequest) -> bool {
    let in_place = matches!(scope.kind, TargetKind::SameDatabase | TargetKind::OtherDatabase);
    in_place
        && request.conflicts == ConflictPolicy::Overwrite
        && matches!(decide(record, facts, scope, request), Rows::Leave(SESSIONS_DROPPED, _))
}

fn part_holds(request: &RestoreRequest) -> bool {
    request.only.is_empty()
        || request.only.iter().any(|part| match part {
            RestorePart::Data => true,
            // The others have their own files, which are merged.
            _ => false,
        })
}

/// The snapshot's files that restore a part by merging it, in the order in which they run.
pub fn files(only: &[RestorePart]) -> Vec<&'static str> {
    let file = |part: &RestorePart| match part {
        RestorePart::Users => Some(layout::USERS_SQL),
        RestorePart::Roles => Some(layout::USER_ROLES_SQL),
        RestorePart::Encryption => Some(layout::ENCRYPTION_SQL),
        RestorePart::Migrations => Some(layout::MIGRATION_HISTORY_SQL),
        _ => None,
    };
    only.iter().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::QualifiedName;
    use crate::restore::target::other_platform::OtherPlatform;
    use crate::restore::target::services::Services;
    use std::collections::BTreeSet;

    fn record(schema: &str, name: &str) -> TableRecord {
        TableRecord {
            name: QualifiedName::new(schema, name),
            rows: 1,
            fingerprint: String::new(),
            bytes_raw: 1,
            data_file: Some("x".into()),
            csv_file: None,
            columns: vec![],
            mark: None,
        }
    }

    pub fn request() -> RestoreRequest {
        RestoreRequest {
            keep_sessions: false,
            allow_partial: false,
            ..RestoreRequest::whole(jiff::Timestamp::UNIX_EPOCH, 1, 0)
        }
    }

    #[test]
    fn r22_and_r27_rows_that_belong_to_services_stay_as_they_are() {
        let platform = Scope {
            platform: true,
            kind: TargetKind::FreshProject,
            restorer: String::new(),
            only: vec![],
            tables: vec![],
            extensions_missing: BTreeSet::new(),
            left_out: BTreeSet::new(),
            roles_new: BTreeSet::new(),
            roles_kept: BTreeSet::new(),
            untrusted: false,
            rules: None,
            other: OtherPlatform::default(),
            services: Services::default(),
            built_on: crate::restore::target::built_on::BuiltOn::default(),
        };
        let bare = Scope { platform: false, kind: TargetKind::Bare, ..platform.clone() };
        let leaves =
            |s: &Scope, schema, name| matches!(decide(&record(schema, name), None, s, &request()), Rows::Leave(..));
        for (schema, name) in [("auth", "schema_migrations"), ("realtime", "subscription"), ("auth", "refresh_tokens")]
        {
            assert!(leaves(&platform, schema, name), "{schema}.{name}");
            assert!(!leaves(&bare, schema, name), "{schema}.{name}");
        }
        assert!(!leaves(&platform, "auth", "users"));
        assert!(!leaves(&platform, "supabase_migrations", "schema_migrations"));
        assert!(!leaves(&platform, "public", "orders"));
    }
}
