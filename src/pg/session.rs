//! One connection with pinned settings, so that the server's output does not depend on the database or role.
//!
//! Invariant (trap 20): every setting of `model::pins` is set before the first query, whatever the database or role
//! sets. A session on a source is READ ONLY; it never writes there.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_postgres::Client;
/// One row of a result, re-exported so that other modules need not name the protocol crate.
pub use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connect::{Connected, connect};
use super::exported::ExportedSnapshot;
use super::pulse::Pulse;
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::literal;
use crate::model::pins::pin_statements;
use crate::model::sqlstate::{self, SqlState};

/// A pinned connection.
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
    pulse: Arc<Pulse>,
    pub version_num: u32,
    pub backend_pid: i32,
    /// The database is SQL_ASCII: text may have any encoding, and COPY passes its bytes through unchanged.
    pub copies_raw: bool,
}

impl Session {
    /// Connects and pins the settings. Reads and writes nothing else.
    pub async fn open(spec: &ConnSpec, application_name: &str) -> Result<Self> {
        let Connected { client, driver, pulse } = connect(spec, application_name).await?;
        let mut session = Self { client, driver, pulse, version_num: 0, backend_pid: 0, copies_raw: false };
        session.execute(&pin_statements()).await?;
        let sql = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, \
                   pg_catalog.pg_backend_pid(), pg_catalog.current_setting('server_encoding')";
        let row = session.one(sql, &[]).await?;
        session.version_num = row.get::<_, i32>(0).unsigned_abs();
        session.backend_pid = row.get(1);
        session.copies_raw = row.get::<_, &str>(2) == "SQL_ASCII";
        session.pulse.set_backend(session.backend_pid);
        if session.version_num < 120_000 {
            // Before 12 the pinned value 1 rounds.
            session.execute("SET extra_float_digits = 3").await?;
        }
        Ok(session)
    }

    /// Opens a session and starts a transaction on the exported snapshot.
    pub async fn join(spec: &ConnSpec, application_name: &str, exported: &ExportedSnapshot) -> Result<Self> {
        let session = Self::open(spec, application_name).await?;
        session.enter(exported).await?;
        Ok(session)
    }

    /// Starts a transaction on the exported snapshot.
    pub async fn enter(&self, exported: &ExportedSnapshot) -> Result<()> {
        let id = literal(&exported.id);
        self.execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT {id}")).await
    }

    /// Runs statements without parameters or results.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.map_err(|e| self.failure(e, sql))
    }

    /// All rows of one query.
    pub async fn rows(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.client.query(sql, params).await.map_err(|e| self.failure(e, sql))
    }

    /// Exactly one row.
    pub async fn one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.client.query_one(sql, params).await.map_err(|e| self.failure(e, sql))
    }

    /// A client error as a failure; if the connection was given up, the reason for that.
    pub fn failure(&self, error: tokio_postgres::Error, sql: &str) -> Failure {
        lost(&self.pulse).unwrap_or_else(|| failure(error, sql))
    }

    /// The activity record, which knows whether the connection was given up.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// The protocol client, for COPY.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The failure of a connection that was given up; `None` if it was not.
pub fn lost(pulse: &Pulse) -> Option<Failure> {
    let why = pulse.lost()?;
    Some(
        Failure::msg(FailureKind::Unreachable, format!("the connection was lost: {why}"))
            .hint("check the network and the server, then run the same command again"),
    )
}

/// A database error as a failure: the server's message, a kind by SQLSTATE, and the first words of the statement.
pub fn failure(error: tokio_postgres::Error, sql: &str) -> Failure {
    let start: String = sql.split_whitespace().take(6).collect::<Vec<_>>().join(" ");
    let Some(db) = error.as_db_error() else {
        let kind = if error.is_closed() { FailureKind::Unreachable } else { FailureKind::Failed };
        return Failure::new(kind, error).context(format!("the connection failed during: {start} …"));
    };
    let kind = match db.code().code() {
        sqlstate::INSUFFICIENT_PRIVILEGE => FailureKind::Denied,
        sqlstate::LOCK_NOT_AVAILABLE => FailureKind::Locked,
        sqlstate::ADMIN_SHUTDOWN | sqlstate::CANNOT_CONNECT_NOW => FailureKind::Unreachable,
        _ => FailureKind::Failed,
    };
    let place = db.where_().and_then(copy_place).map(|place| format!(", at {place}")).unwrap_or_default();
    let text = format!("the server refused: {} (SQLSTATE {}) in: {start} …{place}", db.message(), db.code().code());
    let mut failure = Failure { sqlstate: SqlState::parse(db.code().code()), ..Failure::msg(kind, text) };
    if went_away(db.code().code(), db.message()) {
        failure = failure.hint("an object was dropped while it was being read: run the same command again");
    }
    match db.hint() {
        Some(hint) => failure.hint(hint.to_string()),
        None => failure,
    }
}

/// Matches the server's internal errors for an object that a function looks up after it was dropped. The messages are
/// localized: on a server that is not English there is no hint.
fn went_away(code: &str, message: &str) -> bool {
    code == sqlstate::INTERNAL_ERROR
        && (message.starts_with("could not open relation with OID") || message.starts_with("cache lookup failed for"))
}

/// The line of an error's CONTEXT with the position of a COPY: `COPY t, line 3, column x`. The row or value after it is
/// cut off, because it may be a secret.
fn copy_place(context: &str) -> Option<&str> {
    let line = context.lines().find(|line| line.starts_with("COPY "))?;
    Some(line.split(": ").next().unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::{copy_place, went_away};

    #[test]
    fn an_object_that_went_away() {
        assert!(went_away("XX000", "could not open relation with OID 64773"));
        assert!(went_away("XX000", "cache lookup failed for function 12"));
        assert!(!went_away("XX000", "invalid memory alloc request size 1"));
        assert!(!went_away("42601", "cache lookup failed for function 12"));
    }

    #[test]
    fn the_place_in_a_copy_without_the_row() {
        let context = "SQL function \"f\"\nCOPY users, line 3, column age: \"secret: 7\"\nmore";
        assert_eq!(copy_place(context), Some("COPY users, line 3, column age"));
        assert_eq!(copy_place("COPY users, line 3: \"1\thash\""), Some("COPY users, line 3"));
        assert_eq!(copy_place("PL/pgSQL function f() line 3"), None);
    }
}
