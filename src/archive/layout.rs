//! Every file name of the snapshot folder, once. `doc/format.md` describes them; a test holds the two together.
//!
//! Invariant: names are a contract with the documents that users have; they change with the format's version only.

use crate::model::name::QualifiedName;

pub const MANIFEST_JSON: &str = "manifest.json";
pub const SHA256SUMS: &str = "SHA256SUMS";
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
pub const INVENTORY_JSON: &str = "inventory.json";

/// While it is being written the folder has this ending.
pub const PARTIAL_SUFFIX: &str = ".partial";

/// Beside the snapshots, in the root folder.
pub const ROOT_LOCK: &str = ".stacksnap.lock";
pub const ROOT_STATUS: &str = "status.json";
pub const ROOT_LOGS_DIR: &str = "logs";

/// `data_records/<schema>.<table>.csv`, or `.csv.zst`.
pub fn csv_path(table: &QualifiedName, compressed: bool) -> String {
    let ending = if compressed { "csv.zst" } else { "csv" };
    format!("{DATA_RECORDS_DIR}/{}.{ending}", table.file_stem())
}
