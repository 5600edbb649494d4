//! Detects from transaction IDs whether rows of a table were written since a snapshot.
//!
//! Invariant: it looks at the rows, not at counters, so a session with `track_counts` off cannot hide writes. An
//! inserted or updated row carries the ID of its writer; a deleted row is missing from the count. In doubt, rows count
//! as written. It visits every row but never reads values.

use super::get;
use super::marker::bounds;
use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::pg::session::Session;

/// Transaction IDs are compared modulo 2^32, so an age is only valid below 2^31.
const HALF_CIRCLE: u64 = 1 << 31;

/// The row count of a table, and whether any row was written by a transaction that the snapshot may not have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    pub rows: u64,
    pub any_newer: bool,
}

/// The oldest transaction that a snapshot with horizon `then` may not have seen. `None` if too many IDs were used
/// since.
pub fn oldest_unseen(then: &str, now: &str) -> Option<u64> {
    let ((oldest, _), (_, next)) = (bounds(then)?, bounds(now)?);
    (next >= oldest && next - oldest < HALF_CIRCLE).then_some(oldest)
}

/// Checks every row of one table. The table must use the heap access method.
pub async fn ages(session: &Session, table: &QualifiedName, oldest_unseen: u64) -> Result<Ages> {
    let id = oldest_unseen % (1 << 32);
    let sql = format!(
        "SELECT count(*), coalesce(bool_or(NOT age(t.xmin) > age('{id}'::xid)), false) FROM ONLY {} t",
        table.sql()
    );
    let row = session.one(&sql, &[]).await?;
    Ok(Ages { rows: get::<i64>(&row, 0)?.unsigned_abs(), any_newer: get(&row, 1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_went_too_far_tell_nothing() {
        assert_eq!(oldest_unseen("100:105:100,103", "200:200:"), Some(100));
        assert_eq!(oldest_unseen("100:100:", "2147483747:2147483747:"), Some(100));
        assert_eq!(oldest_unseen("100:100:", "2147483748:2147483748:"), None);
        assert_eq!(oldest_unseen("100:100:", "99:99:"), None, "another server");
        assert_eq!(oldest_unseen("", "99:99:"), None);
    }
}
