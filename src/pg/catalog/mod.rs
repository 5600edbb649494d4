//! Catalog queries: the source, its tables, every object, the expected contents of a dump, and concurrent changes.
//!
//! Invariant: all queries are set-based (no round trip per object) and READ ONLY; they are in `pg/sql`, one per file.
//! No secret leaves the server in a definition: its sha256 replaces it. It never judges the results: callers do.

pub mod computed;
pub mod coverage;
pub mod coverage_compare;
pub mod dependents;
pub mod deviating;
pub mod drift;
pub mod fence;
pub mod inventory;
pub mod lock_room;
pub mod marker;
pub mod marks;
pub mod not_utf8;
pub mod own_rows;
pub mod privileges;
pub mod relations;
pub mod role_uses;
pub mod row_ages;
pub mod source;
pub mod supports;
pub mod surroundings;
pub mod tables;
pub mod target;
mod versioned;
pub mod written_acls;

use super::session::Session;
use crate::model::failure::Result;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// JIT-compiling the larger catalog queries takes longer than running them.
pub(crate) const NO_JIT: &str = "SET jit = off";

/// All rows of one query file, adapted to the server's version.
async fn query(session: &Session, sql: &str) -> Result<Vec<Row>> {
    session.rows(&versioned::for_version(sql, session.version_num), &[]).await
}

/// A column of a row; an unexpected type is an error, never a panic.
fn get<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T> {
    row.try_get(index).map_err(|error| anyhow::Error::new(error).into())
}
