//! Compares the contents of large objects. Their existence and owners are compared with the other objects.
//!
//! Invariant: memory does not grow with their size. A live database computes hashes, in a session of its own, because
//! an error may end that transaction. Beyond a size bound, or without the privilege, they are named as not compared.

use std::collections::BTreeMap;
use std::path::Path;

use super::compared::NotCompared;
use super::side::{Live, Side, Snapshot};
use crate::model::difference::{Change, ObjectDifference, Severity};
use crate::model::failure::Result;
use crate::model::object_kind::ObjectKind;
use crate::pg::session::Session;
use crate::pgtools::toc::Toc;
use crate::restore::rows::contents::{archive_hash, live_hashes};
use crate::restore::rows::large_objects;
use crate::snapshot::layout;

const KIND: ObjectKind = ObjectKind::Blob;

/// The objects whose content differs, or the reason why contents were not compared.
pub async fn compare_large_objects(
    left: &Snapshot,
    right: &Side,
) -> Result<Result<Vec<ObjectDifference>, NotCompared>> {
    let any = |inventory: &crate::model::inventory::Inventory| inventory.of_kind(KIND).next().is_some();
    if !any(&left.inventory) || !any(right.inventory()) {
        return Ok(Ok(Vec::new()));
    }
    let hashes = match right {
        Side::Snapshot(snapshot) => Some(tokio::task::block_in_place(|| of_archive(snapshot.place()))?),
        Side::Live(live) => of_live(live).await?,
    };
    let Some(theirs) = hashes else {
        let why = "only their existence was compared: they are larger than the limit, or this role may not read them";
        return Ok(Err(NotCompared { what: "large objects".to_string(), why: why.to_string() }));
    };
    let mine = tokio::task::block_in_place(|| of_archive(left.place()))?;
    let differs = mine.iter().filter_map(|(oid, was)| {
        let is = theirs.get(oid).filter(|is| *is != was)?;
        Some(difference(*oid, was, is))
    });
    Ok(Ok(differs.collect()))
}

fn of_archive(place: &Path) -> Result<BTreeMap<u32, String>> {
    let folder = place.join(layout::DUMP_DIR);
    let objects = large_objects::list(&Toc::read(&folder)?, &folder)?;
    objects.iter().map(|object| Ok((object.oid, archive_hash(&folder, object)?))).collect()
}

async fn of_live(live: &Live) -> Result<Option<BTreeMap<u32, String>>> {
    let session = Session::join(&live.spec, super::side::APPLICATION, &live.holder.exported).await?;
    let hashes = live_hashes(&session).await?;
    let sum = |text: String| text.split(' ').next().unwrap_or_default().to_string();
    Ok(hashes.map(|hashes| hashes.into_iter().map(|(oid, text)| (oid, sum(text))).collect()))
}

fn difference(oid: u32, was: &str, is: &str) -> ObjectDifference {
    ObjectDifference {
        kind: KIND,
        schema: None,
        identity: oid.to_string(),
        change: Change::Differs,
        severity: Severity::Structure,
        left: Some(format!("content sha256:{was}")),
        right: Some(format!("content sha256:{is}")),
        owner_left: None,
        owner_right: None,
        extension: None,
        renamed_to: None,
        note: None,
    }
}
