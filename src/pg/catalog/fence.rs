//! A role's rights beyond its own objects, and the extensions that any role with CREATE may install.
//!
//! Invariant: it never writes. Roles that the session could switch to count as its own.

use crate::model::failure::Result;
use crate::pg::session::Session;

const RIGHTS: &str = "SELECT pg_catalog.quote_ident(r.rolname) || CASE WHEN r.rolsuper THEN ' (superuser)' \
    WHEN r.rolcreaterole THEN ' (CREATEROLE)' WHEN r.rolreplication THEN ' (replication)' ELSE '' END \
    FROM pg_catalog.pg_roles r WHERE (r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolname IN \
    ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', \
    'pg_signal_backend', 'pg_create_subscription')) \
    AND (pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER') OR pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')) \
    ORDER BY r.rolname = session_user DESC, r.rolsuper DESC, r.rolname";

const TRUSTED: &str =
    "SELECT DISTINCT e.name::text FROM pg_catalog.pg_available_extension_versions e WHERE e.trusted ORDER BY 1";

/// Roles with server-wide rights that this session is, or is a member of. Empty: it can only reach its own objects.
pub async fn far_reaching(session: &Session) -> Result<Vec<String>> {
    texts(session, RIGHTS).await
}

/// Trusted extensions: any role with CREATE on a database may install them there.
pub async fn trusted_extensions(session: &Session) -> Result<Vec<String>> {
    texts(session, TRUSTED).await
}

async fn texts(session: &Session, sql: &str) -> Result<Vec<String>> {
    session.rows(sql, &[]).await?.iter().map(|row| super::get(row, 0)).collect()
}
