//! The catalogs as the snapshot shows them, and the check that they had not changed when they were read.
//!
//! Invariant (trap 5): text that the server deparses from its caches (definitions, column names) may show a newer state
//! than the snapshot. So once pg_dump holds its locks, the snapshot is compared with the present. If an object changed
//! in between, the run starts over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Job;
use super::dump::ArchiveState;
use super::dump_failure::{DumpFailure, stayed_locked};
use super::selection::Selection;
use crate::model::category::Category;
use crate::model::computed::ComputedRecord;
use crate::model::failure::{FailureKind, Result};
use crate::model::inventory::{Inventory, TableFacts};
use crate::model::name::visible;
use crate::model::object_kind::ObjectKind;
use crate::model::rls_view::RlsView;
use crate::pg::catalog::drift;
use crate::pg::catalog::drift::DriftedObject;
use crate::pg::catalog::written_acls::written_acls;
use crate::pg::catalog::{coverage, inventory};
use crate::pg::probe_rls::{Patience, rls_view_within, stranger};
use crate::pg::session::Session;
use crate::pg::snapshot::SnapshotHolder;

/// Read once, under the snapshot.
pub struct CatalogFacts {
    pub inventory: Inventory,
    /// Entries that pg_dump must write, by kind; empty when only some tables were asked for.
    pub expected: BTreeMap<ObjectKind, u64>,
    /// Tables whose rows are excluded by the settings or the request.
    pub rows_excluded: Vec<TableFacts>,
    /// Hash of the catalogs, for `--if-changed`.
    pub catalogs_sha256: String,
    /// OIDs of foreign keys whose triggers are disabled.
    pub foreign_keys_off: Vec<u32>,
    /// Stored generated columns and materialized views, read last.
    pub computed: Vec<ComputedRecord>,
}

const FOREIGN_KEYS_OFF: &str = "SELECT DISTINCT t.tgconstraint FROM pg_trigger t JOIN pg_constraint k \
    ON k.oid = t.tgconstraint WHERE k.contype = 'f' AND t.tgenabled <> 'O'";

pub async fn read(session: &Session, client_major: u32, selection: &Selection) -> Result<CatalogFacts> {
    let mut inventory = inventory::inventory(session).await?;
    inventory.written_acls = Some(written_acls(session).await?.into_iter().map(|acl| acl.name).collect());
    let rows_excluded: Vec<TableFacts> = selection.rows_excluded(&inventory.tables).into_iter().cloned().collect();
    let oids: Vec<u32> = rows_excluded.iter().map(|t| t.oid).collect();
    let expected = if selection.tables.is_empty() && selection.needs_archive() {
        coverage::counts(session, client_major, &oids).await?
    } else {
        BTreeMap::new()
    };
    let catalogs_sha256 = crate::pg::catalog::marker::catalogs(session, &inventory.objects).await?;
    let rows = session.rows(FOREIGN_KEYS_OFF, &[]).await?;
    let foreign_keys_off = rows.iter().map(|row| row.get(0)).collect();
    Ok(CatalogFacts { inventory, expected, rows_excluded, catalogs_sha256, foreign_keys_off, computed: Vec::new() })
}

/// This probe is only informative: it must not keep a live server busy.
const LOOK: Patience = Patience { table: Duration::from_millis(200), whole: Duration::from_secs(2) };

/// Records which rows row security shows, for the proof of a restore. `ALTER POLICY` waits meanwhile for the locks of
/// the gate. Code owned by a role with fewer rights than the reading role is never run.
pub async fn look(session: &Session, selection: &Selection, inventory: &mut Inventory) -> Result<()> {
    if selection.tables.is_empty() && selection.has(Category::Policies) {
        inventory.rls_view = Some(match stranger(session).await? {
            None => rls_view_within(session, None, LOOK).await?,
            Some(role) => {
                let why = format!("{} owns code there, which would run as the reading role", visible(&role));
                RlsView { not_asked: Some(why), ..RlsView::default() }
            }
        });
    }
    Ok(())
}

/// Waits until pg_dump has taken its locks. It writes its table of contents after that.
pub async fn wait_for_locks(state: &ArchiveState) -> Result<(), DumpFailure> {
    while state.toc().is_none() {
        if state.stopped() {
            return Err(DumpFailure::Stopped);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Resolves when the archive phase was asked to stop.
pub async fn until_stopped(state: &ArchiveState) {
    while !state.stopped() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fails with `SchemaChanged` when an object of the snapshot has changed since.
pub async fn check_drift(session: &Session, fresh: &Session) -> Result<(), DumpFailure> {
    unmoved(&drift::drift(session, fresh).await?)
}

/// The same check after pg_dump has read the last row, for objects that the text of rows depends on.
pub async fn check_drift_of_rows(session: &Session, fresh: &Session) -> Result<(), DumpFailure> {
    unmoved(&drift::drift_of_rows(session, fresh).await?)
}

fn unmoved(moved: &[DriftedObject]) -> Result<(), DumpFailure> {
    if moved.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = moved.iter().take(3).map(|d| visible(&d.name)).collect();
    Err(DumpFailure::SchemaChanged(format!("{} changed meanwhile", names.join(", "))))
}

/// Classifies a failure. A query fails when an object is dropped while it is read, because deparsing looks at the
/// present. pg_dump fails then too, with any message. So a failure counts only if no object changed since the snapshot;
/// otherwise it is `SchemaChanged`.
pub async fn judged(failure: DumpFailure, job: &Job<'_>, plain: &Session, holder: &SnapshotHolder) -> DumpFailure {
    let DumpFailure::Other(reason) = &failure else { return failure };
    let text = reason.to_string();
    if reason.kind != FailureKind::Failed || plain.is_closed() || reason.is_disk_full() {
        return failure;
    }
    // The error may have ended the transaction of the reader.
    let Ok(again) = Session::join(job.source, &job.application_name, &holder.exported).await else {
        return failure;
    };
    match check_drift(&again, plain).await {
        Err(DumpFailure::SchemaChanged(why)) => DumpFailure::SchemaChanged(format!("{why} ({text})")),
        _ => failure,
    }
}

/// If our lock fails after pg_dump got its locks, DDL slipped in between: start over. While pg_dump waits too, another
/// session holds the lock, whichever of the two gives up first.
pub fn schema_changed(failure: DumpFailure, state: &ArchiveState) -> DumpFailure {
    match failure {
        DumpFailure::Other(failure) if failure.kind == FailureKind::Locked => match state.toc() {
            Some(_) => DumpFailure::SchemaChanged(failure.to_string()),
            None => DumpFailure::Other(stayed_locked(&failure.to_string())),
        },
        other => other,
    }
}
