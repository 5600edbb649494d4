//! A part of the shared transaction that may fail without ending it.
//!
//! Invariant: all collectors of a session share one transaction; after an error nothing more could be read in it. What
//! may be refused (a locked table, an undecryptable secret) runs between SAVEPOINT and ROLLBACK TO.

use std::future::Future;

use crate::model::failure::Result;
use crate::pg::session::Session;

/// Runs `work`. The inner result is its own; the outer one fails only when the connection is of no use any more.
pub async fn attempt<T>(session: &Session, work: impl Future<Output = Result<T>>) -> Result<Result<T>> {
    session.execute("SAVEPOINT stacksnap_part").await?;
    let result = work.await;
    let end = if result.is_ok() { "RELEASE SAVEPOINT stacksnap_part" } else { "ROLLBACK TO SAVEPOINT stacksnap_part" };
    session.execute(end).await?;
    Ok(result)
}
