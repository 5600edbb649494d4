//! `restore` by the built program, and what it says at the end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{Cluster, Snapshot, text};

/// How one restore ended.
pub struct Restored {
    pub code: i32,
    /// The report; of a dry run, the plan.
    pub report: Value,
    pub said: String,
    /// The most memory that the program held, as far as it was seen; 0 where the system does not tell.
    pub peak_kb: u64,
}

impl Restored {
    fn of(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = child.id();
        let watch = std::thread::spawn(move || peak_kb(pid));
        let output = child.wait_with_output().unwrap();
        let peak_kb = watch.join().unwrap();
        let last = String::from_utf8_lossy(&output.stdout).trim_end().lines().last().unwrap_or_default().to_string();
        let report = serde_json::from_str(&last).unwrap_or(Value::Null);
        Self { code: output.status.code().unwrap_or(-1), report, said: text(&output), peak_kb }
    }

    pub fn list(&self, pointer: &str, fields: &[&str]) -> Vec<String> {
        let found = self.report.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        let line = |item: &Value| fields.iter().map(|f| item[*f].as_str().unwrap_or("?")).collect::<Vec<_>>().join(" ");
        found.iter().map(line).collect()
    }

    /// `code what` of what the engine and the proof say will not be there.
    pub fn exceptions(&self) -> Vec<String> {
        let mut all = self.list("/exceptions", &["code", "what"]);
        all.extend(self.list("/proof/exceptions", &["code", "what"]));
        all.sort();
        all.dedup();
        all
    }

    pub fn findings(&self) -> Vec<String> {
        self.list("/proof/findings", &["code", "what", "expected", "found"])
    }

    /// `KIND identity` of one list of a plan: `drop`, `replace` or `create`.
    pub fn planned(&self, list: &str) -> Vec<String> {
        self.list(&format!("/{list}"), &["kind", "identity"])
    }

    /// It ended well: nothing is wrong, and nothing is missing but what it names.
    #[track_caller]
    pub fn is_well(&self) {
        assert!(matches!(self.code, 0 | 3), "{}: {}", self.code, self.said);
        assert_eq!(self.findings(), Vec::<String>::new(), "{}", self.said);
    }
}

/// Watches a program until it has ended.
fn peak_kb(pid: u32) -> u64 {
    let mut peak = 0;
    while let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
        let Some(line) = status.lines().find(|l| l.starts_with("VmHWM")) else { break };
        peak = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    peak
}

/// The root that restores is another one: it is given the key of the one that took the snapshot.
fn know_the_key(snapshot: &Path, root: &Path) {
    std::fs::create_dir_all(root).unwrap();
    let key = root.join(".stacksnap.key.source");
    if !key.exists() {
        std::fs::copy(snapshot.parent().unwrap().join(".stacksnap.key"), key).unwrap();
    }
}

fn command(target: &Cluster, user: &str, password: &str, database: &str, snapshot: &Snapshot, place: &Path) -> Command {
    let target = target.as_user(user, password);
    let to = format!("host=127.0.0.1 port={} user={user} dbname={database}", target.port);
    let root = place.join("restores");
    know_the_key(&snapshot.folder, &root);
    let mut command = target.stacksnap(database, &root);
    command.arg("restore").arg(&snapshot.folder).args(["--to", &to]);
    command.args(["--allow-partial", "--sessions", "keep", "--activate-jobs", "-o", "json"]);
    command
}

pub fn restore(
    target: &Cluster,
    user: &str,
    password: &str,
    database: &str,
    snapshot: &Snapshot,
    place: &Path,
) -> Restored {
    let mut command = command(target, user, password, database, snapshot, place);
    Restored::of(command.args(["--confirm", database, "--no-safety-snapshot"]))
}

/// The same with more arguments, and the safety snapshot where they do not say otherwise.
pub fn restore_with(target: &Cluster, database: &str, snapshot: &Snapshot, place: &Path, args: &[&str]) -> Restored {
    let mut command = command(target, &target.user, &target.password, database, snapshot, place);
    Restored::of(command.args(["--confirm", database]).args(args))
}

/// `undo` of a restore into that database.
pub fn undo(target: &Cluster, database: &str, id: &str, place: &Path) -> Restored {
    let to = format!("host=127.0.0.1 port={} user={} dbname={database}", target.port, target.user);
    let mut command = target.stacksnap(database, &place.join("restores"));
    Restored::of(command.args(["undo", id, "--to", &to, "--confirm", database, "-o", "json"]))
}

/// A drill in a throw-away server of the same programs.
pub fn drill(target: &Cluster, snapshot: &Snapshot) -> Restored {
    let mut command = target.stacksnap("postgres", snapshot.folder.parent().unwrap());
    command.arg("drill").arg(&snapshot.folder).arg("--pg-bin").arg(&target.bin);
    Restored::of(command.args(["-o", "json"]))
}

/// What a restore would do.
pub fn plan(
    target: &Cluster,
    user: &str,
    password: &str,
    database: &str,
    snapshot: &Snapshot,
    place: &Path,
) -> Restored {
    Restored::of(command(target, user, password, database, snapshot, place).arg("--dry-run"))
}
