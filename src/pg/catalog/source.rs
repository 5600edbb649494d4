//! Facts about the source: server, database, role and the role's rights.
//!
//! Invariant: the host name never gets into the facts, only its hash. If the role may not read a fact, the fact is
//! absent; that is no error.

use sha2::{Digest, Sha256};

use super::{get, query};
use crate::model::abilities::SourceAbilities;
use crate::model::connection::{ConnSpec, Host};
use crate::model::failure::Result;
use crate::model::hex::hex;
use crate::model::manifest::SourceFacts;
use crate::pg::session::Session;

/// The facts for the manifest, and the role's abilities. `host_sha256` comes from [`host_sha256`].
pub async fn source(session: &Session, host_sha256: String) -> Result<(SourceFacts, SourceAbilities)> {
    let rows = query(session, include_str!("../sql/source.sql")).await?;
    let Some(row) = rows.first() else {
        return Err(anyhow::anyhow!("the server's catalogs do not show the current database and role").into());
    };
    let control: bool = get(row, 16)?;
    let system_identifier = if control {
        let sql = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()";
        Some(get(&session.one(sql, &[]).await?, 0)?)
    } else {
        None
    };
    let (database, user): (String, String) = (get(row, 0)?, get(row, 1)?);
    let abilities = SourceAbilities {
        version_num: session.version_num,
        database: database.clone(),
        user: user.clone(),
        is_superuser: get(row, 8)?,
        bypasses_rls: get(row, 9)?,
        reads_role_passwords: get(row, 10)?,
        is_supabase: get(row, 15)?,
        is_standby: get(row, 6)?,
        max_locks_per_transaction: u32::try_from(get::<i64>(row, 11)?).unwrap_or(u32::MAX),
        lock_slots: get::<i64>(row, 12)?.unsigned_abs(),
        extensions: get::<Option<_>>(row, 13)?.unwrap_or_default(),
        schemas: get::<Option<_>>(row, 14)?.unwrap_or_default(),
    };
    let facts = SourceFacts {
        host_sha256,
        database,
        user,
        system_identifier,
        database_oid: get(row, 2)?,
        server_version_num: session.version_num,
        server_version: get(row, 3)?,
        encoding: get(row, 4)?,
        locale: get(row, 5)?,
        is_supabase: abilities.is_supabase,
        is_standby: abilities.is_standby,
        database_bytes: get::<i64>(row, 7)?.unsigned_abs(),
    };
    Ok((facts, abilities))
}

/// A hash of the server's host and port: enough to distinguish two sources.
pub fn host_sha256(spec: &ConnSpec) -> String {
    let mut hash = Sha256::new();
    for (host, port) in &spec.hosts {
        match host {
            Host::Tcp(name) => hash.update(name.to_ascii_lowercase().as_bytes()),
            Host::Unix(folder) => hash.update(folder.as_os_str().as_encoded_bytes()),
        }
        hash.update(format!("\0{port}\0"));
    }
    hex(&hash.finalize())
}
