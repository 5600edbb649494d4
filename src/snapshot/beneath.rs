//! Opens files inside a snapshot's folder safely, whatever the folder contains.
//!
//! Invariant: it never follows a link in any part of the path below the folder, opens only regular files, and never
//! blocks on a pipe or device. The folder itself may be reached through a link (`latest`, a label).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// Why a file in the folder was not opened.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("it does not exist")]
    Missing,
    #[error("it is a link")]
    Link,
    #[error("it is not an ordinary file")]
    Special,
    #[error("it is not a path inside the snapshot")]
    Outside,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An open folder of a snapshot.
pub struct Folder {
    handle: OwnedFd,
    place: PathBuf,
}

impl Folder {
    pub fn open(place: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(place, flags, Mode::empty())?;
        Ok(Self { handle, place: place.to_path_buf() })
    }

    /// The path it was opened with.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Opens a regular file for reading by its path in the snapshot.
    pub fn file(&self, path: &str) -> Result<File, Refusal> {
        let parts: Vec<_> = Path::new(path)
            .components()
            .map(|part| if let Component::Normal(name) = part { Ok(name) } else { Err(Refusal::Outside) })
            .collect::<Result<_, _>>()?;
        let Some((name, folders)) = parts.split_last() else { return Err(Refusal::Outside) };
        let through = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at: Option<OwnedFd> = None;
        for folder in folders {
            let parent = at.as_ref().map_or(self.handle.as_fd(), OwnedFd::as_fd);
            at = Some(rustix::fs::openat(parent, *folder, through, Mode::empty()).map_err(refusal)?);
        }
        let parent = at.as_ref().map_or(self.handle.as_fd(), OwnedFd::as_fd);
        // NONBLOCK: opening a pipe without a writer must not block.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(parent, *name, flags, Mode::empty()).map_err(refusal)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(Refusal::Special) }
    }

    /// Reads a whole file of at most `limit` bytes.
    pub fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Refusal> {
        let file = self.file(path)?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(Refusal::Io(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than allowed")));
        }
        Ok(bytes)
    }
}

fn refusal(error: rustix::io::Errno) -> Refusal {
    use rustix::io::Errno;
    match error {
        Errno::NOENT => Refusal::Missing,
        // A link as the last part gives LOOP (MLINK on some systems); in the middle, with DIRECTORY, it gives NOTDIR.
        Errno::LOOP | Errno::MLINK | Errno::NOTDIR => Refusal::Link,
        // Sockets, and devices without a driver.
        Errno::NXIO | Errno::OPNOTSUPP | Errno::NODEV => Refusal::Special,
        other => Refusal::Io(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_pipes_and_ways_out_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/x"), "abc").unwrap();
        symlink("a/x", dir.path().join("to_file")).unwrap();
        symlink("a", dir.path().join("to_folder")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0)
            .unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert_eq!(folder.read("a/x", 3).unwrap(), b"abc");
        assert!(matches!(folder.read("a/x", 2), Err(Refusal::Io(_))));
        assert!(matches!(folder.file("to_file"), Err(Refusal::Link)));
        assert!(matches!(folder.file("to_folder/x"), Err(Refusal::Link)));
        assert!(matches!(folder.file("pipe"), Err(Refusal::Special)));
        assert!(matches!(folder.file("a"), Err(Refusal::Special)));
        assert!(matches!(folder.file("b"), Err(Refusal::Missing)));
        for path in ["../x", "/etc/passwd", "a/../../x", ""] {
            assert!(matches!(folder.file(path), Err(Refusal::Outside)), "{path}");
        }
    }
}
