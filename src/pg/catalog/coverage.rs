//! Counts what a whole-database dump must contain, from the catalogs by pg_dump's own selection rules.
//!
//! Invariant: each count is the expected number of TOC entries under pg_dump's word for the kind. It never guesses:
//! kinds that the catalogs cannot predict are excluded and listed in [`NOT_COMPARED`].

use std::collections::BTreeMap;

use super::{NO_JIT, get};
use crate::model::failure::Result;
use crate::model::object_kind::ObjectKind;
use crate::pg::session::Session;

pub use super::coverage_compare::{NOT_COMPARED, SPLIT_OFF, coverage, disagreements};

/// Number of TOC entries per kind that pg_dump must write for the objects this session sees. `client_major` is
/// pg_dump's major version; `data_left_out` are the OIDs of tables, materialized views and sequences whose data is
/// excluded on purpose.
pub async fn counts(session: &Session, client_major: u32, data_left_out: &[u32]) -> Result<BTreeMap<ObjectKind, u64>> {
    session.execute(NO_JIT).await?;
    let sql = super::versioned::for_version(include_str!("../sql/coverage_counts.sql"), session.version_num);
    let client_major = client_major.cast_signed();
    let rows = session.rows(&sql, &[&data_left_out, &client_major]).await?;
    rows.iter().map(|row| Ok((ObjectKind::of(get(row, 0)?), get::<i64>(row, 1)?.unsigned_abs()))).collect()
}
