//! What a snapshot counts, by the word that its manifest and its pages use.
//!
//! Invariant: a word is a contract of the format. Whoever writes a count and whoever shows it name the same value of
//! [`Count`]; a test looks for the writer of each. Tables of the `auth` schema are counted under their own names too
//! ([`crate::model::outcome::Outcome::Collected`] keeps words), so a service's new table needs no value here.

/// One number of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// Tables of the user's schemas; on a plain server all of them.
    Tables,
    /// With those of the platform and of extensions.
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
    /// Rows of sessions and tokens that were not asked for.
    SessionRowsLeftOut,
    HashesEmpty,
    HashesBcrypt,
    HashesArgon2,
    HashesFbscrypt,
    HashesEncryptedJson,
    HashesOther,
    /// Rows that say who has which role.
    UserRoles,
    RoleTables,
    /// Policies of the user's schemas.
    Policies,
    PoliciesAll,
    TablesWithRls,
    Functions,
    /// Functions outside of the platform's schemas. Becomes `functions` on a platform.
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
    ForeignKeysSwitchedOff,
    /// Tables of extensions whose rows are in no dump.
    MemberTables,
    MemberRows,
    StorageBuckets,
    StorageObjects,
    StorageBytes,
    StorageFiles,
    /// Files without an object in the database.
    StorageOrphans,
    ProjectFiles,
    ConfigValuesMasked,
    SecretNames,
    /// Parts of the stack outside of its database and project folder.
    NotInSnapshot,
}

impl Count {
    /// Every count, in the order of the parts of a snapshot.
    pub const ALL: [Self; 60] = [
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

    /// The word of the manifest.
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
