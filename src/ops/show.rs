//! One snapshot, as its manifest describes it.
//!
//! Invariant: it reads only the manifest; `verify` checks the files.

use std::path::PathBuf;

use jiff::Timestamp;

use super::list::{Facts, facts};
use crate::model::failure::Result;
use crate::model::manifest::Manifest;
use crate::root::folder::Root;
use crate::snapshot::manifest_file::read_manifest;

/// A snapshot and its manifest.
#[derive(Debug)]
pub struct Shown {
    pub place: PathBuf,
    pub facts: Facts,
    pub manifest: Manifest,
}

/// Finds the snapshot that `snapshot` names and reads its manifest.
pub fn show(root: &Root, snapshot: &str, now: Timestamp) -> Result<Shown> {
    let place = root.resolve(snapshot)?;
    let manifest = read_manifest(&place)?;
    Ok(Shown { facts: facts(&manifest, now), place, manifest })
}
