//! Objects whose name, definition or comment is not UTF-8, which is possible only in a SQL_ASCII database.
//!
//! Invariant: it never writes. In the returned names, invalid bytes are replaced: they are for people.

use super::get;
use crate::model::failure::{Failure, Result};
use crate::model::name::visible;
use crate::pg::session::Session;

/// Maximum number of objects named in a message.
const NAMED_MAX: usize = 12;

/// The objects, without duplicates.
async fn objects(session: &Session) -> Result<Vec<String>> {
    let sql = super::versioned::for_version(include_str!("../sql/not_utf8.sql"), session.version_num);
    let rows = session.rows(&sql, &[]).await?;
    let mut found = Vec::new();
    for row in &rows {
        let (object, said): (Option<Vec<u8>>, Option<Vec<u8>>) = (get(row, 0)?, get(row, 1)?);
        if let (Some(object), Some(said)) = (object, said)
            && std::str::from_utf8(&said).is_err()
        {
            found.push(String::from_utf8_lossy(&object).into_owned());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Adds the names of such objects to a failure, if there are any: every query that reads all definitions fails then.
pub async fn explained(failure: Failure, session: &Session) -> Failure {
    if !session.copies_raw {
        return failure;
    }
    let Ok(found) = objects(session).await else { return failure };
    let failure = match found.len() {
        0 => return failure,
        1 => failure.context("the definition, name or comment of an object is not UTF-8, so it cannot be captured"),
        n => failure.context(format!(
            "definitions, names or comments of {n} objects are not UTF-8, so they cannot be captured"
        )),
    };
    let named = found.iter().take(NAMED_MAX).fold(failure, |failure, object| failure.hint(visible(object)));
    let named =
        if found.len() > NAMED_MAX { named.hint(format!("and {} more", found.len() - NAMED_MAX)) } else { named };
    named
        .hint("the database is SQL_ASCII, where the server checks no encoding: rename them, or rewrite them in UTF-8")
        .hint("rows with such bytes are no problem: they are captured unchanged")
}
