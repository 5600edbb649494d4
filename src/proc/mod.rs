//! The only module that starts other programs: run, bound, kill, wait.
//!
//! Invariant: a child has its own process group, `LC_ALL=C`, no standard input except a file that was given to it, and
//! of libpq's variables only those that were given. A thread drains its standard error into a bounded tail, so a child
//! that floods it can neither block nor fill the memory. Dropping a `Running` kills the whole group and waits; a
//! guardian does so when this process is killed. Arguments never go through a shell.

pub mod detach;
pub mod foreground;
pub mod guardian;
pub mod other;
pub mod own;

/// Exit status, re-exported for modules that may not name `std::process`.
pub use std::process::ExitStatus;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use guardian::Guardian;
use rustix::process::{Pid, Signal, kill_process_group};

const TAIL_BYTES: usize = 64 * 1024;
const STDOUT_BYTES_MAX: usize = 16 * 1024 * 1024;
const KILL_GRACE: Duration = Duration::from_secs(3);

/// libpq's variables: removed from a child's environment, so that only the settings that we pass count.
pub const LIBPQ_VARIABLES: &[&str] = &[
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGREQUIREAUTH",
    "PGCHANNELBINDING",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGSSLMODE",
    "PGREQUIRESSL",
    "PGSSLCOMPRESSION",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCERTMODE",
    "PGSSLROOTCERT",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLSNI",
    "PGREQUIREPEER",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMAXPROTOCOLVERSION",
    "PGGSSENCMODE",
    "PGKRBSRVNAME",
    "PGGSSLIB",
    "PGGSSDELEGATION",
    "PGCONNECT_TIMEOUT",
    "PGCLIENTENCODING",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
    "PGDATESTYLE",
    "PGTZ",
    "PGGEQO",
    "PGSYSCONFDIR",
    "PGLOCALEDIR",
    "PGSSLNEGOTIATION",
    "PGMINPROTOCOLVERSION",
    "PGMAXPROTOCOLVERSION",
    "PG_COLOR",
];

/// A program with its arguments and environment, not yet started.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: Option<PathBuf>,
    input: Option<Arc<File>>,
    scratch: Option<PathBuf>,
}

impl Program {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), args: Vec::new(), env: Vec::new(), folder: None, input: None, scratch: None }
    }

    /// Uses an open file as standard input. No other program inherits it.
    #[must_use]
    pub fn input(mut self, file: File) -> Self {
        self.input = Some(Arc::new(file));
        self
    }

    /// A folder for this program alone: the guardian removes it if this process dies.
    #[must_use]
    pub fn scratch(mut self, folder: impl Into<PathBuf>) -> Self {
        self.scratch = Some(folder.into());
        self
    }

    /// The working directory; ours by default.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn envs(mut self, pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.env.extend(pairs);
        self
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it. Standard output is discarded.
    pub fn start(&self) -> io::Result<Running> {
        let mut running = self.spawn(None)?;
        let guard = |pid: &u32| Guardian::over(*pid, self.scratch.as_deref());
        running.guardian = running.pids().first().map(guard).transpose()?;
        Ok(running)
    }

    /// Runs it to its end and returns its output. More than 16 MiB of standard output is an error.
    pub fn run(&self, timeout: Duration) -> io::Result<Finished> {
        let (reader, writer) = io::pipe()?;
        let collected = std::thread::spawn(move || {
            let mut text = Vec::new();
            reader.take(STDOUT_BYTES_MAX as u64 + 1).read_to_end(&mut text).map(|_| text)
        });
        let mut running = self.spawn(Some(writer))?;
        let until = Instant::now() + timeout;
        let status = loop {
            if let Some(status) = running.poll(Duration::from_millis(20))? {
                break status;
            }
            if Instant::now() > until {
                running.kill();
                let name = self.path.display();
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{name} did not end within {timeout:?}")));
            }
        };
        let stderr = running.stderr_tail();
        drop(running);
        let stdout = collected.join().map_err(|_| io::Error::other("the reader of the output failed"))??;
        if stdout.len() > STDOUT_BYTES_MAX {
            return Err(io::Error::other(format!("{} wrote more than 16 MiB to its output", self.path.display())));
        }
        Ok(Finished { status, stdout, stderr })
    }

    fn spawn(&self, stdout: Option<io::PipeWriter>) -> io::Result<Running> {
        let (reader, writer) = io::pipe()?;
        let mut expression = duct::cmd(&self.path, &self.args).stderr_file(writer).unchecked();
        expression = match &self.input {
            Some(file) => expression.stdin_file(file.try_clone()?),
            None => expression.stdin_null(),
        };
        expression = match stdout {
            Some(pipe) => expression.stdout_file(pipe),
            None => expression.stdout_null(),
        };
        // duct applies the outermost change first, so variables that are set must be wrapped by those that are removed.
        for (name, value) in &self.env {
            expression = expression.env(name, value);
        }
        expression = expression.env("LC_ALL", "C").env("LANGUAGE", "C");
        if let Some(folder) = &self.folder {
            expression = expression.dir(folder);
        }
        for name in LIBPQ_VARIABLES {
            expression = expression.env_remove(name);
        }
        expression = expression.before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
        let tail = Arc::new(Mutex::new(Tail::default()));
        let handle = expression.start()?;
        // The expression holds our ends of the pipes; they must be closed before anyone waits for end-of-file.
        drop(expression);
        let drain = std::thread::spawn({
            let tail = Arc::clone(&tail);
            move || drain(reader, &tail)
        });
        Ok(Running { handle, tail, drain: Some(drain), done: false, guardian: None, name: self.path.clone() })
    }
}

/// The result of a program.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    /// The last 64 KiB of its standard error.
    pub stderr: String,
}

/// A started program.
pub struct Running {
    handle: duct::Handle,
    tail: Arc<Mutex<Tail>>,
    drain: Option<JoinHandle<()>>,
    done: bool,
    guardian: Option<Guardian>,
    name: PathBuf,
}

impl Running {
    /// Waits at most `timeout`; the exit status once it has ended.
    pub fn poll(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let status = self.handle.wait_timeout(timeout)?.map(|output| output.status);
        if status.is_some() {
            self.ended();
        }
        Ok(status)
    }

    /// The last 64 KiB of its standard error so far.
    pub fn stderr_tail(&self) -> String {
        self.tail.lock().map(|tail| tail.text()).unwrap_or_default()
    }

    /// Process ids of the direct children.
    pub fn pids(&self) -> Vec<u32> {
        self.handle.pids()
    }

    /// Ends the whole process group: TERM, then KILL after a grace, then waits.
    pub fn kill(&mut self) {
        if self.done {
            return;
        }
        self.signal(Signal::TERM);
        let until = Instant::now() + KILL_GRACE;
        while Instant::now() < until {
            match self.handle.wait_timeout(Duration::from_millis(50)) {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => break,
            }
        }
        // Workers that outlived their leader share its group.
        self.signal(Signal::KILL);
        let _ = self.handle.wait();
        self.ended();
    }

    fn ended(&mut self) {
        self.done = true;
        self.guardian = None;
        self.join_drain();
    }

    fn signal(&self, signal: Signal) {
        for pid in self.handle.pids() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(pid, signal);
            }
        }
    }

    fn join_drain(&mut self) {
        // A grandchild may hold the pipe open after its parent's end: do not wait for it for ever.
        let Some(drain) = self.drain.take() else { return };
        let until = Instant::now() + Duration::from_millis(500);
        while !drain.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        if drain.is_finished() {
            let _ = drain.join();
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Running({})", self.name.display())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
    dropped: u64,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(TAIL_BYTES);
        self.bytes.drain(..over);
        self.dropped += over as u64;
    }

    fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if self.dropped == 0 { text } else { format!("… ({} bytes before)\n{text}", self.dropped) }
    }
}

fn drain(mut reader: io::PipeReader, tail: &Mutex<Tail>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n) = reader.read(&mut buffer) {
        if n == 0 {
            return;
        }
        if let Ok(mut tail) = tail.lock() {
            tail.push(&buffer[..n]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Program {
        Program::new("/bin/sh").arg("-c").arg(script)
    }

    #[test]
    fn a_flood_on_stderr_neither_blocks_nor_fills_memory() {
        let done = sh("head -c 50000000 /dev/zero | tr '\\0' 'x' >&2; echo end >&2; exit 3")
            .run(Duration::from_secs(60))
            .unwrap();
        assert_eq!(done.status.code(), Some(3));
        assert!(done.stderr.len() < TAIL_BYTES + 100 && done.stderr.ends_with("end\n"));
    }

    #[test]
    fn a_hanging_program_and_its_children_are_ended() {
        let mut running = sh("sleep 311 & sleep 311; true").start().unwrap();
        let pid = running.pids()[0];
        std::thread::sleep(Duration::from_millis(100));
        running.kill();
        std::thread::sleep(Duration::from_millis(100));
        let alive = |stat: &str| {
            let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
            fields[0] != "Z" && fields[2] == pid.to_string()
        };
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            assert!(stat.is_empty() || !alive(&stat), "somebody of the group is alive: {stat}");
        }
    }

    #[test]
    fn it_is_said_when_time_is_up() {
        let error = sh("sleep 311").run(Duration::from_millis(100)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn children_do_not_inherit_the_environment_of_libpq() {
        let done = sh("env").env("PGHOST", "here").run(Duration::from_secs(5)).unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(text.contains("PGHOST=here") && text.contains("LC_ALL=C"));
        assert!(!text.contains("PGPASSWORD"));
    }
}
