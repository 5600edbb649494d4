//! Opens folders and files by handle: every step is opened below the previous one, and no link is followed.
//!
//! Invariant (threat 11): only the folder that the user names is opened by path. Below it, a link (also one that is
//! swapped in) is an error and never leads outside. A special file (pipe, device, socket) is never opened.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `NONBLOCK`: a pipe that is swapped in between `stat` and `open` does not block the run.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// The kind of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    Special(&'static str),
}

/// Opens the folder that the user named. Its own path may contain links, because the user chose it.
pub fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Opens a folder inside a folder; a link is an error.
pub fn open_folder(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<OwnedFd> {
    Ok(openat(folder, name, FOLDER, Mode::empty())?)
}

/// Opens a folder some levels below, e.g. `["supabase", "functions"]`. `None` when it does not exist.
pub fn open_below(root: BorrowedFd<'_>, steps: &[&str]) -> io::Result<Option<OwnedFd>> {
    let mut at: Option<OwnedFd> = None;
    for step in steps {
        let name = CString::new(*step)?;
        let from = at.as_ref().map_or(root, AsFd::as_fd);
        match open_folder(from, &name) {
            Ok(next) => at = Some(next),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}

/// Opens a regular file in a folder. Anything else is an error and is not opened.
pub fn open_file(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<(File, Stat)> {
    if kind(&statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?) != Kind::File {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = openat(folder, name, FILE, Mode::empty())?;
    let stat = fstat(&file)?;
    if kind(&stat) != Kind::File {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file any more"));
    }
    Ok((File::from(file), stat))
}

/// Opens a small text file some levels below the root, e.g. `["supabase", "config.toml"]`; `None` when it does not
/// exist.
pub fn open_file_below(root: BorrowedFd<'_>, steps: &[&str]) -> io::Result<Option<(File, Stat)>> {
    let Some((name, folders)) = steps.split_last() else { return Ok(None) };
    let folder = if folders.is_empty() { None } else { open_below(root, folders)? };
    if folder.is_none() && !folders.is_empty() {
        return Ok(None);
    }
    match open_file(folder.as_ref().map_or(root, AsFd::as_fd), &CString::new(*name)?) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder, sorted by their bytes, without `.` and `..`.
pub fn names(folder: BorrowedFd<'_>) -> io::Result<Vec<CString>> {
    let mut out = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if name.as_bytes() != b"." && name.as_bytes() != b".." {
            out.push(name);
        }
    }
    out.sort();
    Ok(out)
}

/// The kind of an entry, without following a link.
pub fn look(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<(Kind, Stat)> {
    let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((kind(&stat), stat))
}

/// The target of a link, as stored in the link.
pub fn link_target(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<Vec<u8>> {
    Ok(readlinkat(folder, name, Vec::new())?.into_bytes())
}

fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Special("named pipe"),
        FileType::Socket => Kind::Special("socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Special("device"),
        _ => Kind::Special("special file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_11_a_link_is_no_folder_and_no_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("real")).unwrap();
        std::fs::write(dir.path().join("real/x"), "x").unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("x", dir.path().join("real/y")).unwrap();
        let root = open_root(dir.path()).unwrap();
        assert!(open_below(root.as_fd(), &["link"]).is_err());
        assert!(open_below(root.as_fd(), &["gone"]).unwrap().is_none());
        assert!(open_file_below(root.as_fd(), &["link", "x"]).is_err());
        assert!(open_file_below(root.as_fd(), &["real", "y"]).is_err());
        assert!(open_file_below(root.as_fd(), &["real", "x"]).unwrap().is_some());
        assert!(open_file_below(root.as_fd(), &["real"]).is_err());
    }
}
