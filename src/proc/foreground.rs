//! Runs the user's own command for `guard`, as if it had been typed.
//!
//! Invariant: the command has our standard input, output and error, our environment and our process group. So the
//! terminal's Ctrl-C reaches it directly, and we neither forward nor read anything. It never goes through a shell. Its
//! umask is the one that we were started with, not our private one.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::own;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Exited(u8),
    /// Killed by this signal.
    Signalled(i32),
}

impl Ending {
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// The exit code that a shell reports: the code, or 128 plus the number of the signal.
    pub fn shell_code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signalled(number) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }
}

/// The program that `name` means: a path, or the first executable in `folders` (those of PATH).
pub fn find(name: &Path, folders: &[PathBuf], current_dir: &Path) -> Option<PathBuf> {
    let can_run = |place: &PathBuf| {
        std::fs::metadata(place).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    };
    if name.as_os_str().as_encoded_bytes().contains(&b'/') {
        return Some(current_dir.join(name)).filter(can_run);
    }
    folders.iter().map(|folder| current_dir.join(folder).join(name)).find(can_run)
}

/// Runs it and waits until it ends, without a limit. The caller must ignore Ctrl-C meanwhile.
#[allow(clippy::disallowed_methods, reason = "this is the door")]
pub fn run(program: &Path, args: &[OsString]) -> io::Result<Ending> {
    let mut command = Command::new(program);
    command.args(args);
    let mut child = own::with_original_umask(|| command.spawn())?;
    let status = child.wait()?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(number)) => Ending::Signalled(number),
        (None, None) => Ending::Exited(u8::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Ending {
        run(Path::new("/bin/sh"), &["-c".into(), script.into()]).unwrap()
    }

    #[test]
    fn codes_and_signals_are_passed_on() {
        assert_eq!((sh("exit 0").shell_code(), sh("exit 7").shell_code()), (0, 7));
        let killed = sh("kill -s TERM $$");
        assert_eq!((killed, killed.shell_code(), killed.is_success()), (Ending::Signalled(15), 143, false));
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let folders = [PathBuf::from("none"), dir.path().to_path_buf(), "/bin".into()];
        std::fs::write(dir.path().join("sh"), "").unwrap();
        let here = Path::new("/");
        assert_eq!(find(Path::new("sh"), &folders, here), Some("/bin/sh".into()), "what cannot be run is passed over");
        assert_eq!(find(Path::new("bin/sh"), &[], here), Some("/bin/sh".into()));
        assert_eq!(find(Path::new("sh"), &[], here), None);
        assert_eq!(find(Path::new("/bin"), &[], here), None);
    }
}
