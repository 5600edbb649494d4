//! Every file name of the snapshot folder, once. `doc/format.md` describes them; a test holds the two together.
//!
//! Invariant: names are a contract with the documents that users have; they change with the format's version only.

use crate::model::name::QualifiedName;

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

/// While it is being written the folder has this ending.
pub const PARTIAL_SUFFIX: &str = ".partial";

/// Beside the snapshots, in the root folder.
pub const ROOT_LOCK: &str = ".stacksnap.lock";
pub const ROOT_KEY: &str = ".stacksnap.key";
pub const ROOT_STATUS: &str = "status.json";
pub const ROOT_LOGS_DIR: &str = "logs";
pub const ROOT_RESTORES_DIR: &str = "restores";
pub const ROOT_DRILLS_DIR: &str = "drills";

/// `complete_database_with_data.sql`, or `.sql.zst`.
pub fn readable_sql(compressed: bool) -> String {
    format!("{READABLE_SQL}{}", if compressed { ".zst" } else { "" })
}

/// `data_records/<schema>.<table>.csv`, or `.csv.zst`.
pub fn csv_path(table: &QualifiedName, compressed: bool) -> String {
    let ending = if compressed { "csv.zst" } else { "csv" };
    format!("{DATA_RECORDS_DIR}/{}.{ending}", table.file_stem())
}

/// `generated_columns/<schema>.<table>.copy.gz`, or `.copy.zst`: the ending is the codec's.
pub fn generated_columns_path(table: &QualifiedName, ending: &str) -> String {
    format!("{GENERATED_COLUMNS_DIR}/{}.copy.{ending}", table.file_stem())
}

/// Below `extension_state/`.
pub const EXTENSIONS_SQL: &str = "extension_state/extensions.sql";
pub const EXTENSIONS_JSON: &str = "extension_state/extensions.json";
pub const PUBLICATIONS_SQL: &str = "extension_state/publications.sql";
pub const EVENT_TRIGGERS_SQL: &str = "extension_state/event_triggers.sql";
pub const EVENT_TRIGGERS_JSON: &str = "extension_state/event_triggers.json";
pub const MEMBER_ROUTINES_SQL: &str = "extension_state/member_routines.sql";
pub const FOREIGN_KEYS_SQL: &str = "extension_state/foreign_keys.sql";
pub const DATABASE_SETTINGS_SQL: &str = "extension_state/database_settings.sql";
pub const CRON_JOBS_SQL: &str = "extension_state/cron_jobs.sql";
pub const VAULT_SECRETS_JSON: &str = "extension_state/vault_secrets.json";
pub const VAULT_SECRETS_SEALED: &str = "extension_state/vault_secrets.json.age";
pub const MEMBER_TABLES_JSON: &str = "extension_state/member_tables.json";
pub const MEMBER_TABLES_DIR: &str = "extension_state/member_tables";
pub const QUEUES_SQL: &str = "extension_state/queues.sql";

/// `extension_state/member_tables/<schema>.<table>.copy`
pub fn member_table_path(table: &QualifiedName) -> String {
    format!("{MEMBER_TABLES_DIR}/{}.copy", table.file_stem())
}
