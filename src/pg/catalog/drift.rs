//! What changed since the snapshot, in what a snapshot does not hold still.
//!
//! Invariant (trap 5): deparse functions (pg_get_*def, format_type, COPY's header) look names up in the newest
//! catalogs, whatever the snapshot, values of sequences are of the present, and a truncated or rewritten table is empty to
//! an older snapshot. So an object of the snapshot whose row was written since makes the run start over, also when it
//! reads as before: what was renamed there and back, or dropped and made anew, was otherwise for a moment. New objects
//! and statistics are no drift. Not seen: a role that is renamed there and back.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join;

use super::{NO_JIT, get, versioned};
use crate::model::failure::Result;
use crate::pg::session::Session;

/// What definitions are read by.
const OBJECTS: &str = include_str!("../sql/drift.sql");
/// What rows are written by.
const ROWS: &str = include_str!("../sql/drift_rows.sql");
const SUMS: &str = include_str!("../sql/drift_sums.sql");
const ONE_CATALOG: &str = include_str!("../sql/drift_objects.sql");
const NAMES: &str = include_str!("../sql/drift_names.sql");

/// An object of the snapshot that is different now, or gone. `catalog` is where it shows, e.g. `pg_attribute` for a
/// renamed column (then `oid` and `name` are the table's).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftedObject {
    pub catalog: String,
    pub oid: u32,
    pub name: String,
}

/// Compares the catalogs of a session on the snapshot with those of a plain session (outside any transaction).
/// Empty: whatever was deparsed under the snapshot before this call is true of the snapshot.
pub async fn drift(snapshot_session: &Session, fresh: &Session) -> Result<Vec<DriftedObject>> {
    let (old, new) = try_join(sums(snapshot_session, OBJECTS), sums(fresh, OBJECTS)).await?;
    let mut drifted = compared(snapshot_session, fresh, OBJECTS, &old, &new).await?;
    drifted.extend(first_parts(snapshot_session, fresh, &old, &new).await?);
    Ok(drifted)
}

/// The same for what the text of rows depends on: labels of enums, parts of composite types, names of objects where
/// columns show them. Locks on tables hold none of it still, so it is asked when the last row was read.
pub async fn drift_of_rows(snapshot_session: &Session, fresh: &Session) -> Result<Vec<DriftedObject>> {
    let (old, new) = try_join(sums(snapshot_session, ROWS), sums(fresh, ROWS)).await?;
    compared(snapshot_session, fresh, ROWS, &old, &new).await
}

async fn compared(
    snapshot_session: &Session,
    fresh: &Session,
    parts: &str,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Result<Vec<DriftedObject>> {
    let mut drifted = Vec::new();
    for (catalog, sum) in old {
        if new.get(catalog) == Some(sum) {
            continue;
        }
        let (was, is) = try_join(objects(snapshot_session, parts, catalog), objects(fresh, parts, catalog)).await?;
        let mut oids: Vec<u32> = was.iter().filter(|(oid, h)| is.get(oid) != Some(h)).map(|(oid, _)| *oid).collect();
        oids.sort_unstable();
        drifted.extend(names(snapshot_session, catalog, oids).await?);
    }
    Ok(drifted)
}

/// Parts that hang on an object which had none of them before: the first column default of a table, for one.
async fn first_parts(
    snapshot_session: &Session,
    fresh: &Session,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Result<Vec<DriftedObject>> {
    let mut drifted = Vec::new();
    for (part, whole) in [("pg_attrdef", "pg_class"), ("pg_attribute", "pg_class")] {
        if old.get(part) == new.get(part) {
            continue;
        }
        let (was, is) = try_join(objects(snapshot_session, OBJECTS, part), objects(fresh, OBJECTS, part)).await?;
        let existed = objects(snapshot_session, OBJECTS, whole).await?;
        let mut oids: Vec<u32> =
            is.keys().copied().filter(|oid| !was.contains_key(oid) && existed.contains_key(oid)).collect();
        oids.sort_unstable();
        drifted.extend(names(snapshot_session, part, oids).await?);
    }
    Ok(drifted)
}

async fn sums(session: &Session, parts: &str) -> Result<BTreeMap<String, String>> {
    session.execute(NO_JIT).await?;
    let rows = session.rows(&versioned::for_version(&format!("{parts}{SUMS}"), session.version_num), &[]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

async fn objects(session: &Session, parts: &str, catalog: &str) -> Result<HashMap<u32, String>> {
    let sql = versioned::for_version(&format!("{parts}{ONE_CATALOG}"), session.version_num);
    let rows = session.rows(&sql, &[&catalog]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

async fn names(session: &Session, catalog: &str, oids: Vec<u32>) -> Result<Vec<DriftedObject>> {
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.rows(NAMES, &[&catalog, &oids]).await?;
    rows.iter()
        .map(|row| Ok(DriftedObject { catalog: catalog.to_string(), oid: get(row, 0)?, name: get(row, 1)? }))
        .collect()
}
