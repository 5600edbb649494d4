//! The files of a snapshot: one table of their paths, categories, contents and sections of the page.
//!
//! Invariant: file names are a contract with the users' own documents; they change only with the format version.
//! `doc/format.md` describes each file; `tests/architecture/layout_doc.rs` compares the two. Never opens a file.

use super::category::Category;
use super::count::Count;

pub const MANIFEST_JSON: &str = "manifest.json";
pub const SHA256SUMS: &str = "SHA256SUMS";
pub const MANIFEST_SIG: &str = "manifest.sig";
pub const BACKUP_MANIFEST: &str = "BACKUP_MANIFEST.md";
pub const DUMP_DIR: &str = "complete_database_with_data.dump";
pub const READABLE_SQL: &str = "complete_database_with_data.sql";
pub const USERS_SQL: &str = "users_with_encrypted_passwords.sql";
pub const USERS_CSV: &str = "users_complete.csv";
pub const USER_ROLES_SQL: &str = "user_roles_complete.sql";
pub const POLICIES_SQL: &str = "rls_policies_complete.sql";
pub const FUNCTIONS_SQL: &str = "rpc_functions_complete.sql";
pub const ENCRYPTION_SQL: &str = "encryption_system.sql";
pub const MIGRATION_HISTORY_SQL: &str = "migration_history.sql";
pub const MIGRATIONS_DIR: &str = "migrations";
pub const EDGE_FUNCTIONS_DIR: &str = "edge_functions";
pub const DATA_RECORDS_DIR: &str = "data_records";
pub const RESTORE_SCRIPT: &str = "restore_complete_backup.sh";
pub const DATABASE_ROLES_SQL: &str = "database_roles.sql";
pub const ACCESS_GRANTS_SQL: &str = "access_grants.sql";
pub const MANAGED_OBJECTS_SQL: &str = "managed_schema_objects.sql";
pub const EXTENSION_STATE_DIR: &str = "extension_state";
pub const STORAGE_DIR: &str = "storage";
pub const PROJECT_DIR: &str = "project";
pub const GENERATED_COLUMNS_DIR: &str = "generated_columns";
pub const INVENTORY_JSON: &str = "inventory.json";

/// Below `extension_state/`.
pub const EXTENSIONS_SQL: &str = "extension_state/extensions.sql";
pub const EXTENSIONS_JSON: &str = "extension_state/extensions.json";
pub const PUBLICATIONS_SQL: &str = "extension_state/publications.sql";
pub const EVENT_TRIGGERS_SQL: &str = "extension_state/event_triggers.sql";
pub const EVENT_TRIGGERS_JSON: &str = "extension_state/event_triggers.json";
pub const MEMBER_ROUTINES_SQL: &str = "extension_state/member_routines.sql";
pub const UNDUMPED_SQL: &str = "extension_state/undumped.sql";
pub const FOREIGN_KEYS_SQL: &str = "extension_state/foreign_keys.sql";
pub const DATABASE_SETTINGS_SQL: &str = "extension_state/database_settings.sql";
pub const CRON_JOBS_SQL: &str = "extension_state/cron_jobs.sql";
pub const VAULT_SECRETS_JSON: &str = "extension_state/vault_secrets.json";
pub const VAULT_SECRETS_SEALED: &str = "extension_state/vault_secrets.json.age";
pub const MEMBER_TABLES_JSON: &str = "extension_state/member_tables.json";
pub const MEMBER_TABLES_DIR: &str = "extension_state/member_tables";
pub const QUEUES_SQL: &str = "extension_state/queues.sql";

/// The content of a file, as far as reading it can show whether it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// A folder: pg_dump's directory archive.
    Dump,
    /// pg_dump's plain SQL, which ends with its trailer.
    DumpSql,
    /// SQL written by stacksnap, which ends with its own trailer.
    OwnSql,
    /// A folder whose `.sql` files are written by stacksnap.
    OwnSqlInside,
    /// Any bytes; only the checksum is verified.
    Other,
}

/// A section of `BACKUP_MANIFEST.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Database,
    Users,
    UserRoles,
    Policies,
    Functions,
    Migrations,
    EdgeFunctions,
    Encryption,
    Roles,
    ExtensionState,
    Project,
    DataRecords,
}

impl Section {
    /// In the order of the page.
    pub const ALL: [Self; 12] = [
        Self::Database,
        Self::Users,
        Self::UserRoles,
        Self::Policies,
        Self::Functions,
        Self::Migrations,
        Self::EdgeFunctions,
        Self::Encryption,
        Self::Roles,
        Self::ExtensionState,
        Self::Project,
        Self::DataRecords,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Database => "Database",
            Self::Users => "Users & Authentication",
            Self::UserRoles => "User Roles",
            Self::Policies => "RLS Policies",
            Self::Functions => "RPC Functions",
            Self::Migrations => "Migrations",
            Self::EdgeFunctions => "Edge Functions",
            Self::Encryption => "Encryption",
            Self::Roles => "Roles & Grants",
            Self::ExtensionState => "Extension State",
            Self::Project => "Storage & Project",
            Self::DataRecords => "Data Records",
        }
    }

    /// The counts shown in this section, in order. A collector or the run record writes each of them.
    pub fn counts(self) -> &'static [Count] {
        match self {
            Self::Database => &[
                Count::Tables,
                Count::Rows,
                Count::Views,
                Count::MaterializedViews,
                Count::Indexes,
                Count::Triggers,
                Count::Sequences,
            ],
            Self::Users => &[Count::Users, Count::Identities, Count::Sessions, Count::MfaFactors],
            Self::UserRoles => &[Count::UserRoles, Count::RoleTables],
            Self::Policies => &[Count::Policies, Count::TablesWithRls],
            Self::Functions => &[Count::Functions],
            Self::Migrations => &[Count::Migrations, Count::MigrationsApplied],
            Self::EdgeFunctions => &[Count::EdgeFunctions, Count::EdgeFunctionFiles],
            Self::Encryption => &[Count::EncryptionFunctions, Count::EncryptionTriggers, Count::EncryptionViews],
            Self::Roles => &[
                Count::DatabaseRoles,
                Count::Grants,
                Count::ManagedTriggers,
                Count::ManagedPolicies,
                Count::ManagedFunctions,
                Count::ManagedViews,
            ],
            Self::ExtensionState => &[
                Count::Extensions,
                Count::CronJobs,
                Count::VaultSecrets,
                Count::Queues,
                Count::Publications,
                Count::EventTriggers,
            ],
            Self::Project => &[Count::StorageBuckets, Count::StorageObjects, Count::StorageFiles, Count::ProjectFiles],
            Self::DataRecords => &[Count::CsvFiles],
        }
    }
}

/// One file or folder of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct ArtifactKind {
    /// Path of a folder, or of a file without its optional `.zst` suffix.
    pub path: &'static str,
    pub is_folder: bool,
    pub category: Category,
    /// `None` for the page itself and for the restore script.
    pub section: Option<Section>,
    pub content: ContentKind,
    /// Whether a restore reads it. Not read: copies of the rows for people, and files outside the database.
    pub is_restored: bool,
    /// A short description for people.
    pub about: &'static str,
}

/// Every file and folder except the seal (`manifest.json`, `SHA256SUMS`, `manifest.sig`), section by section.
pub const ARTIFACTS: [ArtifactKind; 22] = [
    folder(DUMP_DIR, Category::Archive, Some(Section::Database), "pg_dump's directory archive, for pg_restore")
        .holding(ContentKind::Dump),
    file(READABLE_SQL, Category::ReadableSql, Some(Section::Database), "the same as readable SQL")
        .holding(ContentKind::DumpSql)
        .beside(),
    file(INVENTORY_JSON, Category::Report, Some(Section::Database), "every object with its definition"),
    folder(GENERATED_COLUMNS_DIR, Category::Archive, Some(Section::Database), "values of stored generated columns"),
    file(USERS_SQL, Category::Users, Some(Section::Users), "users with their password hashes, and their login data")
        .holding(ContentKind::OwnSql),
    file(USERS_CSV, Category::Users, Some(Section::Users), "the same users as CSV"),
    file(USER_ROLES_SQL, Category::UserRoles, Some(Section::UserRoles), "role tables of the application")
        .holding(ContentKind::OwnSql),
    file(POLICIES_SQL, Category::Policies, Some(Section::Policies), "row level security and every policy")
        .holding(ContentKind::OwnSql),
    file(FUNCTIONS_SQL, Category::Functions, Some(Section::Functions), "functions, procedures, aggregates")
        .holding(ContentKind::OwnSql),
    file(
        MIGRATION_HISTORY_SQL,
        Category::Migrations,
        Some(Section::Migrations),
        "which migrations were applied, and when",
    )
    .holding(ContentKind::OwnSql),
    folder(MIGRATIONS_DIR, Category::Migrations, Some(Section::Migrations), "the files").beside(),
    folder(
        EDGE_FUNCTIONS_DIR,
        Category::EdgeFunctions,
        Some(Section::EdgeFunctions),
        "sources, import maps, configuration",
    )
    .beside(),
    file(
        ENCRYPTION_SQL,
        Category::Encryption,
        Some(Section::Encryption),
        "encryption functions with their triggers and views",
    )
    .holding(ContentKind::OwnSql),
    file(
        DATABASE_ROLES_SQL,
        Category::DatabaseRoles,
        Some(Section::Roles),
        "roles, memberships, settings, password verifiers",
    )
    .holding(ContentKind::OwnSql),
    file(ACCESS_GRANTS_SQL, Category::Grants, Some(Section::Roles), "privileges: every GRANT and REVOKE")
        .holding(ContentKind::OwnSql),
    file(MANAGED_OBJECTS_SQL, Category::ManagedObjects, Some(Section::Roles), "user objects in the platform's schemas")
        .holding(ContentKind::OwnSql),
    folder(
        EXTENSION_STATE_DIR,
        Category::ExtensionState,
        Some(Section::ExtensionState),
        "cron jobs, secrets, queues, publications, settings",
    )
    .holding(ContentKind::OwnSqlInside),
    folder(STORAGE_DIR, Category::Storage, Some(Section::Project), "buckets and objects").beside(),
    folder(PROJECT_DIR, Category::Project, Some(Section::Project), "configuration and names of secrets"),
    folder(DATA_RECORDS_DIR, Category::Csv, Some(Section::DataRecords), "one CSV file per table").beside(),
    file(BACKUP_MANIFEST, Category::Report, None, "this page"),
    file(RESTORE_SCRIPT, Category::Report, None, "restores into an empty database"),
];

const fn file(path: &'static str, category: Category, section: Option<Section>, about: &'static str) -> ArtifactKind {
    ArtifactKind { path, is_folder: false, category, section, content: ContentKind::Other, is_restored: true, about }
}

const fn folder(path: &'static str, category: Category, section: Option<Section>, about: &'static str) -> ArtifactKind {
    ArtifactKind { is_folder: true, ..file(path, category, section, about) }
}

impl ArtifactKind {
    const fn holding(self, content: ContentKind) -> Self {
        Self { content, ..self }
    }

    /// Not read by a restore.
    const fn beside(self) -> Self {
        Self { is_restored: false, ..self }
    }

    /// Whether `path` is this file (compressed or not) or lies inside this folder.
    pub fn has(&self, path: &str) -> bool {
        match (path.strip_prefix(self.path), self.is_folder) {
            (Some(rest), true) => rest.starts_with('/'),
            (Some(rest), false) => rest.is_empty() || rest == ".zst",
            (None, _) => false,
        }
    }

    /// The kind of a manifest path; `None` if this version does not know the path.
    pub fn of(path: &str) -> Option<&'static Self> {
        ARTIFACTS.iter().find(|kind| kind.has(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_kind_of_file_at_most() {
        for path in ["complete_database_with_data.dump/toc.dat", "complete_database_with_data.sql.zst", "storage/a/b"] {
            assert_eq!(ARTIFACTS.iter().filter(|kind| kind.has(path)).count(), 1, "{path}");
        }
        for path in ["storage", "users_complete.csv.gz", "data_records2/x.csv", "manifest.json", ""] {
            assert!(ArtifactKind::of(path).is_none(), "{path}");
        }
    }

    #[test]
    fn every_section_has_files_and_counts_of_its_own() {
        let mut seen = Vec::new();
        for section in Section::ALL {
            assert!(ARTIFACTS.iter().any(|kind| kind.section == Some(section)), "{section:?}");
            for count in section.counts() {
                assert!(!seen.contains(count), "{count:?} stands twice");
                seen.push(*count);
            }
        }
    }
}
