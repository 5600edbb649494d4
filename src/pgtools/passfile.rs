//! The password file for libpq's programs: an anonymous memory file if the system supports it.
//!
//! Invariant (trap 34): libpq accepts a password file that is a regular file without rights for others; a sealed memfd
//! with mode 0600 qualifies. The child gets it as standard input, so no other program inherits it, and if we are
//! killed, no file remains. Without memfd, the file is in a folder of ours (0700) with an owner mark; the guardian of
//! the program removes it, or the next run does. It is never where other users can read it.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::proc::{Program, other};

/// Prefix of our folders, and of the files written by versions before 0.2.
const PREFIX: &str = ".stacksnap-pgpass-";
const OWNER: &str = "owner";
const PASSWORDS: &str = "pgpass";
/// After this time, a program that connects has certainly read its file.
const FILE_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A run may have created its folder and not yet written the owner mark.
const UNSIGNED_MAX: Duration = Duration::from_secs(60);

/// The password file for one program. Dropping it removes it.
#[derive(Debug)]
pub enum Passfile {
    Memory(File),
    Folder(PathBuf),
}

impl Passfile {
    /// Creates it in memory, or if that is not possible in a folder below `temp_dir`.
    pub fn new(text: &str, temp_dir: &Path) -> io::Result<Self> {
        sweep(temp_dir);
        in_memory(text).map_or_else(|| Self::in_folder(text, temp_dir), |file| Ok(Self::Memory(file)))
    }

    /// The fallback without memfd.
    fn in_folder(text: &str, temp_dir: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix(PREFIX).rand_bytes(8).permissions(Permissions::from_mode(0o700));
        let folder = builder.tempdir_in(temp_dir)?.keep();
        let place = Self::Folder(folder.clone());
        write_new(&folder.join(OWNER), &other::own_mark())?;
        write_new(&folder.join(PASSWORDS), text)?;
        Ok(place)
    }

    /// The value of `PGPASSFILE` for the program.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Memory(_) => PathBuf::from("/proc/self/fd/0"),
            Self::Folder(folder) => folder.join(PASSWORDS),
        }
    }

    /// Passes it to a program that does not read its standard input.
    pub fn give(&self, program: Program) -> io::Result<Program> {
        Ok(match self {
            Self::Memory(file) => program.input(file.try_clone()?),
            Self::Folder(folder) => program.scratch(folder),
        })
    }
}

impl Drop for Passfile {
    fn drop(&mut self) {
        if let Self::Folder(folder) = self {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn write_new(place: &Path, text: &str) -> io::Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(place)?.write_all(text.as_bytes())
}

/// A sealed memfd, which no holder of the handle can modify. `None` if the system has no memfd or no `/proc`.
#[cfg(target_os = "linux")]
fn in_memory(text: &str) -> Option<File> {
    use rustix::fs::{MemfdFlags, Mode, SealFlags};
    use std::os::fd::AsRawFd;
    let mut file =
        File::from(rustix::fs::memfd_create("stacksnap-pgpass", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).ok()?);
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR).ok()?;
    file.write_all(text.as_bytes()).ok()?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
        .ok()?;
    let seen = std::fs::metadata(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    (seen.is_file() && seen.mode() & 0o7777 == 0o600).then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_text: &str) -> Option<File> {
    None
}

/// Removes what killed runs left behind. Never touches other users' files or those of running processes.
fn sweep(temp_dir: &Path) {
    let me = rustix::process::geteuid().as_raw();
    let Ok(entries) = std::fs::read_dir(temp_dir) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        let Ok(facts) = std::fs::symlink_metadata(&path) else { continue };
        let older = |than: Duration| facts.modified().is_ok_and(|t| t.elapsed().is_ok_and(|age| age > than));
        if facts.uid() != me {
            continue;
        }
        if facts.is_file() && older(FILE_AGE_MAX) {
            let _ = std::fs::remove_file(&path);
        } else if facts.is_dir() {
            let mark = std::fs::read_to_string(path.join(OWNER)).ok();
            if mark.map_or_else(|| older(UNSIGNED_MAX), |mark| other::is_gone(&mark)) {
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::DirBuilderExt;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn in_memory_it_has_no_name_and_cannot_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let passfile = Passfile::new("*:*:*:*:canary\n", dir.path()).unwrap();
        assert_eq!(names(dir.path()), Vec::<String>::new());
        let Passfile::Memory(file) = &passfile else { panic!("this system has memfd") };
        let mut writer = file;
        assert!(writer.write_all(b"x").is_err() && file.set_len(0).is_err());
        // A program that checks like libpq: a regular file with 0600, readable twice from the start.
        let look = "stat -L -c '%a %F' $PGPASSFILE; cat $PGPASSFILE; cat $PGPASSFILE";
        let program = Program::new("/bin/sh").arg("-c").arg(look).env("PGPASSFILE", passfile.path());
        let done = passfile.give(program).unwrap().run(Duration::from_secs(5)).unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert_eq!(said, "600 regular file\n*:*:*:*:canary\n*:*:*:*:canary\n");
    }

    #[test]
    fn in_a_folder_it_is_private_and_gone_with_its_run() {
        let dir = tempfile::tempdir().unwrap();
        let passfile = Passfile::in_folder("*:*:*:*:canary\n", dir.path()).unwrap();
        let path = passfile.path();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "*:*:*:*:canary\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        sweep(dir.path());
        assert!(path.exists(), "its run lives");
        drop(passfile);
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn the_next_run_sweeps_what_a_killed_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let dead = dir.path().join(format!("{PREFIX}dead"));
        std::fs::DirBuilder::new().mode(0o700).create(&dead).unwrap();
        std::fs::write(dead.join(OWNER), "4000000\n1\n").unwrap();
        std::fs::write(dead.join(PASSWORDS), "canary").unwrap();
        let old = dir.path().join(format!("{PREFIX}old"));
        let long_ago = std::time::SystemTime::now() - 2 * FILE_AGE_MAX;
        File::create(&old).unwrap().set_modified(long_ago).unwrap();
        for kept in ["new", "other"] {
            std::fs::write(dir.path().join(format!("{PREFIX}{kept}")), "").unwrap();
        }
        drop(Passfile::new("", dir.path()).unwrap());
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, [format!("{PREFIX}new"), format!("{PREFIX}other")]);
    }
}
