//! The counts of a snapshot, by the word that the manifest and the pages use.
//!
//! Invariant: a word is a contract of the format. The writer and the reader of a count name the same value of
//! [`Count`]; a test looks for the writer of each. Never lists the tables of the `auth` schema: they are counted under
//! their own names ([`crate::model::outcome::Outcome::Collected`] is keyed by words), so a service's new table needs no
//! value here.

/// One count in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// Tables in the user's schemas; on a plain server all tables.
    Tables,
    /// Including those of the platform and of extensions.
    TablesAll,
    /// Rows of every table.
    Rows,
    CsvFiles,
    Views,
    MaterializedViews,
    Indexes,
    Triggers,
    Sequences,
    Users,
    Identities,
    Sessions,
    MfaFactors,
    /// Rows of sessions and tokens, excluded unless the user asks for them.
    SessionRowsLeftOut,
    HashesEmpty,
    HashesBcrypt,
    HashesArgon2,
    HashesFbscrypt,
    HashesEncryptedJson,
    HashesOther,
    /// Rows that assign roles to users.
    UserRoles,
    RoleTables,
    /// Policies in the user's schemas.
    Policies,
    PoliciesAll,
    TablesWithRls,
    Functions,
    /// Functions outside the platform's schemas. On a platform it becomes `functions`.
    FunctionsOwn,
    FunctionsAll,
    Migrations,
    MigrationsApplied,
    EdgeFunctions,
    EdgeFunctionFiles,
    EncryptionFunctions,
    EncryptionTriggers,
    EncryptionViews,
    DatabaseRoles,
    Grants,
    ManagedFunctions,
    ManagedPolicies,
    ManagedTriggers,
    ManagedViews,
    Extensions,
    CronJobs,
    VaultSecrets,
    Queues,
    Publications,
    EventTriggers,
    DatabaseSettings,
    ReplicationSlots,
    ForeignKeysSwitchedOff,
    /// Tables of extensions whose rows no dump contains.
    MemberTables,
    MemberRows,
    StorageBuckets,
    StorageObjects,
    StorageBytes,
    StorageFiles,
    /// Files without a row in `storage.objects`.
    StorageOrphans,
    ProjectFiles,
    ConfigValuesMasked,
    SecretNames,
    /// Parts of the stack outside its database and project folder.
    NotInSnapshot,
}

impl Count {
    /// Every count, grouped by part of the snapshot.
    pub const ALL: [Self; 61] = [
        Self::Tables,
        Self::TablesAll,
        Self::Rows,
        Self::CsvFiles,
        Self::Views,
        Self::MaterializedViews,
        Self::Indexes,
        Self::Triggers,
        Self::Sequences,
        Self::Users,
        Self::Identities,
        Self::Sessions,
        Self::MfaFactors,
        Self::SessionRowsLeftOut,
        Self::HashesEmpty,
        Self::HashesBcrypt,
        Self::HashesArgon2,
        Self::HashesFbscrypt,
        Self::HashesEncryptedJson,
        Self::HashesOther,
        Self::UserRoles,
        Self::RoleTables,
        Self::Policies,
        Self::PoliciesAll,
        Self::TablesWithRls,
        Self::Functions,
        Self::FunctionsOwn,
        Self::FunctionsAll,
        Self::Migrations,
        Self::MigrationsApplied,
        Self::EdgeFunctions,
        Self::EdgeFunctionFiles,
        Self::EncryptionFunctions,
        Self::EncryptionTriggers,
        Self::EncryptionViews,
        Self::DatabaseRoles,
        Self::Grants,
        Self::ManagedFunctions,
        Self::ManagedPolicies,
        Self::ManagedTriggers,
        Self::ManagedViews,
        Self::Extensions,
        Self::CronJobs,
        Self::VaultSecrets,
        Self::Queues,
        Self::Publications,
        Self::EventTriggers,
        Self::DatabaseSettings,
        Self::ReplicationSlots,
        Self::ForeignKeysSwitchedOff,
        Self::MemberTables,
        Self::MemberRows,
        Self::StorageBuckets,
        Self::StorageObjects,
        Self::StorageBytes,
        Self::StorageFiles,
        Self::StorageOrphans,
        Self::ProjectFiles,
        Self::ConfigValuesMasked,
        Self::SecretNames,
        Self::NotInSnapshot,
    ];

    /// The word used in the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::TablesAll => "tables_all",
            Self::Rows => "rows",
            Self::CsvFiles => "csv_files",
            Self::Views => "views",
            Self::MaterializedViews => "materialized_views",
            Self::Indexes => "indexes",
            Self::Triggers => "triggers",
            Self::Sequences => "sequences",
            Self::Users => "users",
            Self::Identities => "identities",
            Self::Sessions => "sessions",
            Self::MfaFactors => "mfa_factors",
            Self::SessionRowsLeftOut => "session_rows_left_out",
            Self::HashesEmpty => "hashes_empty",
            Self::HashesBcrypt => "hashes_bcrypt",
            Self::HashesArgon2 => "hashes_argon2",
            Self::HashesFbscrypt => "hashes_fbscrypt",
            Self::HashesEncryptedJson => "hashes_encrypted_json",
            Self::HashesOther => "hashes_other",
            Self::UserRoles => "user_roles",
            Self::RoleTables => "role_tables",
            Self::Policies => "policies",
            Self::PoliciesAll => "policies_all",
            Self::TablesWithRls => "tables_with_rls",
            Self::Functions => "functions",
            Self::FunctionsOwn => "functions_own",
            Self::FunctionsAll => "functions_all",
            Self::Migrations => "migrations",
            Self::MigrationsApplied => "migrations_applied",
            Self::EdgeFunctions => "edge_functions",
            Self::EdgeFunctionFiles => "edge_function_files",
            Self::EncryptionFunctions => "encryption_functions",
            Self::EncryptionTriggers => "encryption_triggers",
            Self::EncryptionViews => "encryption_views",
            Self::DatabaseRoles => "database_roles",
            Self::Grants => "grants",
            Self::ManagedFunctions => "managed_functions",
            Self::ManagedPolicies => "managed_policies",
            Self::ManagedTriggers => "managed_triggers",
            Self::ManagedViews => "managed_views",
            Self::Extensions => "extensions",
            Self::CronJobs => "cron_jobs",
            Self::VaultSecrets => "vault_secrets",
            Self::Queues => "queues",
            Self::Publications => "publications",
            Self::EventTriggers => "event_triggers",
            Self::DatabaseSettings => "database_settings",
            Self::ReplicationSlots => "replication_slots",
            Self::ForeignKeysSwitchedOff => "foreign_keys_switched_off",
            Self::MemberTables => "member_tables",
            Self::MemberRows => "member_rows",
            Self::StorageBuckets => "storage_buckets",
            Self::StorageObjects => "storage_objects",
            Self::StorageBytes => "storage_bytes",
            Self::StorageFiles => "storage_files",
            Self::StorageOrphans => "storage_orphans",
            Self::ProjectFiles => "project_files",
            Self::ConfigValuesMasked => "config_values_masked",
            Self::SecretNames => "secret_names",
            Self::NotInSnapshot => "not_in_snapshot",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_count_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Count::ALL.into_iter().map(Count::word).collect();
        assert_eq!(words.len(), Count::ALL.len());
    }
}
