//! Facts about the source and about what the connecting role may do there. Collectors decide by them.
//!
//! Invariant: read once at the start, under the exported snapshot. A plain value: it never runs a query.

/// Facts about the source that decide what a collector can capture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceAbilities {
    pub version_num: u32,
    pub database: String,
    pub user: String,
    pub is_superuser: bool,
    /// May read every row regardless of policies (`rolsuper OR rolbypassrls`).
    pub bypasses_rls: bool,
    /// May read `pg_authid.rolpassword`.
    pub reads_role_passwords: bool,
    pub is_supabase: bool,
    pub is_standby: bool,
    /// `max_locks_per_transaction`: a dump holds one lock per table.
    pub max_locks_per_transaction: u32,
    /// Capacity of the server's shared lock table.
    pub lock_slots: u64,
    /// Names of installed extensions.
    pub extensions: Vec<String>,
    /// Names of existing schemas.
    pub schemas: Vec<String>,
}
