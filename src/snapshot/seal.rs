//! The end of a run: checksums, manifest, signature, and the rename that turns a folder into a snapshot.
//!
//! Invariant: the order is data on disk, SHA256SUMS, manifest.sig, manifest.json (renamed into place), the folder's own
//! name, the links. A crash at any moment leaves a `.partial` folder or a complete snapshot, nothing in between. It
//! never replaces an existing snapshot, file or folder; it only replaces links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use sha2::{Digest, Sha256};

use super::key::Key;
use super::layout;
pub use super::manifest_file::read_manifest;
use super::manifest_file::{manifest_bytes, sums_bytes};
use super::signature;
use super::sink::ArtifactSink;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::hex::hex;
use crate::model::ids::{LATEST, Label};
use crate::model::manifest::{Manifest, SnapshotKind};
use crate::model::name::visible;
use crate::monitor::Monitor;

const MANIFEST_TEMPORARY: &str = ".manifest.json.new";

/// A snapshot with its final name.
#[derive(Debug)]
pub struct Sealed {
    pub folder: PathBuf,
    /// The draft, with `artifacts`, `sha256sums_sha256` and `manifest_sha256` filled in.
    pub manifest: Manifest,
}

/// Seals `<root>/<manifest.id>.partial`, the folder that `sink` wrote to. `manifest` is a draft: its `artifacts` and
/// checksums are replaced. Every file of the snapshot, including BACKUP_MANIFEST.md, must be finished in the sink.
///
/// The manifest is signed with the root's key, which is created if there is none: the caller holds the root's lock.
///
/// Files that no collector finished are removed with a warning. A recorded file that is missing, or an unrecorded file
/// in the archive, is an error. Links that cannot be created are warnings, not gaps.
pub fn seal(
    root: &Path,
    sink: &ArtifactSink,
    draft: Manifest,
    label: Option<&Label>,
    monitor: &dyn Monitor,
) -> Result<Sealed> {
    let name = draft.id.as_str().to_string();
    let partial = sink.root().to_path_buf();
    let folder = root.join(&name);
    let expected = root.join(format!("{name}{}", layout::PARTIAL_SUFFIX));
    if partial != expected {
        return Err(Failure::msg(
            FailureKind::Failed,
            format!("the snapshot {name} cannot be sealed in {}", partial.display()),
        ));
    }
    let manifest = write_records(sink, &partial, draft, &Key::own(root)?, monitor)?;
    rename_new(&partial, &folder).map_err(|error| {
        Failure::new(FailureKind::Failed, error)
            .context(format!("cannot rename the folder to its final name {name}"))
            .hint(format!("the data is complete in {}", partial.display()))
    })?;
    sync_folder(root)?;
    if manifest.complete && manifest.kind == SnapshotKind::Full && !manifest.is_safety_copy() {
        link(root, LATEST, &name, monitor);
    }
    if let Some(label) = label {
        link(root, &label.link_name(), &name, monitor);
    }
    Ok(Sealed { folder, manifest })
}

/// Writes SHA256SUMS, manifest.sig and manifest.json durably into the partial folder.
fn write_records(
    sink: &ArtifactSink,
    partial: &Path,
    draft: Manifest,
    key: &Key,
    monitor: &dyn Monitor,
) -> Result<Manifest> {
    let mut manifest = draft;
    manifest.artifacts = sink.artifacts();
    check_folder(partial, &manifest, monitor)?;
    let sums = sums_bytes(&manifest.artifacts)?;
    sync_everything(partial)?;
    create_synced(&partial.join(layout::SHA256SUMS), &sums)?;
    manifest.sha256sums_sha256 = hex(&Sha256::digest(&sums));
    let (bytes, sha256) = manifest_bytes(&manifest)?;
    manifest.manifest_sha256 = sha256;
    let signature = signature::line(key, &manifest.id, &manifest.manifest_sha256)?;
    create_synced(&partial.join(layout::MANIFEST_SIG), &signature)?;
    let temporary = partial.join(MANIFEST_TEMPORARY);
    create_synced(&temporary, &bytes)?;
    rename_new(&temporary, &partial.join(layout::MANIFEST_JSON))?;
    sync_folder(partial)?;
    Ok(manifest)
}

/// Compares the folder with the records: a missing file or a wrong size is an error, an unrecorded file is removed.
fn check_folder(partial: &Path, manifest: &Manifest, monitor: &dyn Monitor) -> Result<()> {
    let recorded: BTreeMap<&str, u64> = manifest.artifacts.iter().map(|a| (a.path.as_str(), a.bytes)).collect();
    let referenced = manifest.tables.iter().flat_map(|t| t.data_file.iter().chain(&t.csv_file));
    if let Some(path) = referenced.into_iter().find(|path| !recorded.contains_key(path.as_str())) {
        let shown = visible(path);
        return Err(Failure::msg(FailureKind::Failed, format!("the manifest lists {shown}, which was not written")));
    }
    let mut seen = BTreeSet::new();
    for entry in walkdir::WalkDir::new(partial).min_depth(1).follow_links(false) {
        let entry = entry.map_err(io::Error::from)?;
        if entry.file_type().is_dir() {
            continue;
        }
        let relative = entry.path().strip_prefix(partial).unwrap_or(entry.path());
        let shown = visible(&relative.to_string_lossy());
        match relative.to_str().and_then(|path| recorded.get_key_value(path)) {
            Some((path, bytes)) => {
                let found = entry.metadata().map_err(io::Error::from)?;
                if !found.is_file() || found.len() != *bytes {
                    let what = format!("{shown} has {} bytes on disk, but {bytes} were written", found.len());
                    return Err(Failure::msg(FailureKind::Integrity, what)
                        .hint("another program is writing to this folder: stop it"));
                }
                seen.insert(*path);
            }
            None if relative.starts_with(layout::DUMP_DIR) => {
                let what = format!("the archive contains {shown}, which no step recorded");
                return Err(Failure::msg(FailureKind::Failed, what));
            }
            None => {
                std::fs::remove_file(entry.path())?;
                monitor.warn("unfinished_file_removed", format!("{shown} was incomplete and was removed"), None);
            }
        }
    }
    match recorded.keys().find(|path| !seen.contains(*path)) {
        Some(path) => Err(Failure::msg(
            FailureKind::Integrity,
            format!("{} disappeared while the snapshot was being written", visible(path)),
        )),
        None => Ok(()),
    }
}

/// One sync for the whole file system: with 5,000 tables, an fsync per file is slow.
fn sync_everything(folder: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(File::open(folder)?).map_err(io::Error::from)?;
    #[cfg(not(target_os = "linux"))]
    rustix::fs::sync();
    Ok(())
}

fn create_synced(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(place)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A rename that never replaces an existing file.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system does not support the flag: check first. The root's lock excludes other runs.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        other => other.map_err(io::Error::from),
    }
}

/// Points the link at a snapshot, atomically replacing an older link. Anything that is not a link is kept.
fn link(root: &Path, link_name: &str, target: &str, monitor: &dyn Monitor) {
    let place = root.join(link_name);
    let temporary = root.join(format!(".{link_name}.new"));
    let made = match place.symlink_metadata() {
        Ok(found) if !found.is_symlink() => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
        _ => {
            let _ = std::fs::remove_file(&temporary);
            std::os::unix::fs::symlink(target, &temporary).and_then(|()| std::fs::rename(&temporary, &place))
        }
    };
    if let Err(error) = made.and_then(|()| sync_folder(root)) {
        let _ = std::fs::remove_file(&temporary);
        monitor.warn(
            "link_not_made",
            format!("cannot create the link {link_name}: {error}"),
            Some(format!("the snapshot itself is complete: use its name {target}")),
        );
    }
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
