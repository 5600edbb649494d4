//! Compares large objects of the snapshot with those of its own database, by content and owner.
//!
//! Invariant: it only reads. Above the limits nothing is compared, and all of them are written again.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::large_objects as objects;
use crate::model::failure::Result;
use crate::model::hex::hex;
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::pg::session::Session;
use crate::restore::Engine;
use crate::snapshot::layout;
use crate::snapshot::reader::open_data;

const OBJECTS_MAX: usize = 1000;
const BYTES_MAX: u64 = 32 << 20;

/// The large objects that differ, by OID; or one entry for all of them.
pub async fn large_objects(engine: &Engine<'_>, session: &Session) -> Result<Vec<ObjectName>> {
    let folder = engine.source.place.join(layout::DUMP_DIR);
    let wanted = objects::list(&engine.source.toc, &folder)?;
    if wanted.len() > OBJECTS_MAX {
        return Ok(all(&wanted));
    }
    let Some(mut live) = live_hashes(session).await? else { return Ok(all(&wanted)) };
    let mut differing = Vec::new();
    for object in &wanted {
        let hash = archive_hash(&folder, object)?;
        if live.remove(&object.oid) != Some(format!("{hash} {}", object.owner)) {
            differing.push(object.oid);
        }
    }
    // What remains in `live` was created after the snapshot.
    Ok(differing.into_iter().chain(live.into_keys()).map(|oid| named(&oid.to_string())).collect())
}

/// The sha256 and, after a space, the owner of each large object of a database. `None`: they are not readable, or above
/// the limits.
pub async fn live_hashes(session: &Session) -> Result<Option<BTreeMap<u32, String>>> {
    let size = "SELECT pg_catalog.count(*), coalesce((SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject), 0) * 2048 \
                FROM pg_catalog.pg_largeobject_metadata";
    let Ok(row) = session.one(size, &[]).await else { return Ok(None) };
    let (count, bytes): (i64, i64) = (row.try_get(0).unwrap_or(0), row.try_get(1).unwrap_or(0));
    if count.unsigned_abs() > OBJECTS_MAX as u64 || bytes.unsigned_abs() > BYTES_MAX {
        return Ok(None);
    }
    let sql = "SELECT oid, pg_catalog.encode(pg_catalog.sha256(pg_catalog.lo_get(oid)), 'hex') || ' ' \
               || pg_catalog.pg_get_userbyid(lomowner) FROM pg_catalog.pg_largeobject_metadata";
    let Ok(rows) = session.rows(sql, &[]).await else { return Ok(None) };
    Ok(Some(rows.iter().filter_map(|row| Some((row.try_get(0).ok()?, row.try_get(1).ok()?))).collect()))
}

/// The sha256 of one large object of the archive in `folder`.
pub fn archive_hash(folder: &Path, object: &objects::LargeObject) -> Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut open_data(folder, &object.file_name)?, &mut Hashing(&mut hasher))?;
    Ok(hex(&hasher.finalize()))
}

/// A writer that only hashes.
struct Hashing<'h>(&'h mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn all(wanted: &[objects::LargeObject]) -> Vec<ObjectName> {
    if wanted.is_empty() { Vec::new() } else { vec![named("all large objects")] }
}

fn named(identity: &str) -> ObjectName {
    ObjectName { kind: ObjectKind::Blob, identity: identity.into() }
}
