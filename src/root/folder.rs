//! The root folder: lists its snapshots, resolves the name that the user enters, reads its links, removes stale
//! folders.
//!
//! Invariant: only a manifest makes a folder a snapshot. No link is followed out of the root, and nothing is ever
//! removed except a real folder named `<snapshot>.partial` while the lock is held.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::lock::RootLock;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::ids::{LATEST, PREFIX, SnapshotName};
use crate::model::manifest::{Manifest, SnapshotKind};
use crate::model::name::visible;
use crate::model::outcome::Outcome;
use crate::ownership;
use crate::snapshot::layout::{MANIFEST_JSON, PARTIAL_SUFFIX};
use crate::snapshot::manifest_file::read_manifest;

const WHAT: &str = "the root folder";
/// Maximum number of missing parts that a message lists.
const LACKS_SHOWN: usize = 5;

/// The folder that contains the snapshots.
#[derive(Debug, Clone)]
pub struct Root {
    path: PathBuf,
}

/// The state of a folder in the root.
#[derive(Debug)]
pub enum EntryState {
    Sealed(Box<Manifest>),
    /// `<name>.partial`: being written, or left behind by a run that was killed.
    Partial,
    /// It has a snapshot name, but its manifest is missing, damaged or of a newer format; with the reason.
    Unreadable(String),
}

/// One folder with a snapshot name.
#[derive(Debug)]
pub struct Entry {
    pub name: SnapshotName,
    pub place: PathBuf,
    pub state: EntryState,
}

/// The result of a sweep.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub removed: Vec<String>,
    /// Name, and why it could not be removed.
    pub kept: Vec<(String, String)>,
}

impl Root {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder (0700) if it does not exist. Refuses a folder owned by another user, or writable by others
    /// without a sticky bit: snapshots contain password hashes, and files in this folder decide what is trusted.
    pub fn create(&self) -> Result<()> {
        ownership::require_trusted(&self.path, WHAT)?;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(|e| {
            Failure::from(e)
                .context(format!("cannot create the root folder {}", self.path.display()))
                .hint("choose a folder that you may write to with --root")
        })?;
        // Another user may have created it first, if the parent is writable by others.
        ownership::require_trusted(&self.path, WHAT)
    }

    /// Every folder with a snapshot name, newest first. Empty if the root folder does not exist.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let listing = match std::fs::read_dir(&self.path) {
            Ok(listing) => listing,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => {
                return Err(Failure::from(e).context(format!("cannot read the root folder {}", self.path.display())));
            }
        };
        let mut entries = Vec::new();
        for item in listing {
            let item = item?;
            let Ok(text) = item.file_name().into_string() else { continue };
            if !item.file_type()?.is_dir() {
                continue;
            }
            let (stem, partial) = text.strip_suffix(PARTIAL_SUFFIX).map_or((text.as_str(), false), |stem| (stem, true));
            let Some(name) = SnapshotName::parse(stem) else { continue };
            let place = item.path();
            let state = if partial {
                EntryState::Partial
            } else {
                read_manifest(&place)
                    .map_or_else(|e| EntryState::Unreadable(e.to_string()), |m| EntryState::Sealed(Box::new(m)))
            };
            entries.push(Entry { name, place, state });
        }
        entries.sort_by_key(|entry| std::cmp::Reverse(age_key(&entry.name)));
        Ok(entries)
    }

    /// The newest snapshot whose manifest is complete.
    pub fn latest_complete(&self) -> Result<Option<(SnapshotName, PathBuf, Manifest)>> {
        self.latest(|manifest| manifest.complete)
    }

    /// The newest full snapshot, possibly with gaps: the one to compare a new one with.
    pub fn latest_full(&self) -> Result<Option<(SnapshotName, PathBuf, Manifest)>> {
        self.latest(|manifest| manifest.kind == SnapshotKind::Full)
    }

    fn latest(&self, fits: impl Fn(&Manifest) -> bool) -> Result<Option<(SnapshotName, PathBuf, Manifest)>> {
        let sealed = self.entries()?.into_iter().find_map(|entry| match entry.state {
            EntryState::Sealed(manifest) if !manifest.is_safety_copy() && fits(&manifest) => {
                Some((entry.name, entry.place, *manifest))
            }
            _ => None,
        });
        Ok(sealed)
    }

    /// The snapshot that a link in the root points to. `None` unless the target is a plain snapshot name.
    pub fn link_target(&self, link_name: &str) -> Option<SnapshotName> {
        let target = std::fs::read_link(self.path.join(link_name)).ok()?;
        SnapshotName::parse(target.to_str()?)
    }

    /// Removes the partial folders of killed runs. Holding the lock proves that no partial folder has a live owner.
    pub fn sweep(&self, _lock: &RootLock) -> Result<Swept> {
        let mut swept = Swept::default();
        for entry in self.entries()?.into_iter().filter(|e| matches!(e.state, EntryState::Partial)) {
            let name = format!("{}{PARTIAL_SUFFIX}", entry.name);
            match std::fs::remove_dir_all(&entry.place) {
                Ok(()) => swept.removed.push(name),
                Err(e) => swept.kept.push((name, e.to_string())),
            }
        }
        Ok(swept)
    }

    /// Resolves `text`: a path, a name, `latest`, a label, or an unambiguous prefix of a name.
    pub fn resolve(&self, text: &str) -> Result<PathBuf> {
        if text.is_empty() {
            return Err(Failure::msg(FailureKind::Usage, "the name of the snapshot is empty")
                .hint("to see the existing snapshots, run: stacksnap list"));
        }
        if text.contains('/') || text == "." || text == ".." {
            return self.resolve_path(Path::new(text));
        }
        if text.eq_ignore_ascii_case("latest") || text == LATEST {
            return self.resolve_latest();
        }
        if let Some(place) = SnapshotName::parse(text).and_then(|name| self.folder(&name)) {
            return self.resolve_path(&place);
        }
        let entries = self.entries()?;
        if let Some(place) = self.resolve_label(text, &entries) {
            return Ok(place);
        }
        let fits = |entry: &&Entry| {
            let name = entry.name.as_str();
            name.starts_with(text) || name[PREFIX.len()..].starts_with(text)
        };
        let matching: Vec<&Entry> =
            entries.iter().filter(|e| !matches!(e.state, EntryState::Partial)).filter(fits).collect();
        match matching.as_slice() {
            [only] => Ok(only.place.clone()),
            [] if Path::new(text).join(MANIFEST_JSON).is_file() => Ok(PathBuf::from(text)),
            [] => Err(self.not_found(text, &entries)),
            several => {
                let names: Vec<&str> = several.iter().take(5).map(|e| e.name.as_str()).collect();
                let message = format!("'{}' matches {} snapshots", visible(text), several.len());
                Err(Failure::msg(FailureKind::Usage, message).hint(format!(
                    "enter more of the name: {}{}",
                    names.join(", "),
                    if several.len() > 5 { ", …" } else { "" }
                )))
            }
        }
    }

    /// The real folder with this name in the root; a link does not count.
    fn folder(&self, name: &SnapshotName) -> Option<PathBuf> {
        let place = self.path.join(name.as_str());
        std::fs::symlink_metadata(&place).is_ok_and(|meta| meta.is_dir()).then_some(place)
    }

    /// The snapshot that a link in the root points to, if it exists.
    fn linked(&self, link_name: &str) -> Option<PathBuf> {
        let place = self.link_target(link_name).and_then(|name| self.folder(&name))?;
        place.join(MANIFEST_JSON).is_file().then_some(place)
    }

    fn resolve_path(&self, place: &Path) -> Result<PathBuf> {
        if place.join(MANIFEST_JSON).symlink_metadata().is_ok() {
            return Ok(place.to_path_buf());
        }
        let shown = visible(&place.to_string_lossy());
        let (message, hint) = if !place.is_dir() {
            (format!("there is no folder {shown}"), "to see the existing snapshots, run: stacksnap list")
        } else {
            (format!("{shown} has no {MANIFEST_JSON}"), "a folder without it is not a snapshot: its run did not finish")
        };
        Err(Failure::msg(FailureKind::NotFound, message).hint(hint))
    }

    fn resolve_latest(&self) -> Result<PathBuf> {
        if let Some(place) = self.linked(LATEST) {
            return Ok(place);
        }
        match self.latest_complete()? {
            Some((_, place, _)) => Ok(place),
            None => Err(self.nothing_complete()?),
        }
    }

    /// The failure for `latest` without a complete snapshot. It names the newest incomplete one.
    fn nothing_complete(&self) -> Result<Failure> {
        let message = format!("there is no complete snapshot in {}", self.path.display());
        let failure = Failure::msg(FailureKind::NotFound, message);
        let Some((name, _, manifest)) = self.latest(|_| true)? else {
            return Ok(failure.hint("take one: stacksnap create"));
        };
        let what = match manifest.kind {
            SnapshotKind::Full => "a snapshot of everything, with gaps",
            SnapshotKind::Partial => "a snapshot of some parts, as it was asked for",
            SnapshotKind::DataOnly => "rows only, as it was asked for",
            SnapshotKind::SchemaOnly => "no rows, as it was asked for",
        };
        let mut lacks: Vec<String> = manifest.gaps.iter().map(|gap| visible(&gap.what)).collect();
        lacks.extend(
            manifest
                .outcomes
                .iter()
                .filter(|o| !matches!(o.outcome, Outcome::Collected { .. }))
                .map(|o| o.collector.replace('_', " ")),
        );
        lacks.dedup();
        let more = lacks.len().saturating_sub(LACKS_SHOWN);
        lacks.truncate(LACKS_SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let lacks = if lacks.is_empty() { String::new() } else { format!("; it lacks {}{more}", lacks.join(", ")) };
        Ok(failure
            .hint(format!("the newest is {name}: {what}{lacks} (stacksnap show {name})"))
            .hint(format!(
                "to use it anyway, enter its name instead of latest: stacksnap restore {name} … --allow-partial"
            ))
            .hint("or take a complete one: stacksnap create"))
    }

    fn resolve_label(&self, text: &str, entries: &[Entry]) -> Option<PathBuf> {
        let bare = text.strip_prefix(PREFIX).unwrap_or(text);
        let by_link = self.linked(&format!("{PREFIX}{bare}"));
        by_link.or_else(|| {
            let labelled = |e: &&Entry| matches!(&e.state, EntryState::Sealed(m) if m.label.as_deref() == Some(bare));
            entries.iter().find(labelled).map(|e| e.place.clone())
        })
    }

    fn not_found(&self, text: &str, entries: &[Entry]) -> Failure {
        let message = format!("there is no snapshot '{}' in {}", visible(text), self.path.display());
        let hint = match entries.first() {
            Some(entry) => format!("to see the existing snapshots, run: stacksnap list (the newest is {})", entry.name),
            None => {
                "the root folder has no snapshot: run stacksnap create (or set --root to the right folder)".to_string()
            }
        };
        Failure::msg(FailureKind::NotFound, message).hint(hint)
    }
}

/// A subfolder of a root folder, created (0700) if it does not exist. Refuses a link or another user's folder.
pub fn folder_in(root: &Path, name: &str) -> Result<PathBuf> {
    let place = root.join(name);
    match std::fs::DirBuilder::new().mode(0o700).create(&place) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            return Err(Failure::from(e).context(format!("cannot create the folder {}", place.display())));
        }
        _ => {}
    }
    ownership::open_folder(&place, "the folder")?;
    Ok(place)
}

/// Sort key: the moment, then the number of the attempt (`_10` after `_2`).
fn age_key(name: &SnapshotName) -> (String, u32) {
    let rest = &name.as_str()[PREFIX.len()..];
    let mut parts = rest.splitn(3, '_');
    let stamp = format!("{}{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (stamp, parts.next().and_then(|n| n.parse().ok()).unwrap_or(1))
}
