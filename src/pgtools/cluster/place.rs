//! The folder of a throw-away cluster: where it is created, who owns it, and which leftovers are removed.
//!
//! Invariant: a sweep removes a folder only if its name is ours, it belongs to our user, and the process that created
//! it is gone (`owner` has its PID and start time). It never removes a cluster that was kept on purpose, and never
//! follows a link.

use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::run_as::RunAs;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::proc::other;

pub const PREFIX: &str = "stacksnap-drill-";
const OWNER: &str = "owner";
const KEPT: &str = "kept";
/// Maximum length of the folder's path: the socket's name is appended, and socket paths are limited to about 104 bytes.
const PATH_MAX: usize = 75;
/// Size of a new cluster with its first WAL.
const EMPTY_CLUSTER_BYTES: u64 = 200 << 20;
/// An immediate shutdown takes milliseconds; after this time the server is killed.
const QUIT_MAX: Duration = Duration::from_secs(8);

/// The folder of one cluster.
#[derive(Debug)]
pub struct Place {
    pub path: PathBuf,
}

impl Place {
    /// Creates a folder in the first suitable parent: it exists, has room for three times the data, its path is short,
    /// and the server's user can enter it.
    pub fn make(parents: &[PathBuf], run_as: &RunAs, data_bytes: u64) -> Result<Self> {
        let needed = data_bytes.saturating_mul(3).saturating_add(EMPTY_CLUSTER_BYTES);
        let mut refused = Vec::new();
        for parent in parents {
            match suitable(parent, run_as, needed) {
                Ok(parent) => return Self::make_in(&parent, run_as),
                Err(why) => refused.push(format!("{}: {why}", parent.display())),
            }
        }
        Err(Failure::msg(
            FailureKind::NotProven,
            format!("no place for a throw-away cluster, which may need {needed} bytes: {}", refused.join("; ")),
        )
        .hint("free space, or use a folder on a larger disk: TMPDIR=/path stacksnap drill …"))
    }

    fn make_in(parent: &Path, run_as: &RunAs) -> Result<Self> {
        let cannot = |e: std::io::Error| Failure::new(FailureKind::NotProven, e).context("cannot create a folder");
        let path = tempfile::Builder::new().prefix(PREFIX).rand_bytes(8).tempdir_in(parent).map_err(cannot)?.keep();
        let place = Self { path };
        place.create_subfolders(run_as).inspect_err(|_| place.remove()).map_err(cannot)?;
        Ok(place)
    }

    fn create_subfolders(&self, run_as: &RunAs) -> std::io::Result<()> {
        std::fs::write(self.path.join(OWNER), other::own_mark())?;
        for folder in [self.data(), self.socket()] {
            std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
            run_as.give(&folder)?;
        }
        // The server's user must be able to traverse it to reach its two folders, which are closed to all others.
        let mode = if matches!(run_as, RunAs::User { .. }) { 0o711 } else { 0o700 };
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(mode))
    }

    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join("socket")
    }

    pub fn log(&self) -> PathBuf {
        self.data().join("server.log")
    }

    /// Protects it from sweeps.
    pub fn mark_kept(&self) -> std::io::Result<()> {
        std::fs::write(self.path.join(KEPT), "")
    }

    /// The PID of the server that runs in it.
    pub fn server_pid(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.trim().parse().ok()?;
        other::works_in(pid, &self.data()).then_some(pid)
    }

    /// Stops the server immediately and removes everything.
    pub fn clear(&self) {
        if let Some(pid) = self.server_pid() {
            other::quit(pid);
            let until = Instant::now() + QUIT_MAX;
            while other::works_in(pid, &self.data()) {
                if Instant::now() > until {
                    other::kill(pid);
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.remove();
    }

    fn remove(&self) {
        // The server's last child processes may still be closing their files.
        for _ in 0..20 {
            match std::fs::remove_dir_all(&self.path) {
                Err(e) if e.kind() != ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(50)),
                _ => return,
            }
        }
    }
}

/// The parent with links resolved, or why it is not suitable.
fn suitable(parent: &Path, run_as: &RunAs, needed: u64) -> Result<PathBuf, String> {
    let parent = parent.canonicalize().map_err(|e| e.to_string())?;
    if parent.as_os_str().len() + PREFIX.len() + 9 > PATH_MAX {
        return Err("its path is too long for a socket".to_string());
    }
    if rustix::fs::access(&parent, rustix::fs::Access::WRITE_OK).is_err() {
        return Err("not writable".to_string());
    }
    let free = rustix::fs::statvfs(&parent).map_err(|e| e.to_string())?;
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    if free < needed {
        return Err(format!("only {free} bytes are free"));
    }
    if !run_as.can_enter(&parent) {
        return Err("the user that the server runs as cannot enter it".to_string());
    }
    Ok(parent)
}

/// Removes what killed runs left in these folders. Returns the removed folders.
pub fn sweep(parents: &[PathBuf]) -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> = parents.iter().filter_map(|p| p.canonicalize().ok()).collect();
    parents.sort();
    parents.dedup();
    let mut removed = Vec::new();
    for parent in parents {
        let Ok(entries) = std::fs::read_dir(&parent) else { continue };
        for entry in entries.flatten() {
            let place = Place { path: entry.path() };
            if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_stale(&place) {
                place.clear();
                removed.push(place.path);
            }
        }
    }
    removed
}

fn is_stale(place: &Place) -> bool {
    let ours = std::fs::symlink_metadata(&place.path)
        .is_ok_and(|m| m.is_dir() && m.uid() == rustix::process::geteuid().as_raw());
    if !ours || place.path.join(KEPT).exists() {
        return false;
    }
    let Ok(text) = std::fs::read_to_string(place.path.join(OWNER)) else {
        // Either killed before the owner file was written, or a run that is about to write it: wait a minute.
        return older_than_a_minute(&place.path);
    };
    other::is_gone(&text)
}

fn older_than_a_minute(path: &Path) -> bool {
    let modified = std::fs::symlink_metadata(path).and_then(|m| m.modified());
    modified.is_ok_and(|t| t.elapsed().is_ok_and(|age| age > Duration::from_secs(60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_run_of_ours_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, owner: &str| {
            let path = dir.path().canonicalize().unwrap().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(OWNER), owner).unwrap();
            path
        };
        let own = other::own_mark();
        let dead = make("stacksnap-drill-dead", "4194305\n1\n");
        let reused = make("stacksnap-drill-reused", &format!("{}\nlong ago\n", crate::proc::own::pid()));
        let alive = make("stacksnap-drill-alive", &own);
        let kept = make("stacksnap-drill-kept", "4194305\n1\n");
        std::fs::write(kept.join(KEPT), "").unwrap();
        let other = make("something-else", "4194305\n1\n");
        let target = make("target", "4194305\n1\n");
        std::os::unix::fs::symlink(&target, dir.path().join("stacksnap-drill-link")).unwrap();
        let mut removed = sweep(&[dir.path().to_path_buf(), dir.path().to_path_buf()]);
        removed.sort();
        assert_eq!(removed, [dead, reused]);
        assert!(alive.exists() && kept.exists() && other.exists() && target.join(OWNER).exists());
    }

    #[test]
    fn trap_24_three_times_the_data_must_be_free_and_the_path_short() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(80));
        std::fs::create_dir(&long).unwrap();
        let parents = [long, PathBuf::from("/nonexistent"), dir.path().to_path_buf()];
        let failure = Place::make(&parents, &RunAs::Ourselves, u64::MAX / 4).unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotProven);
        let text = failure.to_string();
        assert!(
            text.contains("too long") && text.contains("bytes are free") && text.contains("No such file"),
            "{text}"
        );
    }
}
