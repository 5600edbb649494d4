//! The drift check: which objects of the snapshot have changed since it was exported.
//!
//! Invariant (trap 5): deparse functions (pg_get_*def, format_type, COPY's header) look names up in the newest catalogs
//! whatever the snapshot, sequence values are not transactional, and a truncated or rewritten table is empty to an
//! older snapshot. So the run starts over if the catalog row of a snapshot's object was written since, even if it reads
//! the same: an object that was renamed and renamed back, or dropped and recreated, was different in between. New
//! objects and statistics are no drift. Never noticed: a role that is renamed and renamed back.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::try_join;

use super::{NO_JIT, get, versioned};
use crate::model::failure::Result;
use crate::pg::session::Session;

/// The catalogs that definitions are read from.
const OBJECTS: &str = include_str!("../sql/drift.sql");
/// The catalogs that the text of rows depends on.
const ROWS: &str = include_str!("../sql/drift_rows.sql");
const SUMS: &str = include_str!("../sql/drift_sums.sql");
const ONE_CATALOG: &str = include_str!("../sql/drift_objects.sql");
const NAMES: &str = include_str!("../sql/drift_names.sql");

/// An object of the snapshot that has changed or was dropped. `catalog` is the catalog with the changed row, e.g.
/// `pg_attribute` for a renamed column (`oid` and `name` are the table's then).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftedObject {
    pub catalog: String,
    pub oid: u32,
    pub name: String,
}

/// Compares the catalogs of a session on the snapshot with those of a plain session (outside any transaction). If the
/// result is empty, everything that was deparsed under the snapshot before this call belongs to the snapshot.
pub async fn drift(snapshot_session: &Session, fresh: &Session) -> Result<Vec<DriftedObject>> {
    let (old, new) = try_join(sums(snapshot_session, OBJECTS), sums(fresh, OBJECTS)).await?;
    let mut drifted = compared(snapshot_session, fresh, OBJECTS, &old, &new).await?;
    drifted.extend(first_parts(snapshot_session, fresh, &old, &new).await?);
    Ok(drifted)
}

/// The same for catalogs that the text of rows depends on: labels of enums, attributes of composite types, names of
/// objects shown in `regclass` columns. Table locks protect none of these, so call it after the last row was read.
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

/// Parts of an object that had no such part before, e.g. the first column default of a table.
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
