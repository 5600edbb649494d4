//! What the source is and what this role may do there: facts that decide what a collector can capture.
//!
//! Invariant: read once at the start, under the exported snapshot; a value only, it asks nobody.

/// Facts about the source that decide what a collector can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceAbilities {
    pub version_num: u32,
    pub database: String,
    pub user: String,
    pub is_superuser: bool,
    /// May read every row whatever the policies say (`rolsuper OR rolbypassrls`).
    pub bypasses_rls: bool,
    /// May read `pg_authid.rolpassword`.
    pub reads_role_passwords: bool,
    pub is_supabase: bool,
    pub is_standby: bool,
    /// `max_locks_per_transaction`: a dump holds one lock a table.
    pub max_locks_per_transaction: u32,
    /// Locks that the whole server has room for.
    pub lock_slots: u64,
    /// Names of installed extensions.
    pub extensions: Vec<String>,
    /// Names of schemas that exist.
    pub schemas: Vec<String>,
}
