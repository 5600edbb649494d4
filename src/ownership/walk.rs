//! Follows a path from `/` down, one handle after the other, and checks the owner and the mode of each part.
//!
//! Invariant: each part is opened below the handle of its parent without following a link; a link is read and followed
//! by the same rules. In a folder that only trusted users can write to, or in a sticky folder where the part is theirs,
//! no other user can replace a part between the check and the opening. The first doubt is kept, and the path is
//! followed to its end: a missing file is reported as missing, not as untrusted.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Doubt, Last, Owners, Why};

/// The same limit as the kernel's.
const LINKS_MAX: u32 = 40;
/// O_PATH passes through a folder without the right to list it.
#[cfg(target_os = "linux")]
const THROUGH: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const THROUGH: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The last part of a path.
pub enum Found {
    File(Entry),
    Folder(OwnedFd),
    /// What it is, e.g. "a pipe".
    Special(&'static str),
}

/// An ordinary file that was checked and is not open yet: its folder and its name.
pub struct Entry {
    folder: OwnedFd,
    name: OsString,
    seen: (u64, u64),
}

/// The end of the path, and the first part of it that another user can change.
pub struct Reached {
    pub found: Option<Found>,
    pub doubt: Option<Doubt>,
}

impl Entry {
    /// Opens the file that was checked. An error if it was replaced meanwhile.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty())?);
        if identity(&rustix::fs::fstat(&file)?) != self.seen {
            return Err(io::Error::other("it was replaced while it was opened"));
        }
        Ok(file)
    }
}

#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the types differ between systems")]
fn identity(facts: &Stat) -> (u64, u64) {
    (facts.st_dev as u64, facts.st_ino as u64)
}

/// The open folders from `/` to the current one.
struct Way<'a> {
    owners: &'a Owners,
    folders: Vec<(OwnedFd, PathBuf)>,
    doubt: Option<Doubt>,
}

/// Follows `path`; a relative path starts in the current folder.
pub fn walk(owners: &Owners, path: &Path, last: Last) -> io::Result<Reached> {
    let path = std::path::absolute(path)?;
    let mut ahead = parts_backwards(&path);
    let top = rustix::fs::open("/", THROUGH, Mode::empty())?;
    let mut way = Way { owners, folders: Vec::new(), doubt: None };
    way.enter(top, PathBuf::from("/"))?;
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == ".." {
            if way.folders.len() > 1 {
                way.folders.pop();
            }
            continue;
        }
        let place = way.place().join(&name);
        let facts = match rustix::fs::statat(way.here(), &name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(facts) => facts,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Reached { found: None, doubt: way.doubt }),
            Err(error) => return Err(error.into()),
        };
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::Directory => {
                let handle = rustix::fs::openat(way.here(), &name, THROUGH, Mode::empty())?;
                way.enter(handle, place)?;
            }
            FileType::Symlink => {
                way.look(&facts, None, &place);
                if ahead.is_empty() && last == Last::NoLink {
                    return Ok(Reached { found: Some(Found::Special("a link")), doubt: way.doubt });
                }
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP.into());
                }
                let target = rustix::fs::readlinkat(way.here(), &name, Vec::new())?.into_bytes();
                let target = PathBuf::from(OsString::from_vec(target));
                if target.is_absolute() {
                    way.folders.truncate(1);
                }
                ahead.extend(parts_backwards(&target));
            }
            // The path goes on below a file, so it does not exist.
            _ if !ahead.is_empty() => return Ok(Reached { found: None, doubt: way.doubt }),
            kind => return way.end(kind, &facts, name, &place),
        }
    }
    let found = way.folders.pop().map(|(handle, _)| Found::Folder(handle));
    Ok(Reached { found, doubt: way.doubt })
}

/// The parts of a path in reverse order.
fn parts_backwards(path: &Path) -> Vec<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<OsString> = parts.collect();
    parts.reverse();
    parts
}

impl Way<'_> {
    fn here(&self) -> BorrowedFd<'_> {
        self.folders.last().map_or(rustix::fs::CWD, |(handle, _)| handle.as_fd())
    }

    fn place(&self) -> &Path {
        self.folders.last().map_or(Path::new("/"), |(_, place)| place)
    }

    fn enter(&mut self, handle: OwnedFd, place: PathBuf) -> io::Result<()> {
        let facts = rustix::fs::fstat(&handle)?;
        self.look(&facts, Some(handle.as_fd()), &place);
        self.folders.push((handle, place));
        Ok(())
    }

    /// The end of the path, when it is neither a folder nor a link.
    fn end(mut self, kind: FileType, facts: &Stat, name: OsString, place: &Path) -> io::Result<Reached> {
        let special = match kind {
            FileType::RegularFile => None,
            FileType::Fifo => Some("a pipe"),
            FileType::Socket => Some("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
            _ => Some("something special"),
        };
        self.look(facts, None, place);
        let found = match special {
            Some(words) => Found::Special(words),
            None => {
                let folder = self.here().try_clone_to_owned()?;
                Found::File(Entry { folder, name, seen: identity(facts) })
            }
        };
        Ok(Reached { found: Some(found), doubt: self.doubt })
    }

    /// Records the first doubt. `folder` is the handle of a folder, which may be sticky.
    fn look(&mut self, facts: &Stat, folder: Option<BorrowedFd<'_>>, place: &Path) {
        if self.doubt.is_some() {
            return;
        }
        let mode = Mode::from_raw_mode(facts.st_mode);
        // A link has no mode of its own; the mode of its folder decides.
        let link = FileType::from_raw_mode(facts.st_mode) == FileType::Symlink;
        // In a sticky folder only the owner can replace an entry, and entries of other owners are refused.
        let closed = link || folder.is_some() && mode.contains(Mode::SVTX);
        let why = if !self.owners.trusts(facts.st_uid) {
            Some(Why::Owner(facts.st_uid))
        } else if closed {
            None
        } else if mode.contains(Mode::WOTH) {
            Some(Why::Everybody)
        } else if mode.contains(Mode::WGRP) && (!self.owners.is_private(facts.st_gid) || self.has_list(folder, place)) {
            Some(Why::Group(facts.st_gid))
        } else {
            None
        };
        self.doubt = why.map(|why| Doubt { place: place.to_path_buf(), why });
    }

    /// An ACL can give other users rights; then the group bits of the mode are the mask of the ACL.
    #[cfg(target_os = "linux")]
    fn has_list(&self, folder: Option<BorrowedFd<'_>>, place: &Path) -> bool {
        use std::os::fd::AsRawFd;
        let handle = folder.map(|handle| PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd())));
        let place = handle.as_deref().unwrap_or(place);
        let size = rustix::fs::getxattr(place, "system.posix_acl_access", &mut [0_u8; 0][..]);
        size.is_ok_and(|size| size > 0)
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self, reason = "the same call on every system")]
    fn has_list(&self, _folder: Option<BorrowedFd<'_>>, _place: &Path) -> bool {
        false
    }
}
