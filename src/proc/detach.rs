//! Starts this program again, detached, for `create --background`.
//!
//! Invariant: the child's argument list holds no secret (secrets are passed in its environment). The root's lock is
//! passed as its standard input, so no other run can take it in between. Its output goes to the log.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::secret::Secret;

/// How long the child may take to leave the terminal before we stop watching it.
const START_MAX: Duration = Duration::from_millis(600);

/// What the child gets.
pub struct Detached {
    /// Without the program's own name.
    pub args: Vec<OsString>,
    /// Variables with secrets.
    pub env: Vec<(&'static str, Secret)>,
    /// The open lock file.
    pub lock: File,
    pub log: File,
}

/// How the start ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs in a session of its own.
    Running { pid: u32 },
    /// It exited at once, with this exit code; its log says why.
    Ended { code: Option<i32> },
}

/// Starts the child and waits until it has its own session (some milliseconds).
#[allow(clippy::disallowed_methods, reason = "this is the door")]
pub fn start(what: Detached) -> io::Result<Started> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(&what.args)
        .stdin(Stdio::from(what.lock))
        .stdout(Stdio::from(what.log.try_clone()?))
        .stderr(Stdio::from(what.log));
    for (name, value) in &what.env {
        command.env(name, value.reveal());
    }
    let mut child = command.spawn()?;
    let deadline = Instant::now() + START_MAX;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Started::Ended { code: status.code() });
        }
        if on_its_own(&child) || Instant::now() > deadline {
            return Ok(Started::Running { pid: child.id() });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn on_its_own(child: &Child) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    session_in(&stat) == Some(child.id())
}

/// The session id in a line of `/proc/PID/stat`. It is 0 if the session began outside of our PID namespace (in a
/// container). A `getsid` wrapper that expects a positive id panics on that.
fn session_in(stat: &str) -> Option<u32> {
    // The second field is the program's name in parentheses. It may contain spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(3)?.parse().ok()
}

/// Takes over the lock that the parent passed as standard input, and replaces standard input by `/dev/null`.
pub fn inherited_lock() -> io::Result<File> {
    use std::os::fd::AsFd;
    let lock = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::session_in;

    #[test]
    fn a_session_that_began_outside_of_the_namespace_is_no_panic() {
        assert_eq!(session_in("77 (stacksnap) S 1 0 0 0 -1 4194560"), Some(0));
        assert_eq!(session_in("77 (a) b (c) S 1 76 77 0 -1"), Some(77));
        assert_eq!(session_in(""), None);
    }
}
