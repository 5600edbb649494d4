//! Names of the platform's own objects in a Supabase database: schemas, roles and triggers.
//!
//! Invariant: the names distinguish the platform's objects from the user's. No code relies on all of them existing, and
//! a plain PostgreSQL database has none.

/// Schemas that the platform's services or extensions create and migrate.
pub const MANAGED_SCHEMAS: [&str; 24] = [
    "auth",
    "storage",
    "realtime",
    "_realtime",
    "_analytics",
    "_supavisor",
    "extensions",
    "graphql",
    "graphql_public",
    "net",
    "cron",
    "vault",
    "pgsodium",
    "pgsodium_masks",
    "pgmq",
    "pgbouncer",
    "supabase_functions",
    "supabase_migrations",
    "pgtle",
    "dbdev",
    "etl",
    "repack",
    "topology",
    "tiger",
];

/// Owners of the platform's objects. (`postgres` belongs to the user.)
pub const PLATFORM_OWNERS: [&str; 8] = [
    "supabase_admin",
    "supabase_auth_admin",
    "supabase_storage_admin",
    "supabase_realtime_admin",
    "supabase_functions_admin",
    "supabase_replication_admin",
    "dashboard_user",
    "pgbouncer",
];

/// Event triggers that the platform creates in every project.
pub const PLATFORM_EVENT_TRIGGERS: [&str; 6] = [
    "pgrst_ddl_watch",
    "pgrst_drop_watch",
    "issue_pg_cron_access",
    "issue_pg_graphql_access",
    "issue_pg_net_access",
    "issue_graphql_placeholder",
];

/// Triggers of the platform on its own tables, in all versions seen so far.
pub const PLATFORM_TRIGGERS: [(&str, &str); 14] = [
    ("storage.objects", "update_objects_updated_at"),
    ("storage.objects", "protect_objects_delete"),
    ("storage.objects", "objects_insert_create_prefix"),
    ("storage.objects", "objects_update_create_prefix"),
    ("storage.objects", "objects_delete_delete_prefix"),
    ("storage.objects", "objects_update_level_trigger"),
    ("storage.objects", "objects_insert_prefix_trigger"),
    ("storage.buckets", "enforce_bucket_name_length_trigger"),
    ("storage.buckets", "protect_buckets_delete"),
    ("storage.prefixes", "prefixes_create_hierarchy"),
    ("storage.prefixes", "prefixes_delete_hierarchy"),
    ("realtime.subscription", "tr_check_filters"),
    ("cron.job", "cron_job_cache_invalidate"),
    ("vault.secrets", "secrets_encrypt_secret_trigger_secret"),
];

/// Whether `relation` (`schema.name`) is one of the daily partitions that realtime creates and drops itself.
pub fn is_service_partition(schema: Option<&str>, relation: &str) -> bool {
    let day = relation.strip_prefix("realtime.messages_").unwrap_or_default();
    schema == Some("realtime") && day.starts_with(|c: char| c.is_ascii_digit())
}

pub fn is_managed_schema(name: &str) -> bool {
    MANAGED_SCHEMAS.contains(&name)
}

/// Whether the platform creates this role in every project and its services log in as it or switch to it.
pub fn is_platform_role(name: &str) -> bool {
    const OTHERS: [&str; 5] = ["anon", "authenticated", "service_role", "authenticator", "supabase_read_only_user"];
    OTHERS.contains(&name) || is_platform_owner(name)
}

pub fn is_platform_owner(name: &str) -> bool {
    PLATFORM_OWNERS.contains(&name)
}
