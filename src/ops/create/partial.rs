//! The folder that a run writes into: `<name>.partial`, which is removed unless it was sealed.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::ids::SnapshotName;
use crate::snapshot::layout::PARTIAL_SUFFIX;

/// A partial folder of this run. Dropping it removes it.
pub struct PartialFolder {
    name: SnapshotName,
    place: PathBuf,
    keep: bool,
}

impl PartialFolder {
    /// Creates the folder for a snapshot taken at `now`. If the name exists, a number is appended.
    pub fn create(root: &Path, now: Timestamp) -> Result<Self> {
        for attempt in 1..1000 {
            let name = SnapshotName::at(now, attempt);
            let place = root.join(format!("{name}{PARTIAL_SUFFIX}"));
            if std::fs::symlink_metadata(root.join(name.as_str())).is_ok() {
                continue;
            }
            match make(&place) {
                Ok(()) => return Ok(Self { name, place, keep: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let shown = place.display().to_string();
                    return Err(Failure::from(error).context(format!("cannot make the folder {shown}")));
                }
            }
        }
        Err(Failure::msg(FailureKind::Failed, "1,000 snapshots already use this timestamp"))
    }

    pub fn name(&self) -> &SnapshotName {
        &self.name
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Removes what an attempt wrote and creates the folder again.
    pub fn empty(&mut self) -> Result<()> {
        std::fs::remove_dir_all(&self.place)?;
        make(&self.place)?;
        Ok(())
    }

    /// Keeps the folder: it was sealed under its final name.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

fn make(place: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(place)
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_in_the_same_second_gets_a_number_and_nothing_stays_behind() {
        let root = tempfile::tempdir().unwrap();
        let now: Timestamp = "2026-01-30T12:00:05Z".parse().unwrap();
        std::fs::create_dir(root.path().join("comprehensive_backup_20260130_120005")).unwrap();
        let folder = PartialFolder::create(root.path(), now).unwrap();
        assert_eq!(folder.name().as_str(), "comprehensive_backup_20260130_120005_2");
        std::fs::write(folder.place().join("x"), "half").unwrap();
        let place = folder.place().to_path_buf();
        drop(folder);
        assert!(!place.exists());
    }
}
