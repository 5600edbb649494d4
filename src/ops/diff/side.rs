//! The two kinds of side: a verified snapshot, and a live database at one instant.
//!
//! Invariant: a snapshot is verified before anything but its manifest is read. A live database is read in READ ONLY
//! transactions that share one exported snapshot, which lives as long as the side.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{SideFacts, SideKind};
use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::Inventory;
use crate::model::manifest::{Manifest, SourceFacts, TableRecord};
use crate::model::name::visible;
use crate::monitor::millis;
use crate::monitor::{Event, Monitor, Phase};
use crate::pg::catalog::inventory::inventory;
use crate::pg::catalog::source::{host_sha256, source};
use crate::pg::meaning::{self, Known, Within};
use crate::pg::session::Session;
use crate::pg::snapshot::SnapshotHolder;
use crate::snapshot::beneath::Folder;
use crate::snapshot::layout;
use crate::snapshot::manifest_file::{open_failure, read_manifest};
use crate::snapshot::member_tables;
use crate::snapshot::reader::{ArchiveData, DataFile};
use crate::verify::rows::row_source::RowSource;
use crate::verify::{Level, verify};

pub const APPLICATION: &str = "stacksnap diff";
/// A larger file cannot be an inventory.
const INVENTORY_BYTES_MAX: u64 = 1 << 30;

/// A verified snapshot.
pub struct Snapshot {
    pub manifest: Manifest,
    pub inventory: Inventory,
    pub archive: ArchiveData,
    /// Tables of extensions, whose rows are in `extension_state/` and not in the archive.
    pub members: Vec<TableRecord>,
    place: PathBuf,
}

impl Snapshot {
    /// Verifies every checksum, then reads manifest and inventory.
    pub fn open(place: &Path, jobs: usize, monitor: &dyn Monitor) -> Result<Self> {
        let shown = visible(&place.to_string_lossy());
        let verification = verify(place, Level::Checksum, monitor, jobs)?;
        if let Some(failure) = verification.failure() {
            return Err(failure.context(format!("cannot compare {shown}")));
        }
        let manifest = read_manifest(place)?;
        let folder = Folder::open(place).map_err(|error| open_failure(error, &shown))?;
        let damaged = |error: anyhow::Error| {
            Failure::new(FailureKind::Integrity, error)
                .context(format!("cannot use {} of {shown}", layout::INVENTORY_JSON))
                .hint("take a new snapshot, or use another copy of this one")
        };
        let bytes =
            folder.read(layout::INVENTORY_JSON, INVENTORY_BYTES_MAX).map_err(|e| damaged(anyhow::anyhow!("{e}")))?;
        let inventory = serde_json::from_slice(&bytes).map_err(|e| damaged(e.into()))?;
        let archive = ArchiveData {
            folder: place.join(layout::DUMP_DIR),
            files: manifest.tables.iter().filter_map(DataFile::of).collect(),
        };
        let members: Vec<Option<TableRecord>> = member_tables::members(place)?
            .into_iter()
            .map(|member| member.record(place, &manifest))
            .collect::<Result<_>>()?;
        let recorded = |record: &TableRecord| manifest.tables.iter().any(|table| table.name == record.name);
        let members = members.into_iter().flatten().filter(|record| !recorded(record)).collect();
        Ok(Self { manifest, inventory, archive, members, place: place.to_path_buf() })
    }

    /// The snapshot's folder.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The data files of these generated columns.
    pub fn generated(&self, records: &[TableRecord]) -> ArchiveData {
        ArchiveData::generated(&self.place, records)
    }

    /// Every table whose rows the snapshot holds.
    pub fn records(&self) -> impl Iterator<Item = &TableRecord> {
        self.manifest.tables.iter().chain(&self.members)
    }

    pub fn facts(&self) -> SideFacts {
        let source = &self.manifest.source;
        SideFacts {
            kind: SideKind::Snapshot,
            name: self
                .place
                .file_name()
                .map_or_else(|| self.manifest.id.to_string(), |name| name.to_string_lossy().into_owned()),
            database: source.database.clone(),
            server_version: source.server_version.clone(),
            taken_at: self.manifest.consistency.taken_at,
        }
    }
}

/// A live database at one instant.
pub struct Live {
    pub spec: ConnSpec,
    pub holder: SnapshotHolder,
    /// Reads under the exported snapshot.
    pub session: Session,
    pub source: SourceFacts,
    pub inventory: Inventory,
}

impl Live {
    /// Connects, exports a snapshot and reads the catalogs under it.
    pub async fn open(spec: &ConnSpec, lock_wait: Duration, monitor: &dyn Monitor) -> Result<Self> {
        let clock = Instant::now();
        monitor.event(Event::PhaseStarted { phase: Phase::Catalogs, bytes_total: None });
        let holder = SnapshotHolder::export(spec, APPLICATION).await?;
        let session = Session::join(spec, APPLICATION, &holder.exported).await?;
        session.execute(&format!("SET LOCAL lock_timeout = {}", lock_wait.as_millis())).await?;
        let (facts, _) = source(&session, host_sha256(spec)).await?;
        let inventory = inventory(&session).await?;
        let summary = format!("{} objects, {} tables", inventory.objects.len(), inventory.tables.len());
        let duration_ms = millis(clock.elapsed());
        monitor.event(Event::PhaseEnded { phase: Phase::Catalogs, summary, duration_ms });
        Ok(Self { spec: spec.clone(), holder, session, source: facts, inventory })
    }

    /// Asks the server whether definitions with different texts mean the same. It needs a session of its own: the other
    /// one is READ ONLY, and here temporary views are created and rolled back.
    pub async fn align_with(&mut self, wanted: &Inventory) -> Result<()> {
        if !meaning::is_open(wanted, &self.inventory) {
            return Ok(());
        }
        let session = Session::open(&self.spec, APPLICATION).await?;
        meaning::align_with(&session, wanted, &mut self.inventory, Within::Nothing, &Known::default()).await?;
        Ok(())
    }
}

/// The right side.
pub enum Side {
    Snapshot(Box<Snapshot>),
    Live(Box<Live>),
}

impl Side {
    pub fn inventory(&self) -> &Inventory {
        match self {
            Self::Snapshot(snapshot) => &snapshot.inventory,
            Self::Live(live) => &live.inventory,
        }
    }

    /// For adapting the inventory to the other side's notation before comparing.
    pub fn inventory_mut(&mut self) -> &mut Inventory {
        match self {
            Self::Snapshot(snapshot) => &mut snapshot.inventory,
            Self::Live(live) => &mut live.inventory,
        }
    }

    /// Where the rows of its tables come from.
    pub fn rows(&self) -> RowSource<'_> {
        match self {
            Self::Snapshot(snapshot) => RowSource::Archive(&snapshot.archive),
            Self::Live(live) => RowSource::Live(&live.session),
        }
    }

    pub fn source(&self) -> &SourceFacts {
        match self {
            Self::Snapshot(snapshot) => &snapshot.manifest.source,
            Self::Live(live) => &live.source,
        }
    }

    pub fn facts(&self) -> SideFacts {
        match self {
            Self::Snapshot(snapshot) => snapshot.facts(),
            Self::Live(live) => SideFacts {
                kind: SideKind::Live,
                name: "live".to_string(),
                database: live.source.database.clone(),
                server_version: live.source.server_version.clone(),
                taken_at: live.holder.exported.taken_at,
            },
        }
    }
}
