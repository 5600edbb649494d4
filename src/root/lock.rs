//! The lock of a root folder: only one run at a time writes to it.
//!
//! Invariant: it is a kernel lock (released when its holder dies, so it is never stale); the text in the file only
//! tells who holds it. The file is never removed: otherwise two runs could get the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::snapshot::layout::ROOT_LOCK;

/// NONBLOCK: do not block if a pipe is in its place.
const FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);
const TEXT_MAX_BYTES: u64 = 4096;
/// [`holder`] takes a shared lock for an instant. A run that starts in that instant must not fail as busy: try again.
const RETRIES: u32 = 3;
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The holder of the lock, as written in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub run: String,
    pub started_at: Timestamp,
}

/// The held lock. It is released when dropped, or when the process dies.
#[derive(Debug)]
pub struct RootLock {
    file: File,
}

/// The result of trying to lock.
#[derive(Debug)]
pub enum Acquired {
    Held(RootLock),
    /// Another run holds it; with its text, if readable.
    Busy(Option<Holder>),
}

fn place(root: &Path) -> PathBuf {
    root.join(ROOT_LOCK)
}

fn open(root: &Path) -> Result<File> {
    let path = place(root);
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(FLAGS.bits().cast_signed())
        .open(&path)
        .map_err(|e| Failure::from(e).context(format!("cannot open the lock file {}", path.display())))
}

/// Locks an existing root folder, or returns who holds the lock. Waits only as long as a call of [`holder`] may take.
pub fn acquire(root: &Path) -> Result<Acquired> {
    let mut file = open(root)?;
    if !file.metadata()?.is_file() {
        let text = format!("the lock file {} is not an ordinary file", place(root).display());
        return Err(Failure::msg(FailureKind::Configuration, text).hint("move it away: the next run creates a new one"));
    }
    let mut outcome = file.try_lock();
    for _ in 0..RETRIES {
        if !matches!(outcome, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(RETRY_PAUSE);
        outcome = file.try_lock();
    }
    match outcome {
        Ok(()) => Ok(Acquired::Held(RootLock { file })),
        Err(TryLockError::WouldBlock) => Ok(Acquired::Busy(read_holder(&mut file))),
        Err(TryLockError::Error(e)) => Err(Failure::from(e)
            .context(format!("cannot lock {}", place(root).display()))
            .hint("the root folder must be on a file system that supports locks; put --root on a local disk")),
    }
}

/// The current holder of the lock; `None` if it is free. Takes and releases the lock if it is free.
pub fn holder(root: &Path) -> Option<Holder> {
    let mut file = OpenOptions::new().read(true).custom_flags(FLAGS.bits().cast_signed()).open(place(root)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_holder(&mut file),
        _ => None,
    }
}

/// Takes over a lock that another stacksnap process held and passed on as an open file (`--background`). `None` if the
/// file is not the lock file of this root.
pub fn inherit(root: &Path, file: File) -> Option<RootLock> {
    let given = file.metadata().ok()?;
    let there = std::fs::symlink_metadata(place(root)).ok()?;
    let same = given.is_file() && given.dev() == there.dev() && given.ino() == there.ino();
    // The lock belongs to the open file, not to a process: locking it again succeeds.
    (same && file.try_lock().is_ok()).then_some(RootLock { file })
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(TEXT_MAX_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

impl RootLock {
    /// Writes the holder into the file, for other runs that find it locked.
    pub fn sign(&mut self, holder: &Holder) -> Result<()> {
        let text = serde_json::to_string(holder).map_err(anyhow::Error::new)?;
        let mut write = || -> io::Result<()> {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        };
        write().map_err(|e| Failure::from(e).context("cannot write the holder into the lock file"))
    }

    /// A handle of the open file, to pass the lock on to a child. The lock lasts until both handles are closed.
    pub fn share(&self) -> Result<File> {
        self.file.try_clone().map_err(|e| Failure::new(FailureKind::Failed, e).context("cannot pass the lock on"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me(run: &str) -> Holder {
        Holder { pid: std::process::id(), run: run.into(), started_at: "2026-01-30T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
        let Acquired::Held(mut lock) = acquire(dir.path()).unwrap() else { panic!("free") };
        lock.sign(&me("run_a_with_a_long_name")).unwrap();
        lock.sign(&me("run_b")).unwrap();
        let Acquired::Busy(Some(other)) = acquire(dir.path()).unwrap() else { panic!("held") };
        assert_eq!(other.run, "run_b");
        assert_eq!(holder(dir.path()).unwrap().run, "run_b");
        drop(lock);
        assert_eq!(holder(dir.path()), None);
        assert!(matches!(acquire(dir.path()).unwrap(), Acquired::Held(_)));
    }

    #[test]
    fn a_lock_is_passed_on_without_a_moment_in_between() {
        let dir = tempfile::tempdir().unwrap();
        let Acquired::Held(lock) = acquire(dir.path()).unwrap() else { panic!("free") };
        let passed = lock.share().unwrap();
        drop(lock);
        assert!(matches!(acquire(dir.path()).unwrap(), Acquired::Busy(_)));
        let inherited = inherit(dir.path(), passed).unwrap();
        assert!(matches!(acquire(dir.path()).unwrap(), Acquired::Busy(_)));
        drop(inherited);
        assert!(matches!(acquire(dir.path()).unwrap(), Acquired::Held(_)));
    }

    #[test]
    fn only_the_lock_file_itself_is_inherited() {
        let dir = tempfile::tempdir().unwrap();
        drop(acquire(dir.path()).unwrap());
        std::fs::write(dir.path().join("other"), "").unwrap();
        assert!(inherit(dir.path(), File::open(dir.path().join("other")).unwrap()).is_none());
        assert!(inherit(dir.path(), File::open("/dev/null").unwrap()).is_none());
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("target"), "").unwrap();
        std::os::unix::fs::symlink("target", dir.path().join(ROOT_LOCK)).unwrap();
        assert!(acquire(dir.path()).is_err());
    }
}
