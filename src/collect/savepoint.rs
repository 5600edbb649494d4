//! Runs a part of the shared transaction that may fail without ending it.
//!
//! Invariant: all collectors of a session share one transaction, and an error aborts it. So queries that may fail (a
//! locked table, a secret that cannot be decrypted) run between SAVEPOINT and ROLLBACK TO.

use std::future::Future;

use crate::model::failure::Result;
use crate::pg::session::Session;

/// Runs `work` and returns its result. The outer result fails only if the connection is unusable.
pub async fn attempt<T>(session: &Session, work: impl Future<Output = Result<T>>) -> Result<Result<T>> {
    session.execute("SAVEPOINT stacksnap_part").await?;
    let result = work.await;
    let end = if result.is_ok() { "RELEASE SAVEPOINT stacksnap_part" } else { "ROLLBACK TO SAVEPOINT stacksnap_part" };
    session.execute(end).await?;
    Ok(result)
}
