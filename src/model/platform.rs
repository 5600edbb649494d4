//! What the platform itself owns in a Supabase database: its schemas, roles and triggers.
//!
//! Invariant: these are names to tell the platform's objects from a user's; nothing depends on all of them being there,
//! and a plain PostgreSQL database has none.

/// Schemas that the platform's services or extensions make and migrate.
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

/// Roles that own what the platform makes. (`postgres` is the user's.)
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

/// Event triggers that the platform makes in every project.
pub const PLATFORM_EVENT_TRIGGERS: [&str; 6] = [
    "pgrst_ddl_watch",
    "pgrst_drop_watch",
    "issue_pg_cron_access",
    "issue_pg_graphql_access",
    "issue_pg_net_access",
    "issue_graphql_placeholder",
];

/// Triggers of the platform on its own tables, over all versions that were seen.
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

/// Is `relation` (`schema.name`) a partition that realtime makes and drops by itself, day by day?
pub fn is_service_partition(schema: Option<&str>, relation: &str) -> bool {
    let day = relation.strip_prefix("realtime.messages_").unwrap_or_default();
    schema == Some("realtime") && day.starts_with(|c: char| c.is_ascii_digit())
}

pub fn is_managed_schema(name: &str) -> bool {
    MANAGED_SCHEMAS.contains(&name)
}

/// Is this a role that the platform makes in every project, and that its services log in or switch to?
pub fn is_platform_role(name: &str) -> bool {
    const OTHERS: [&str; 5] = ["anon", "authenticated", "service_role", "authenticator", "supabase_read_only_user"];
    OTHERS.contains(&name) || is_platform_owner(name)
}

pub fn is_platform_owner(name: &str) -> bool {
    PLATFORM_OWNERS.contains(&name)
}
