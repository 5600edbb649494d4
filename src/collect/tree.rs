//! Copies a folder of the project into the snapshot, and records what was not copied.
//!
//! Invariant (threat 11): links are recorded and not followed, special files are recorded and not opened, values of
//! `.env` files are never copied (only the names are listed). A file that vanishes or cannot be read is a gap, and the
//! rest is copied; an error of the snapshot's own disk ends the collector. Memory does not grow with a file's size.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Stat, fstat};
use serde_json::{Value, json};

use super::context::Collected;
use super::env_names::env_names;
use super::folder::{self, Kind};
use super::stored_name::{stored_part, stored_path};
use crate::model::category::Category;
use crate::model::gap::Gap;
use crate::model::hex::hex;
use crate::model::outcome::Artifact;
use crate::snapshot::layout::PROJECT_DIR;
use crate::snapshot::sink::{ArtifactSink, ArtifactWriter};

/// Each level holds one open folder.
const DEEPEST: usize = 64;
const COPY_BUFFER_BYTES: usize = 128 * 1024;
const ENV_FILE_LIMIT_BYTES: u64 = 1024 * 1024;
/// Folders that tools recreate, or that do not belong to the project.
const SKIPPED_FOLDERS: [&str; 2] = ["node_modules", ".git"];

/// An entry of a walk. `path` has the parts below the root; the last one is the name in `folder`.
pub struct Entry<'e> {
    pub folder: BorrowedFd<'e>,
    pub name: &'e CStr,
    pub path: &'e [Vec<u8>],
    pub kind: Kind,
}

/// Called with each entry, or with the path and the error of an entry that cannot be read. `true` descends into a
/// folder.
pub type Visit<'v> = dyn FnMut(Result<Entry<'_>, (&[Vec<u8>], io::Error)>) -> io::Result<bool> + 'v;

/// Visits everything below a folder, sorted; links are not followed.
pub fn walk(root: BorrowedFd<'_>, visit: &mut Visit<'_>) -> io::Result<()> {
    walk_folder(root, &mut Vec::new(), visit)
}

fn walk_folder(folder: BorrowedFd<'_>, path: &mut Vec<Vec<u8>>, visit: &mut Visit<'_>) -> io::Result<()> {
    let names = match folder::names(folder) {
        Ok(names) => names,
        Err(error) => return visit(Err((path, error))).map(|_| ()),
    };
    for name in names {
        path.push(name.to_bytes().to_vec());
        match folder::look(folder, &name) {
            Err(error) => {
                visit(Err((path, error)))?;
            }
            Ok((kind, _)) => {
                let into = visit(Ok(Entry { folder, name: &name, path, kind }))?;
                if into && kind == Kind::Folder {
                    let below =
                        if path.len() >= DEEPEST { Err(too_deep()) } else { folder::open_folder(folder, &name) };
                    match below {
                        Ok(below) => walk_folder(below.as_fd(), path, visit)?,
                        Err(error) => {
                            visit(Err((path, error)))?;
                        }
                    }
                }
            }
        }
        path.pop();
    }
    Ok(())
}

fn too_deep() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("more than {DEEPEST} folders deep"))
}

/// Why a file was not copied. Errors of the snapshot's own disk are not included.
#[derive(Debug)]
pub struct NotCopied(pub String);

/// Copies an open file up to its current length; data that is appended meanwhile is not copied.
pub fn copy_open_file(
    file: &mut File,
    stat: &Stat,
    mut out: ArtifactWriter<'_>,
) -> io::Result<Result<Artifact, NotCopied>> {
    let wanted = u64::try_from(stat.st_size).unwrap_or(0);
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    let mut left = wanted;
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match file.read(&mut buffer[..most]) {
            Ok(0) => return Ok(Err(NotCopied("it was truncated while it was copied".into()))),
            Ok(n) => {
                out.write_all(&buffer[..n])?;
                left -= n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(NotCopied(format!("it cannot be read: {error}")))),
        }
    }
    let after = fstat(&*file)?;
    let rewritten =
        after.st_size <= stat.st_size && (after.st_mtime, after.st_mtime_nsec) != (stat.st_mtime, stat.st_mtime_nsec);
    if rewritten {
        return Ok(Err(NotCopied("it was rewritten while it was copied".into())));
    }
    out.finish().map(Ok)
}

/// Creates a file of the snapshot. A path that is too long for this disk, or that exists already, is not an error of
/// the disk.
pub fn begin<'s>(
    sink: &'s ArtifactSink,
    path: &str,
    category: Category,
) -> io::Result<Result<ArtifactWriter<'s>, NotCopied>> {
    match sink.create(path, category) {
        Ok(out) => Ok(Ok(out)),
        Err(error) => match error.kind() {
            io::ErrorKind::InvalidFilename => Ok(Err(NotCopied("its path is too long for the snapshot's disk".into()))),
            io::ErrorKind::AlreadyExists => Ok(Err(NotCopied("another file is stored under the same name".into()))),
            io::ErrorKind::NotADirectory => Ok(Err(NotCopied("a file exists where its folder would be".into()))),
            _ => Err(error),
        },
    }
}

/// What was copied and what was not.
#[derive(Debug, Default)]
pub struct TreeReport {
    /// Paths of the copied files, below the folder in the snapshot.
    pub files: Vec<String>,
    pub bytes: u64,
    pub links: Vec<Value>,
    /// Names that had to be encoded.
    pub names: Vec<Value>,
    pub left_out: Vec<Value>,
    pub gaps: Vec<Gap>,
}

/// Copies everything below `root` to `to` in the snapshot.
pub fn copy_tree(root: &OwnedFd, to: &str, category: Category, sink: &ArtifactSink) -> io::Result<TreeReport> {
    let mut report = TreeReport::default();
    walk(root.as_fd(), &mut |entry| match entry {
        Ok(entry) => copy_entry(&entry, to, category, sink, &mut report),
        Err((path, error)) => {
            report.gap(to, &display(path), &format!("it cannot be read: {error}"));
            Ok(false)
        }
    })?;
    Ok(report)
}

fn copy_entry(
    entry: &Entry<'_>,
    to: &str,
    category: Category,
    sink: &ArtifactSink,
    report: &mut TreeReport,
) -> io::Result<bool> {
    let path = display(entry.path);
    let name = entry.name.to_bytes();
    match entry.kind {
        Kind::Folder => {
            let skipped = is_skipped_folder(name);
            if skipped {
                report.left_out.push(json!({ "path": path, "why": "a folder that tools recreate" }));
            } else {
                report.renamed(name, &path);
            }
            return Ok(!skipped);
        }
        Kind::Link => {
            let target = folder::link_target(entry.folder, entry.name).unwrap_or_default();
            report.links.push(json!({ "path": path, "target": String::from_utf8_lossy(&target) }));
        }
        Kind::Special(what) => report.left_out.push(json!({ "path": path, "why": what })),
        Kind::File if is_env_file(name) => {
            let names = read_env_names(entry);
            let why = "an environment file: its values are secrets";
            report.left_out.push(json!({ "path": path, "why": why, "names": names }));
        }
        Kind::File => {
            report.renamed(name, &path);
            match copy_file(entry, &format!("{to}/{path}"), category, sink)? {
                Ok(artifact) => {
                    report.bytes += artifact.bytes;
                    report.files.push(path);
                }
                Err(NotCopied(why)) => report.gap(to, &path, &why),
            }
        }
    }
    Ok(false)
}

fn copy_file(
    entry: &Entry<'_>,
    to: &str,
    category: Category,
    sink: &ArtifactSink,
) -> io::Result<Result<Artifact, NotCopied>> {
    let (mut file, stat) = match folder::open_file(entry.folder, entry.name) {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(NotCopied(format!("it cannot be opened: {error}")))),
    };
    match begin(sink, to, category)? {
        Ok(out) => copy_open_file(&mut file, &stat, out),
        Err(why) => Ok(Err(why)),
    }
}

/// Is this a folder that is listed but not copied?
pub fn is_skipped_folder(name: &[u8]) -> bool {
    SKIPPED_FOLDERS.iter().any(|s| s.as_bytes() == name)
}

/// `.env`, `.env.local`, `.envrc`, `prod.env`: files that hold secrets by convention.
pub fn is_env_file(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(b".env") || name.ends_with(b".env")
}

fn read_env_names(entry: &Entry<'_>) -> Vec<String> {
    let mut text = Vec::new();
    match folder::open_file(entry.folder, entry.name) {
        Ok((file, _)) => match file.take(ENV_FILE_LIMIT_BYTES).read_to_end(&mut text) {
            Ok(_) => env_names(&String::from_utf8_lossy(&text)),
            Err(_) => Vec::new(),
        },
        Err(_) => Vec::new(),
    }
}

/// The path as it is stored, which is also safe to display.
fn display(path: &[Vec<u8>]) -> String {
    stored_path(path.iter().map(Vec::as_slice))
}

impl TreeReport {
    fn renamed(&mut self, name: &[u8], stored: &str) {
        if stored_part(name).as_bytes() == name {
            return;
        }
        let text = std::str::from_utf8(name).ok();
        self.names.push(json!({ "stored": stored, "name": text, "name_hex": hex(name) }));
    }

    fn gap(&mut self, folder: &str, path: &str, why: &str) {
        let todo = "make the file readable and take the snapshot again, or keep a copy of it yourself";
        self.gaps.push(Gap::new("file_not_copied", format!("{folder}/{path}"), why, todo));
    }

    /// Writes the lists of what was not copied to the project's facts, not into the copy, which stays identical to the
    /// project; and moves the gaps over.
    pub fn record(
        &mut self,
        to: &str,
        category: Category,
        sink: &ArtifactSink,
        collected: &mut Collected,
    ) -> io::Result<()> {
        let lists = [("links", &self.links), ("names", &self.names), ("left_out", &self.left_out)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let text = serde_json::to_vec_pretty(list).map_err(io::Error::other)?;
            sink.write(&format!("{PROJECT_DIR}/{to}/{name}.json"), category, &text)?;
            collected.add(&format!("{to}_{name}"), list.len() as u64);
        }
        collected.gaps.append(&mut self.gaps);
        Ok(())
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
