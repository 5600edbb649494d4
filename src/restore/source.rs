//! A snapshot opened for a restore: its manifest, its inventory and the archive's table of contents (TOC).
//!
//! Invariant: it is opened after its checksums were verified, and only read. A damaged or newer snapshot is refused.

use std::path::{Path, PathBuf};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::Inventory;
use crate::model::manifest::Manifest;
use crate::model::{bootstrap, index_state, replication};
use crate::pg::meaning::{self, Known, Within};
use crate::pg::session::Session;
use crate::pgtools::toc::Toc;
use crate::snapshot::layout;
use crate::snapshot::manifest_file;

/// Everything of a snapshot except its rows.
#[derive(Debug)]
pub struct SnapshotSource {
    pub place: PathBuf,
    pub manifest: Manifest,
    pub inventory: Inventory,
    pub toc: Toc,
    /// Texts that turned out to mean the same when the target was read before.
    pub known: Known,
    /// Without rows and without anything that would run: see `only_schema`.
    pub(super) only_schema: bool,
}

impl SnapshotSource {
    /// Opens the snapshot in the folder `place`.
    ///
    /// # Errors
    /// `NotFound`, `Integrity`, or `Configuration` for a newer format.
    pub fn open(place: &Path) -> Result<Self> {
        let manifest = manifest_file::read_manifest(place)?;
        let file = place.join(layout::INVENTORY_JSON);
        let bytes = std::fs::read(&file)
            .map_err(|e| Failure::new(FailureKind::Integrity, e).context(format!("cannot read {}", file.display())))?;
        let inventory = serde_json::from_slice(&bytes)
            .map_err(|e| Failure::new(FailureKind::Integrity, e).context(format!("cannot parse {}", file.display())))?;
        let toc = Toc::read(&place.join(layout::DUMP_DIR))?;
        Ok(Self::new(place, manifest, inventory, toc))
    }

    /// A snapshot whose parts are in memory already.
    pub fn new(place: &Path, manifest: Manifest, inventory: Inventory, toc: Toc) -> Self {
        Self { place: place.to_path_buf(), manifest, inventory, toc, known: Known::default(), only_schema: false }
    }

    /// The target's inventory. A definition that means the same as the snapshot's has the snapshot's text.
    pub async fn read_target(&self, session: &Session, within: Within) -> Result<Inventory> {
        let mut live = self.read_awake(session, within).await?;
        bootstrap::align_with(&mut live, &self.inventory);
        index_state::align_with(&mut live, &self.inventory);
        replication::align_with(&mut live, &self.inventory);
        meaning::align_with(session, &self.inventory, &mut live, within, &self.known).await?;
        Ok(live)
    }
}
