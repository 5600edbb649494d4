//! What a whole-database dump must carry, counted in the catalogs by pg_dump's own selection rules.
//!
//! Invariant: a count is of entries in the archive's table of contents under pg_dump's word for them. Kinds that the
//! catalogs cannot predict are left out and named in [`NOT_COMPARED`], never guessed.

use std::collections::BTreeMap;

use super::{NO_JIT, get};
use crate::model::failure::Result;
use crate::model::object_kind::ObjectKind;
use crate::pg::session::Session;

pub use super::coverage_compare::{NOT_COMPARED, SPLIT_OFF, coverage, disagreements};

/// Entries of each kind that pg_dump must write for what this session sees. `client_major` is pg_dump's;
/// `data_left_out` are the tables, materialized views and sequences whose data is excluded on purpose.
pub async fn counts(session: &Session, client_major: u32, data_left_out: &[u32]) -> Result<BTreeMap<ObjectKind, u64>> {
    session.execute(NO_JIT).await?;
    let sql = super::versioned::for_version(include_str!("../sql/coverage_counts.sql"), session.version_num);
    let client_major = client_major.cast_signed();
    let rows = session.rows(&sql, &[&data_left_out, &client_major]).await?;
    rows.iter().map(|row| Ok((ObjectKind::of(get(row, 0)?), get::<i64>(row, 1)?.unsigned_abs()))).collect()
}
