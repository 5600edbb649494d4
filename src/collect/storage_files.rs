//! The files of the storage service: `<root>/<tenant>/<bucket>/<name>/<version>`, copied with their attributes.
//!
//! Invariant: the names come from the database and are untrusted. Each part is opened below the previous one, `.` and
//! `..` are refused, and no link is followed. In the snapshot they have encoded names, and `metadata.jsonl` maps them.
//! Content type, cache control and etag are extended attributes (`user.supabase.*`), which a plain copy would lose.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Stat, fgetxattr, flistxattr};
use serde_json::{Map, Value, json};

use super::folder::{self, Kind};
use super::storage_object::{Object, finish};
use super::stored_name::stored_path;
use super::tree::{NotCopied, begin, copy_open_file, walk};
use crate::model::category::Category;
use crate::model::gap::Gap;
use crate::model::hex::hex;
use crate::snapshot::layout::STORAGE_DIR;
use crate::snapshot::sink::{ArtifactSink, ArtifactWriter};

/// How many levels below the configured folder the tenant's folder may be (`stub/stub` when self-hosted).
const TENANT_DEPTH: usize = 3;
/// How many folders are held open per level while the tenant's folder is searched.
const SEARCH_WIDTH: usize = 128;
const ATTRIBUTE_PREFIX: &str = "user.supabase.";

/// The storage folder while its files are copied.
pub struct Files<'s> {
    base: OwnedFd,
    sink: &'s ArtifactSink,
    metadata: BufWriter<ArtifactWriter<'s>>,
    missing: Option<BufWriter<ArtifactWriter<'s>>>,
    /// Hashes of the objects' paths: any other file in the folder is an orphan.
    seen: Vec<u128>,
    report: FilesReport,
}

/// The result of copying.
#[derive(Debug, Default)]
pub struct FilesReport {
    pub copied: u64,
    pub missing: u64,
    pub first_missing: Option<String>,
    pub orphans: u64,
    pub gaps: Vec<Gap>,
}

impl<'s> Files<'s> {
    /// Opens the storage folder and finds the folder that holds the buckets.
    pub fn open(root: &Path, buckets: &[String], sink: &'s ArtifactSink) -> io::Result<Self> {
        let base = find_base(folder::open_root(root)?, buckets)?;
        let metadata = create(sink, "metadata.jsonl")?;
        Ok(Self { base, sink, metadata, missing: None, seen: Vec::new(), report: FilesReport::default() })
    }

    /// Copies one object's file. Returns its path in the snapshot; `None` when it is missing, which is recorded.
    pub fn take(&mut self, object: &Object) -> io::Result<Option<String>> {
        let copied = match parts(object) {
            Ok(parts) => self.copy(object, &parts)?,
            Err(why) => Err(NotCopied(why.into())),
        };
        match copied {
            Ok(path) => {
                self.report.copied += 1;
                Ok(Some(path))
            }
            Err(NotCopied(why)) => {
                self.report.missing += 1;
                let display = || {
                    stored_path(
                        [object.bucket.as_bytes()].into_iter().chain(object.name.as_bytes().split(|b| *b == b'/')),
                    )
                };
                self.report.first_missing.get_or_insert_with(display);
                let sink = self.sink;
                let out = match &mut self.missing {
                    Some(out) => out,
                    none => none.insert(create(sink, "missing.jsonl")?),
                };
                let line =
                    json!({ "bucket": object.bucket, "name": object.name, "version": object.version, "why": why });
                writeln!(out, "{line}")?;
                Ok(None)
            }
        }
    }

    fn copy(&mut self, object: &Object, parts: &[&[u8]]) -> io::Result<Result<String, NotCopied>> {
        self.seen.push(path_hash(parts.iter().copied()));
        let (mut file, stat) = match open_parts(self.base.as_fd(), parts) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(NotCopied(error.to_string()))),
        };
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        if let Some(size) = object.size.filter(|size| *size != length) {
            return Ok(Err(NotCopied(format!("the file has {length} bytes, the database has {size}"))));
        }
        let attributes = attributes(&file);
        let path = format!("{STORAGE_DIR}/files/{}", stored_path(parts.iter().copied()));
        let copied = match begin(self.sink, &path, Category::Storage)? {
            Ok(out) => copy_open_file(&mut file, &stat, out)?,
            Err(why) => Err(why),
        };
        let artifact = match copied {
            Ok(artifact) => artifact,
            Err(why) => return Ok(Err(why)),
        };
        let line = json!({
            "file": path, "bucket": object.bucket, "name": object.name, "version": object.version,
            "bytes": artifact.bytes, "attributes": attributes,
        });
        writeln!(self.metadata, "{line}")?;
        Ok(Ok(path))
    }

    /// Lists the orphans and finishes the files.
    pub fn finish(mut self) -> io::Result<FilesReport> {
        self.list_orphans()?;
        finish(self.metadata)?;
        if let Some(missing) = self.missing {
            finish(missing)?;
        }
        Ok(self.report)
    }

    fn list_orphans(&mut self) -> io::Result<()> {
        self.seen.sort_unstable();
        let (seen, report, sink) = (&self.seen, &mut self.report, self.sink);
        let mut out: Option<BufWriter<ArtifactWriter<'_>>> = None;
        walk(self.base.as_fd(), &mut |entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err((path, error)) => {
                    let what = stored_path(path.iter().map(Vec::as_slice));
                    let todo = "make the folder readable and take the snapshot again";
                    report.gaps.push(Gap::new("storage_folder_not_read", what, error.to_string(), todo));
                    return Ok(false);
                }
            };
            if entry.kind == Kind::Folder {
                return Ok(true);
            }
            if seen.binary_search(&path_hash(entry.path.iter().map(Vec::as_slice))).is_ok() {
                return Ok(false);
            }
            report.orphans += 1;
            let bytes = folder::look(entry.folder, entry.name).map(|(_, stat)| stat.st_size).unwrap_or(0);
            let kind = match entry.kind {
                Kind::Link => "link",
                Kind::Special(what) => what,
                _ => "file",
            };
            let line =
                json!({ "path": stored_path(entry.path.iter().map(Vec::as_slice)), "kind": kind, "bytes": bytes });
            match &mut out {
                Some(out) => write!(out, ",\n{line}")?,
                none => write!(none.insert(create(sink, "orphans.json")?), "[\n{line}")?,
            }
            Ok(false)
        })?;
        if let Some(mut out) = out {
            out.write_all(b"\n]\n")?;
            finish(out)?;
        }
        Ok(())
    }
}

fn create<'s>(sink: &'s ArtifactSink, name: &str) -> io::Result<BufWriter<ArtifactWriter<'s>>> {
    Ok(BufWriter::new(sink.create(&format!("{STORAGE_DIR}/{name}"), Category::Storage)?))
}

/// The parts of the path below the tenant's folder, or the reason why there is none.
fn parts(object: &Object) -> Result<Vec<&[u8]>, &'static str> {
    let mut parts: Vec<&[u8]> = vec![object.bucket.as_bytes()];
    parts.extend(object.name.as_bytes().split(|b| *b == b'/').filter(|part| !part.is_empty()));
    parts.extend(object.version.as_deref().map(str::as_bytes));
    let fine = |part: &&[u8]| !part.is_empty() && *part != b"." && *part != b".." && !part.contains(&b'/');
    if parts.iter().all(fine) { Ok(parts) } else { Err("its name cannot be a path in the storage folder") }
}

fn open_parts(base: BorrowedFd<'_>, parts: &[&[u8]]) -> io::Result<(File, Stat)> {
    let Some((name, folders)) = parts.split_last() else { return Err(io::ErrorKind::NotFound.into()) };
    let mut at: Option<OwnedFd> = None;
    for part in folders {
        let next = folder::open_folder(at.as_ref().map_or(base, AsFd::as_fd), &CString::new(*part)?)?;
        at = Some(next);
    }
    folder::open_file(at.as_ref().map_or(base, AsFd::as_fd), &CString::new(*name)?)
}

fn path_hash<'p>(parts: impl Iterator<Item = &'p [u8]>) -> u128 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
        hasher.update(b"/");
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    u128::from_be_bytes(first)
}

/// The attributes of the storage service; empty if the file system does not support them.
fn attributes(file: &File) -> Map<String, Value> {
    let mut out = Map::new();
    let mut names = vec![0_u8; 64 * 1024];
    let Ok(length) = flistxattr(file, names.as_mut_slice()) else { return out };
    let mut value = vec![0_u8; 64 * 1024];
    for name in names[..length].split(|b| *b == 0).filter_map(|n| std::str::from_utf8(n).ok()) {
        if !name.starts_with(ATTRIBUTE_PREFIX) {
            continue;
        }
        let Ok(length) = fgetxattr(file, name, value.as_mut_slice()) else { continue };
        let bytes = &value[..length];
        let text = std::str::from_utf8(bytes).map_or_else(|_| json!({ "hex": hex(bytes) }), |text| json!(text));
        out.insert(name.to_string(), text);
    }
    out
}

/// The folder that holds the buckets: the configured one, or one of its tenants'. The one with the most buckets wins,
/// then the nearest. A tie is refused, because the folders may belong to two tenants.
fn find_base(root: OwnedFd, buckets: &[String]) -> io::Result<OwnedFd> {
    let names: Vec<CString> = buckets.iter().filter_map(|b| CString::new(b.as_str()).ok()).collect();
    let holds =
        |at: &OwnedFd| names.iter().filter(|n| matches!(folder::look(at.as_fd(), n), Ok((Kind::Folder, _)))).count();
    let mut best: Option<(usize, OwnedFd)> = None;
    let mut tie = false;
    let mut level = vec![root.try_clone()?];
    for _ in 0..=TENANT_DEPTH {
        let mut next = Vec::new();
        let mut best_of_level = 0;
        for at in level {
            let count = holds(&at);
            if count > best.as_ref().map_or(0, |b| b.0) {
                best = Some((count, at.try_clone()?));
                tie = false;
                best_of_level = count;
            } else if count > 0 && count == best_of_level {
                tie = true;
            }
            if count == 0 && next.len() < SEARCH_WIDTH {
                let below = folder::names(at.as_fd()).unwrap_or_default();
                next.extend(
                    below
                        .iter()
                        .take(SEARCH_WIDTH - next.len())
                        .filter_map(|n| folder::open_folder(at.as_fd(), n).ok()),
                );
            }
        }
        level = next;
    }
    if tie {
        let text = "it holds the buckets of more than one tenant: name the tenant's own folder";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(best.map_or(root, |(_, base)| base))
}

#[cfg(test)]
#[path = "storage_files_tests.rs"]
mod tests;
