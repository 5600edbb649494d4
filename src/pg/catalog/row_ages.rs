//! Were rows of a table written since a snapshot, as their own transaction ids tell?
//!
//! Invariant: it asks the rows and no counter, so a session that switched `track_counts` off hides nothing. A row that was
//! inserted or updated carries the id of who did it; one that was deleted is missing in the count. Whatever the ids
//! cannot tell counts as written. It reads rows, but none of their values.

use super::get;
use super::marker::bounds;
use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::pg::session::Session;

/// Ids are compared within half of their circle.
const HALF_CIRCLE: u64 = 1 << 31;

/// How many rows a table has, and whether any of them is of a transaction that the snapshot may not have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    pub rows: u64,
    pub any_newer: bool,
}

/// The oldest transaction that a snapshot with this horizon may not have seen; None where ids have gone too far since.
pub fn oldest_unseen(then: &str, now: &str) -> Option<u64> {
    let ((oldest, _), (_, next)) = (bounds(then)?, bounds(now)?);
    (next >= oldest && next - oldest < HALF_CIRCLE).then_some(oldest)
}

/// Looks at every row of one table, which has to be a heap.
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
