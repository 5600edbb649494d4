//! One snapshot, as its manifest describes it.
//!
//! Invariant: it reads the manifest only; whether the files still agree with it is for `verify` to say.

use std::path::PathBuf;

use jiff::Timestamp;

use super::list::{Facts, facts};
use crate::model::failure::Result;
use crate::model::manifest::Manifest;
use crate::root::folder::Root;
use crate::snapshot::manifest_file::read_manifest;

/// A snapshot found and read.
#[derive(Debug)]
pub struct Shown {
    pub place: PathBuf,
    pub facts: Facts,
    pub manifest: Manifest,
}

/// Finds what `snapshot` means and reads its manifest.
pub fn show(root: &Root, snapshot: &str, now: Timestamp) -> Result<Shown> {
    let place = root.resolve(snapshot)?;
    let manifest = read_manifest(&place)?;
    Ok(Shown { facts: facts(&manifest, now), place, manifest })
}
