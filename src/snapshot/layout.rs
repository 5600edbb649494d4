//! Paths in a snapshot that contain a table's name, and the names in the root folder.
//!
//! Invariant: names are a contract with the users' own documents; they never change except with the format version.
//! `model::artifact` lists what each file of a snapshot is; `doc/format.md` describes both.

pub use crate::model::artifact::{
    ACCESS_GRANTS_SQL, BACKUP_MANIFEST, CRON_JOBS_SQL, DATA_RECORDS_DIR, DATABASE_ROLES_SQL, DATABASE_SETTINGS_SQL,
    DUMP_DIR, EDGE_FUNCTIONS_DIR, ENCRYPTION_SQL, EVENT_TRIGGERS_JSON, EVENT_TRIGGERS_SQL, EXTENSION_STATE_DIR,
    EXTENSIONS_JSON, EXTENSIONS_SQL, FOREIGN_KEYS_SQL, FUNCTIONS_SQL, GENERATED_COLUMNS_DIR, INVENTORY_JSON,
    MANAGED_OBJECTS_SQL, MANIFEST_JSON, MANIFEST_SIG, MEMBER_ROUTINES_SQL, MEMBER_TABLES_DIR, MEMBER_TABLES_JSON,
    MIGRATION_HISTORY_SQL, MIGRATIONS_DIR, POLICIES_SQL, PROJECT_DIR, PUBLICATIONS_SQL, QUEUES_SQL, READABLE_SQL,
    RESTORE_SCRIPT, SHA256SUMS, STORAGE_DIR, UNDUMPED_SQL, USER_ROLES_SQL, USERS_CSV, USERS_SQL, VAULT_SECRETS_JSON,
    VAULT_SECRETS_SEALED,
};
use crate::model::name::QualifiedName;

/// Suffix of the folder while it is being written.
pub const PARTIAL_SUFFIX: &str = ".partial";

/// Files and folders alongside the snapshots, in the root folder.
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

/// `generated_columns/<schema>.<table>.copy.gz`, or `.copy.zst`, depending on the codec.
pub fn generated_columns_path(table: &QualifiedName, ending: &str) -> String {
    format!("{GENERATED_COLUMNS_DIR}/{}.copy.{ending}", table.file_stem())
}

/// `extension_state/member_tables/<schema>.<table>.copy`
pub fn member_table_path(table: &QualifiedName) -> String {
    format!("{MEMBER_TABLES_DIR}/{}.copy", table.file_stem())
}
