//! Reads the secrets of a target, decrypted where its own key opens them.
//!
//! Invariant: it only reads, in a transaction that the caller has begun. A secret that cannot be decrypted does not
//! affect the others.

use crate::model::failure::{Failure, Result};
use crate::model::secret::Secret;
use crate::pg::session::Row;
use crate::restore::sql::runner::Runner;

/// One secret of the target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub id: String,
    pub name: Option<String>,
    pub description: String,
    /// As stored in the table.
    pub ciphertext: String,
    pub nonce: Option<String>,
    /// `None`: it cannot be decrypted.
    pub value: Option<Secret>,
}

/// The role's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// It may write the table, so a secret can keep its old id.
    pub writes: bool,
    /// It may call `create_secret` and `update_secret`.
    pub calls: bool,
}

/// The vault of the target.
#[derive(Debug, Clone)]
pub enum Live {
    Absent,
    /// It exists, but this role may not read it.
    Unreadable,
    Readable(Vec<Found>, Rights),
}

const RIGHTS: &str = "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') \
        AND NOT pg_catalog.row_security_active(c.oid) \
        AND coalesce((SELECT pg_catalog.has_table_privilege(v.oid, 'SELECT') FROM pg_catalog.pg_class v \
            WHERE v.relnamespace = n.oid AND v.relname = 'decrypted_secrets'), false), \
    pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE') \
        AND pg_catalog.has_table_privilege(c.oid, 'DELETE'), \
    (SELECT coalesce(pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), false) \
        FROM pg_catalog.pg_proc p WHERE p.pronamespace = n.oid AND p.proname IN ('create_secret', 'update_secret')) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = 'vault' AND c.relname = 'secrets' AND c.relkind = 'r'";

const LIST: &str = "SELECT s.id::text, s.name, s.description, s.secret, s.nonce::text FROM vault.secrets s \
    ORDER BY s.name, s.id";

const VALUE: &str =
    "SELECT d.name, d.description, d.decrypted_secret FROM vault.decrypted_secrets d WHERE d.id::text = $1";

/// Reads the vault.
pub async fn look(runner: &Runner<'_>) -> Result<Live> {
    let rights = runner.session.rows(RIGHTS, &[]).await?;
    let Some(rights) = rights.first() else { return Ok(Live::Absent) };
    let may = |at: usize| rights.try_get::<_, bool>(at).unwrap_or(false);
    if !may(0) {
        return Ok(Live::Unreadable);
    }
    let mut found = Vec::new();
    for row in runner.session.rows(LIST, &[]).await? {
        let mut secret = Found {
            id: text(&row, 0)?.unwrap_or_default(),
            name: text(&row, 1)?,
            description: text(&row, 2)?.unwrap_or_default(),
            ciphertext: text(&row, 3)?.unwrap_or_default(),
            nonce: text(&row, 4)?,
            value: None,
        };
        secret.value = runner.attempt_all("read a secret", read(runner, &secret.id)).await?.ok().flatten().map(|r| r.2);
        found.push(secret);
    }
    Ok(Live::Readable(found, Rights { writes: may(1), calls: may(2) }))
}

/// Name, description and value of one secret, decrypted by the target. `None`: it does not exist.
pub async fn read(runner: &Runner<'_>, id: &str) -> Result<Option<(Option<String>, String, Secret)>> {
    let rows = runner.session.rows(VALUE, &[&id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Some(value) = text(row, 2)? else { return Ok(None) };
    Ok(Some((text(row, 0)?, text(row, 1)?.unwrap_or_default(), Secret::new(value))))
}

fn text(row: &Row, at: usize) -> Result<Option<String>> {
    row.try_get(at).map_err(|e| Failure::from(anyhow::Error::new(e)))
}
