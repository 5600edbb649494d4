//! Starts this program again, detached, for `create --background`.
//!
//! Invariant: the child's argument list holds no secret (it comes by its environment); the root's lock travels as
//! its standard input, so nobody gets in between; its output goes to the log.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::secret::Secret;

/// How long the child may take to leave the terminal before we stop watching it.
const START_MAX: Duration = Duration::from_millis(600);

/// What the child is given.
pub struct Detached {
    /// Without the program's own name.
    pub args: Vec<OsString>,
    /// Variables with secrets.
    pub env: Vec<(&'static str, Secret)>,
    /// The open lock file.
    pub lock: File,
    pub log: File,
}

/// How it started.
#[derive(Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs in a session of its own.
    Running { pid: u32 },
    /// It ended at once, with this exit code: its log says why.
    Ended { code: Option<i32> },
}

/// Starts the child and waits until it is on its own (some milliseconds).
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
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some() && rustix::process::getsid(pid).ok() == pid
}

/// The lock that a parent passed as standard input; from then on standard input is empty.
pub fn inherited_lock() -> io::Result<File> {
    use std::os::fd::AsFd;
    let lock = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(lock)
}
