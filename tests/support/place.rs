//! A folder in which the program runs, and how its runs end.

use std::fmt::Write as _;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::database::next;
use super::{Access, clean, processes, program, server};

/// A folder of its own: home, current folder, root of the snapshots; and a mark in the environment of whatever is
/// started from here.
#[derive(Debug)]
pub struct Place {
    pub dir: tempfile::TempDir,
    pub mark: String,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mark = format!("STACKSNAP_TEST_MARK={}_{}", std::process::id(), next());
        Self { dir, mark }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("supabase_backups")
    }

    /// The program as somebody in this folder calls it, with nothing of this process's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = clean(program());
        let (mark, value) = self.mark.split_once('=').unwrap();
        command.env("HOME", self.dir.path()).env("PATH", "/usr/bin:/bin").env("COLUMNS", "100").env(mark, value);
        command.current_dir(self.dir.path()).args(args);
        command
    }

    /// The same with the root named.
    pub fn bare(&self, args: &[&str]) -> Command {
        let mut command = self.command(&["--root"]);
        command.arg(self.root()).args(args);
        command
    }

    /// How a command that needs no server ends.
    pub fn ran(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// `create` with the real client programs.
    pub fn create(&self, access: Access<'_>, args: &[&str]) -> Command {
        let mut command = self.bare(&["create"]);
        if !args.contains(&"--pg-bin") {
            command.arg("--pg-bin").arg(&server().bin);
        }
        if !args.contains(&"-o") {
            command.args(["-o", "json"]);
        }
        command.args(args).env("PGHOST", access.host).env("PGPORT", access.port.to_string());
        command.env("PGUSER", access.user).env("PGPASSWORD", access.password).env("PGDATABASE", access.database);
        command
    }

    pub fn run(&self, access: Access<'_>, args: &[&str]) -> Ran {
        Ran::of(&mut self.create(access, args))
    }

    /// Starts `create`; its output goes to files beside the root.
    pub fn start(&self, access: Access<'_>, args: &[&str]) -> Started {
        let number = next();
        let file = |name: &str| self.dir.path().join(format!("{name}_{number}"));
        let (out, err) = (file("out"), file("err"));
        let mut command = self.create(access, args);
        command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
        Started { child: command.spawn().unwrap(), out, err, done: false }
    }

    pub fn status(&self) -> Value {
        let text = std::fs::read_to_string(self.root().join("status.json")).unwrap_or_else(|_| "null".into());
        serde_json::from_str(&text).unwrap()
    }

    /// Snapshots, partial folders and links in the root.
    pub fn entries(&self) -> Vec<String> {
        let Ok(listing) = std::fs::read_dir(self.root()) else { return Vec::new() };
        let names = listing.map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|n| n.starts_with("comprehensive_backup")).collect();
        names.sort();
        names
    }

    /// A run failed as it should: nothing of a snapshot is there, nobody is left, the status file says why.
    #[track_caller]
    pub fn assert_clean_failure(&self, ran: &Ran, code: i32) {
        assert_eq!(ran.code, code, "{ran:?}");
        assert_eq!(self.entries(), Vec::<String>::new(), "a failed run leaves no folder and no link: {ran:?}");
        let status = self.status();
        assert_eq!(status["last_run"]["state"], "failed", "{status}");
        assert_eq!(status["last_failure"]["exit"], code, "{status}");
        assert!(!status["last_failure"]["message"].as_str().unwrap().is_empty(), "{status}");
        assert!(status["running"].is_null(), "{status}");
        processes::assert_gone(&self.mark, Duration::from_secs(1));
    }
}

/// A run under way.
pub struct Started {
    pub child: Child,
    pub out: PathBuf,
    pub err: PathBuf,
    done: bool,
}

impl Started {
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.out).unwrap() + &std::fs::read_to_string(&self.err).unwrap()
    }

    /// Waits until a text is in the output; fails when the run ends before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.said().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                Instant::now() < until && (ended.is_none() || self.said().contains(text)),
                "never said {text}: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub fn wait(mut self) -> Ran {
        let status = ended(&mut self.child);
        self.done = true;
        let status = status.unwrap_or_else(|| panic!("it did not end: {}", self.said()));
        Ran {
            code: status.code().unwrap_or(-1),
            stdout: std::fs::read_to_string(&self.out).unwrap(),
            stderr: std::fs::read_to_string(&self.err).unwrap(),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The status of a child, which is killed when it does not end.
fn ended(child: &mut Child) -> Option<std::process::ExitStatus> {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let file = || tempfile::tempfile().unwrap();
        let (mut out, mut err) = (file(), file());
        command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let status = ended(&mut child);
        let text = |file: &mut std::fs::File| {
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            text
        };
        let (stdout, stderr) = (text(&mut out), text(&mut err));
        let status = status.unwrap_or_else(|| panic!("it did not end: {stdout}{stderr}"));
        Self { code: status.code().unwrap_or(-1), stdout, stderr }
    }

    pub fn ended(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output as the one document that it must be.
    #[track_caller]
    pub fn document(&self) -> Value {
        assert_eq!(self.stdout.trim_end().lines().count(), 1, "one document: {self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The last line of standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        let last = self.stdout.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The error document with its hint, as one text.
    #[track_caller]
    pub fn error(&self) -> String {
        let document = self.json();
        assert_eq!(document["kind"], "error", "{self:?}");
        let mut text = document["message"].as_str().unwrap().to_string();
        write!(text, "\n{}", document["hint"].as_str().unwrap_or_default()).unwrap();
        text
    }

    /// The folder of the snapshot that was taken, whole or with named gaps.
    #[track_caller]
    pub fn folder(&self) -> PathBuf {
        assert!(self.code == 0 || self.code == 3, "{self:?}");
        PathBuf::from(self.json()["place"].as_str().unwrap_or_else(|| panic!("{self:?}")))
    }
}

/// What `verify` says of a snapshot.
#[track_caller]
pub fn assert_verified(place: &Place, folder: &Path) {
    let ran = Ran::of(place.bare(&["verify", "-o", "json"]).arg(folder));
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// The log of the newest run.
pub fn last_log(place: &Place) -> String {
    Ran::of(&mut place.bare(&["logs", "latest"])).stdout
}
