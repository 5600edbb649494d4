//! Single flight: one run at a time writes below a root folder.
//!
//! Invariant: the lock is the kernel's (it dies with its holder, so none can be stale); the text in the file only
//! says who holds it. The file is never removed: a removed lock file lets two runs in.

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

/// NONBLOCK: a pipe in its place is not waited for.
const FLAGS: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);
const TEXT_MAX_BYTES: u64 = 4096;
/// [`holder`] holds a shared lock for an instant; a run that starts in that instant must not be told "busy".
const GLANCES: u32 = 3;
const GLANCE: Duration = Duration::from_millis(10);

/// Who holds the lock, as written in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub run: String,
    pub started_at: Timestamp,
}

/// The held lock. Dropping it (or dying) lets the next one in.
#[derive(Debug)]
pub struct RootLock {
    file: File,
}

/// What came of trying.
#[derive(Debug)]
pub enum Acquired {
    Held(RootLock),
    /// Somebody else has it; their text where it can be read.
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

/// Takes the lock of an existing root folder, or says who has it. Waits no longer than a glance of [`holder`] takes.
pub fn acquire(root: &Path) -> Result<Acquired> {
    let mut file = open(root)?;
    if !file.metadata()?.is_file() {
        let text = format!("the lock file {} is not an ordinary file", place(root).display());
        return Err(Failure::msg(FailureKind::Configuration, text).hint("move it away: it is made anew"));
    }
    let mut outcome = file.try_lock();
    for _ in 0..GLANCES {
        if !matches!(outcome, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(GLANCE);
        outcome = file.try_lock();
    }
    match outcome {
        Ok(()) => Ok(Acquired::Held(RootLock { file })),
        Err(TryLockError::WouldBlock) => Ok(Acquired::Busy(read_holder(&mut file))),
        Err(TryLockError::Error(e)) => Err(Failure::from(e)
            .context(format!("cannot lock {}", place(root).display()))
            .hint("the root folder must be on a file system with locks; put --root on a local disk")),
    }
}

/// Who holds the lock now; `None` when nobody does. Takes and releases it when it is free.
pub fn holder(root: &Path) -> Option<Holder> {
    let mut file = OpenOptions::new().read(true).custom_flags(FLAGS.bits().cast_signed()).open(place(root)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_holder(&mut file),
        _ => None,
    }
}

/// Takes over a lock that another process of ours held and passed on as an open file (`--background`).
/// `None` when the file is not the lock file of this root.
pub fn inherit(root: &Path, file: File) -> Option<RootLock> {
    let given = file.metadata().ok()?;
    let there = std::fs::symlink_metadata(place(root)).ok()?;
    let same = given.is_file() && given.dev() == there.dev() && given.ino() == there.ino();
    // The lock belongs to the open file, not to a process: locking again what is ours succeeds.
    (same && file.try_lock().is_ok()).then_some(RootLock { file })
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(TEXT_MAX_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

impl RootLock {
    /// Writes who we are into the file, for those who find it locked.
    pub fn sign(&mut self, holder: &Holder) -> Result<()> {
        let text = serde_json::to_string(holder).map_err(anyhow::Error::new)?;
        let mut write = || -> io::Result<()> {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(text.as_bytes())
        };
        write().map_err(|e| Failure::from(e).context("cannot write who holds the lock"))
    }

    /// The open file, to pass the lock on to a child. The lock lasts until both have closed it.
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
