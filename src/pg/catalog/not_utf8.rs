//! Objects whose names, definitions or comments are not UTF-8, which only a database of encoding SQL_ASCII can hold.
//!
//! Invariant: it reads only, and answers with names whose other bytes are replaced: they are for people.

use super::get;
use crate::model::failure::{Failure, Result};
use crate::model::name::visible;
use crate::pg::session::Session;

/// At most so many are named.
const NAMED_MAX: usize = 12;

/// The objects, each once.
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

/// Names the objects, where there are any: nothing that reads all definitions succeeds then.
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
        .hint(
            "the database is SQL_ASCII, where the server checks no encoding: rename them, or write them again in UTF-8",
        )
        .hint("rows with such bytes are no obstacle: they are captured as they are")
}
