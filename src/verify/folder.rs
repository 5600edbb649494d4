//! Finds files in the folder that the manifest does not list, and modes that let other users read.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use super::Finding;
use crate::model::manifest::Manifest;
use crate::snapshot::beneath::Folder;
use crate::snapshot::layout;

/// Walks the folder without following links. Listed files are checked elsewhere, by opening them.
pub fn check(folder: &Folder, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let mut known: BTreeSet<&str> = manifest.artifacts.iter().map(|a| a.path.as_str()).collect();
    known.extend([layout::SHA256SUMS, layout::MANIFEST_JSON, layout::MANIFEST_SIG]);
    let mut folders = BTreeSet::new();
    for path in &known {
        folders.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    for entry in walkdir::WalkDir::new(folder.place()).min_depth(1).follow_links(false) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().and_then(|p| p.strip_prefix(folder.place()).ok()).unwrap_or("".as_ref());
                findings.push(Finding::damage(&path.to_string_lossy(), "unreadable", error.to_string()));
                continue;
            }
        };
        let relative = entry.path().strip_prefix(folder.place()).unwrap_or(entry.path());
        let path = relative.to_string_lossy();
        let kind = entry.file_type();
        // A name that is not UTF-8 cannot be in the manifest; its lossy form must not match one that is.
        let listed = relative.to_str().is_some_and(|p| known.contains(p) || (kind.is_dir() && folders.contains(p)));
        if !listed {
            findings.push(unlisted(&path, kind));
        }
        if (kind.is_file() || kind.is_dir())
            && let Ok(found) = entry.metadata()
        {
            let mode = found.permissions().mode() & 0o7777;
            if mode != 0o700 && (kind.is_dir() || mode != 0o600) {
                findings.push(Finding::warning(
                    &path,
                    "mode",
                    format!("its mode is {mode:04o}: others may read or change it"),
                ));
            }
        }
    }
}

fn unlisted(path: &str, kind: std::fs::FileType) -> Finding {
    if kind.is_dir() {
        Finding::warning(path, "added_folder", "a folder that the manifest does not list")
    } else if kind.is_symlink() {
        Finding::damage(path, "link", "a link; a snapshot holds only files and folders")
    } else if kind.is_file() {
        Finding::damage(path, "added_file", "a file that the manifest does not list")
    } else {
        Finding::damage(path, "special_file", "a device, pipe or socket")
    }
}
