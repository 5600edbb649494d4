//! The only way to add a file to a snapshot: created with 0600 in the partial folder, hashed and counted while it is
//! written, recorded when it is finished.
//!
//! Invariant: a path is relative, has no `..`, and is always a new file (never through a link, never over a file). A
//! writer that is dropped without `finish` leaves no record and no file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use crate::model::category::Category;
use crate::model::hex::hex;
use crate::model::outcome::Artifact;

/// Creates and records the files of one snapshot. Shared by all collectors and threads.
pub struct ArtifactSink {
    root: PathBuf,
    records: Mutex<Vec<Artifact>>,
}

impl ArtifactSink {
    /// A sink that writes into `root`, an existing folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), records: Mutex::new(Vec::new()) }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The full path of a file. Fails if `path` could leave the folder.
    pub fn place(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        let plain = relative.components().all(|c| matches!(c, Component::Normal(_)));
        if !plain || path.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("not a path inside the snapshot: {path:?}"),
            ));
        }
        Ok(self.root.join(relative))
    }

    /// Creates a file (0600). Parent folders are created with 0700.
    pub fn create(&self, path: &str, category: Category) -> io::Result<ArtifactWriter<'_>> {
        self.create_with_mode(path, category, 0o600)
    }

    /// Creates an executable file (0700): the restore script.
    pub fn create_executable(&self, path: &str, category: Category) -> io::Result<ArtifactWriter<'_>> {
        self.create_with_mode(path, category, 0o700)
    }

    fn create_with_mode(&self, path: &str, category: Category, mode: u32) -> io::Result<ArtifactWriter<'_>> {
        let place = self.place(path)?;
        if let Some(parent) = place.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&place)?;
        Ok(ArtifactWriter {
            sink: self,
            file,
            place: Some(place),
            path: path.to_string(),
            category,
            hasher: Sha256::new(),
            bytes: 0,
        })
    }

    /// Writes a small file as a whole.
    pub fn write(&self, path: &str, category: Category, content: &[u8]) -> io::Result<Artifact> {
        let mut writer = self.create(path, category)?;
        writer.write_all(content)?;
        writer.finish()
    }

    /// Records a file that another program wrote into the folder (the archive's table of contents).
    pub fn adopt(&self, path: &str, category: Category) -> io::Result<Artifact> {
        let mut file = File::open(self.place(path)?)?;
        let mut hashing = HashingWriter { hasher: Sha256::new(), bytes: 0 };
        io::copy(&mut file, &mut hashing)?;
        let sha256 = hex(&hashing.hasher.finalize());
        Ok(self.record(Artifact { path: path.to_string(), category, bytes: hashing.bytes, sha256 }))
    }

    /// The finished files so far, sorted by path.
    pub fn artifacts(&self) -> Vec<Artifact> {
        let mut records = self.records.lock().map(|r| r.clone()).unwrap_or_default();
        records.sort_by(|a, b| a.path.cmp(&b.path));
        records
    }

    fn record(&self, artifact: Artifact) -> Artifact {
        if let Ok(mut records) = self.records.lock() {
            records.push(artifact.clone());
        }
        artifact
    }
}

/// A piece is hashed right after it is written, while it is still in the CPU cache.
const PIECE_BYTES: usize = 64 << 10;

struct HashingWriter {
    hasher: Sha256,
    bytes: u64,
}

impl Write for HashingWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.hasher.update(buf);
        self.bytes += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One file being written. Unbuffered: write large pieces, or wrap it in a `BufWriter`.
pub struct ArtifactWriter<'a> {
    sink: &'a ArtifactSink,
    file: File,
    /// The file's path, until it is finished.
    place: Option<PathBuf>,
    path: String,
    category: Category,
    hasher: Sha256,
    bytes: u64,
}

impl ArtifactWriter<'_> {
    /// Finishes and records the file. Without this call the file is not part of the snapshot.
    pub fn finish(mut self) -> io::Result<Artifact> {
        self.place = None;
        let sha256 = hex(&std::mem::take(&mut self.hasher).finalize());
        let path = std::mem::take(&mut self.path);
        Ok(self.sink.record(Artifact { path, category: self.category, bytes: self.bytes, sha256 }))
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for ArtifactWriter<'_> {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            let _ = std::fs::remove_file(place);
        }
    }
}

impl Write for ArtifactWriter<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(&buf[..buf.len().min(PIECE_BYTES)])?;
        self.hasher.update(&buf[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_private_hashed_and_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let sink = ArtifactSink::new(dir.path());
        let artifact = sink.write("a/b.sql", Category::Policies, b"abc").unwrap();
        assert_eq!(artifact.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(std::fs::metadata(dir.path().join("a/b.sql")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(dir.path().join("a")).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(sink.artifacts(), vec![artifact]);
    }

    #[test]
    fn nothing_leaves_the_folder_or_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let sink = ArtifactSink::new(dir.path());
        for path in ["../x", "/x", "a/../../x", "", "./x"] {
            assert!(sink.write(path, Category::Report, b"").is_err(), "{path}");
        }
        sink.write("x", Category::Report, b"1").unwrap();
        assert!(sink.write("x", Category::Report, b"2").is_err());
        std::os::unix::fs::symlink("/tmp", dir.path().join("link.sql")).unwrap();
        assert!(sink.write("link.sql", Category::Report, b"2").is_err());
    }

    #[test]
    fn an_unfinished_file_is_no_artifact() {
        let dir = tempfile::tempdir().unwrap();
        let sink = ArtifactSink::new(dir.path());
        sink.create("x", Category::Report).unwrap().write_all(b"half").unwrap();
        assert!(sink.artifacts().is_empty());
        assert!(!dir.path().join("x").exists(), "verify would report a leftover file");
    }
}
