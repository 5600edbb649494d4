//! Loads large objects from the archive into the target, with their OIDs.
//!
//! Invariant: an object is replaced as a whole or not at all, and at most a few pieces of it are in memory. Objects are
//! not locked where avoidable, because the server's lock table is limited: an existing object is emptied and filled, so
//! it keeps its owner, ACL and comment, which are up to the caller; a new one is created as its owner. If list and
//! entries disagree, or a file is missing, it fails before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use tokio::sync::mpsc;

use super::load::rows::unreadable;
use super::load::{Loaded, cancelled};
use crate::model::cancel::Cancel;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::ident;
use crate::model::object_kind::ObjectKind;
use crate::pg::session::{Row, Session};
use crate::pgtools::toc::Toc;
use crate::snapshot::reader::open_data;

/// Bytes of one write: a multiple of the server's 2 kB pages.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that may wait for the connection.
const WAITING: usize = 2;
/// The longest possible line of a list: `4294967295 blob_4294967295.dat`.
const LIST_LINE_BYTES: usize = 64;

/// One large object of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeObject {
    pub oid: u32,
    /// Relative to the archive folder, without a compression suffix: `blob_OID.dat`.
    pub file_name: String,
    /// Empty if the archive does not name it.
    pub owner: String,
}

/// The number of large objects that the archive creates.
pub fn numbers(toc: &Toc) -> usize {
    let group = |text: &str| text.split_whitespace().count();
    let of = |entry: &crate::pgtools::toc::Entry| match entry.desc {
        ObjectKind::Blob => 1,
        ObjectKind::BlobMetadata => group(&entry.definition),
        _ => 0,
    };
    toc.entries.iter().map(of).sum()
}

/// All large objects of an archive, by OID. Up to pg_dump 16 there is an entry for each (`BLOB`) and one list; from 17
/// on an entry and a list for up to 1,000 (`BLOB METADATA`, `BLOBS`).
///
/// # Errors
/// `Integrity` if entries and lists disagree.
pub fn list(toc: &Toc, folder: &Path) -> Result<Vec<LargeObject>> {
    let mut owners: BTreeMap<u32, &str> = BTreeMap::new();
    for entry in &toc.entries {
        let numbers = match entry.desc {
            ObjectKind::Blob => entry.tag.as_str(),
            ObjectKind::BlobMetadata => entry.definition.as_str(),
            _ => continue,
        };
        for number in numbers.split_whitespace() {
            let oid = number.parse().map_err(|_| damaged(format!("large object {number:?} has no valid OID")))?;
            owners.insert(oid, &entry.owner);
        }
    }
    let mut objects = BTreeMap::new();
    for entry in toc.entries.iter().filter(|e| e.desc == ObjectKind::Blobs && !e.file_name.is_empty()) {
        let text = read_list(folder, &entry.file_name).map_err(|e| unreadable(e, &entry.file_name))?;
        for line in text.lines() {
            let object = parse_list_line(line)
                .ok_or_else(|| damaged(format!("the archive's file {} has a malformed line", entry.file_name)))?;
            objects.insert(object.oid, object);
        }
    }
    for (oid, owner) in owners {
        let Some(object) = objects.get_mut(&oid) else {
            return Err(damaged(format!("the archive has no bytes of large object {oid}")));
        };
        object.owner = owner.to_string();
    }
    Ok(objects.into_values().collect())
}

fn damaged(what: String) -> Failure {
    Failure::msg(FailureKind::Integrity, what).hint("check the snapshot: stacksnap verify")
}

/// A list has no end mark; it consists of short lines.
fn read_list(folder: &Path, file_name: &str) -> io::Result<String> {
    let mut text = String::new();
    open_data(folder, file_name)?.read_to_string(&mut text)?;
    Ok(text)
}

/// `16400 blob_16400.dat`. Any other file name is refused: it could be a path.
fn parse_list_line(line: &str) -> Option<LargeObject> {
    let (number, file_name) = line.split_once(' ').filter(|_| line.len() <= LIST_LINE_BYTES)?;
    let oid: u32 = number.parse().ok()?;
    let expected = format!("blob_{oid}.dat");
    (file_name == expected).then_some(LargeObject { oid, file_name: expected, owner: String::new() })
}

/// Writes every object over existing ones with the same OID, in the session's transaction; without a transaction, an
/// error leaves a part of them written. `progress` gets the bytes of each piece (not their sum). Replacing needs the
/// rights of the owner.
///
/// Returns the number of objects (as rows) and bytes, and the objects whose owner is not the archive's now.
pub async fn write_all(
    session: &Session,
    folder: &Path,
    objects: &[LargeObject],
    cancel: &Cancel,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Loaded, Vec<LargeObject>)> {
    if objects.is_empty() {
        return Ok((Loaded::default(), Vec::new()));
    }
    let work = async {
        let there = there(session, objects).await?;
        let owners = owners(session, objects).await?;
        let loaded = send(session, folder, objects, &Known { there: &there, owners: &owners }, progress).await?;
        let is_right = |object: &&LargeObject| match there.get(&object.oid) {
            Some(owner) => *owner == object.owner,
            None => owners.contains(&object.owner),
        };
        let others = objects.iter().filter(|o| !o.owner.is_empty() && !is_right(o)).cloned().collect();
        Ok((loaded, others))
    };
    let result = tokio::select! {
        biased;
        reason = cancel.cancelled() => Err(cancelled(reason)),
        result = work => result,
    };
    result.map_err(|failure: Failure| failure.context("the large objects were not written"))
}

/// What is known before writing.
struct Known<'a> {
    /// The existing objects, with their owners.
    there: &'a BTreeMap<u32, String>,
    /// Owners as which new objects can be created.
    owners: &'a BTreeSet<String>,
}

async fn there(session: &Session, objects: &[LargeObject]) -> Result<BTreeMap<u32, String>> {
    let oids: Vec<u32> = objects.iter().map(|o| o.oid).collect();
    let sql = "SELECT oid, pg_catalog.pg_get_userbyid(lomowner)::text FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY ($1)";
    let rows = session.rows(sql, &[&oids]).await?;
    let pair = |row: &Row| -> Result<(u32, String)> {
        Ok((row.try_get(0).map_err(anyhow::Error::new)?, row.try_get(1).map_err(anyhow::Error::new)?))
    };
    rows.iter().map(pair).collect()
}

/// The owners that this session may SET ROLE to.
async fn owners(session: &Session, objects: &[LargeObject]) -> Result<BTreeSet<String>> {
    let names: BTreeSet<&str> = objects.iter().map(|o| o.owner.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    // Since PostgreSQL 16 a membership may not include the right to SET ROLE.
    let right = if session.version_num >= 160_000 { "SET" } else { "MEMBER" };
    let sql = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY ($1) \
               AND pg_catalog.pg_has_role(current_user, oid, $2)";
    let rows = session.rows(sql, &[&names, &right]).await?;
    rows.iter().map(|row| row.try_get(0).map_err(|e| anyhow::Error::new(e).into())).collect()
}

/// A part of an object.
struct Piece {
    oid: u32,
    offset: i64,
    bytes: Vec<u8>,
}

async fn send(
    session: &Session,
    folder: &Path,
    objects: &[LargeObject],
    known: &Known<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Loaded> {
    // The first piece creates the object.
    const FIRST: &str = "SELECT pg_catalog.lo_from_bytea($1, $2)";
    const MORE: &str = "SELECT pg_catalog.lo_put($1, $2, $3)";
    // 393216 is INV_READ | INV_WRITE.
    const EMPTY: &str = "WITH opened AS MATERIALIZED (SELECT pg_catalog.lo_open($1, 393216) AS fd), \
        emptied AS MATERIALIZED (SELECT fd, pg_catalog.lo_truncate64(fd, 0) AS done FROM opened) \
        SELECT pg_catalog.lo_close(fd) FROM emptied WHERE done = 0";
    let prepare = async |sql: &str| session.client().prepare(sql).await.map_err(|e| session.failure(e, sql));
    let (first, more, empty) = (prepare(FIRST).await?, prepare(MORE).await?, prepare(EMPTY).await?);
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let (place, wanted) = (folder.to_path_buf(), objects.to_vec());
    let reading = tokio::task::spawn_blocking(move || read_all(&place, &wanted, &sender));
    let mut loaded = Loaded { rows: objects.len() as u64, bytes: 0 };
    let mut role: Option<&str> = None;
    let mut next = objects.iter();
    while let Some(Piece { oid, offset, bytes }) = receiver.recv().await {
        let is_there = known.there.contains_key(&oid);
        if offset == 0 {
            // Pieces arrive in the order of the objects.
            let owner = next.next().map(|o| o.owner.as_str()).filter(|o| known.owners.contains(*o) && !is_there);
            if owner != role {
                let sql = owner.map_or("RESET ROLE".to_string(), |owner| format!("SET LOCAL ROLE {}", ident(owner)));
                session.execute(&sql).await?;
                role = owner;
            }
        }
        let sent = match (offset == 0, is_there) {
            (true, false) => session.client().execute(&first, &[&oid, &bytes]).await,
            (true, true) => match session.client().execute(&empty, &[&oid]).await {
                Ok(_) => session.client().execute(&more, &[&oid, &offset, &bytes]).await,
                refused => refused,
            },
            (false, _) => session.client().execute(&more, &[&oid, &offset, &bytes]).await,
        };
        sent.map_err(|e| session.failure(e, FIRST).context(format!("large object {oid}")))?;
        loaded.bytes += bytes.len() as u64;
        progress(bytes.len() as u64);
    }
    if role.is_some() {
        session.execute("RESET ROLE").await?;
    }
    let read = reading.await.map_err(|e| Failure::new(FailureKind::Failed, e).context("the reading thread failed"))?;
    read.map_err(|(file_name, e)| unreadable(e, &file_name))?;
    Ok(loaded)
}

/// Every object has at least one piece, which may be empty. Ends early when the receiver is dropped.
fn read_all(
    folder: &Path,
    objects: &[LargeObject],
    sender: &mpsc::Sender<Piece>,
) -> std::result::Result<(), (String, io::Error)> {
    for object in objects {
        let named = |e: io::Error| (object.file_name.clone(), e);
        let mut reader = open_data(folder, &object.file_name).map_err(named)?;
        let mut offset = 0;
        loop {
            let mut bytes = Vec::with_capacity(PIECE_BYTES);
            reader.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut bytes).map_err(named)?;
            let length = bytes.len();
            if offset > 0 && length == 0 {
                break;
            }
            if sender.blocking_send(Piece { oid: object.oid, offset, bytes }).is_err() {
                return Err(named(io::Error::other("the connection takes no more data")));
            }
            offset += i64::try_from(length).unwrap_or(i64::MAX);
            if length < PIECE_BYTES {
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_numbers_and_never_a_path() {
        assert_eq!(parse_list_line("16400 blob_16400.dat").unwrap().oid, 16400);
        for bad in
            ["", "16400", "16400 ../etc/passwd", "1 blob_2.dat", "x blob_x.dat", "1  blob_1.dat", "1 blob_1.dat "]
        {
            assert_eq!(parse_list_line(bad), None, "{bad:?}");
        }
    }
}
