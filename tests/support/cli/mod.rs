//! For the tests of the command line: the built program in clean surroundings, and snapshots made by hand.
#![allow(dead_code, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use stacksnap::model::category::Category;
use stacksnap::model::gap::Gap;
use stacksnap::model::ids::SnapshotName;
use stacksnap::model::manifest::{Consistency, FORMAT, Manifest, SnapshotKind, SourceFacts, TableRecord, Tools};
use stacksnap::model::name::QualifiedName;
use stacksnap::model::outcome::Artifact;
use stacksnap::snapshot::manifest_file::manifest_bytes;

/// A folder of its own: home, current folder and the root of the snapshots below it.
pub struct Place {
    pub dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("supabase_backups")
    }

    /// The program with nothing of this process's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::support::program());
        command.env_clear().env("HOME", self.dir.path()).env("PATH", "/usr/bin:/bin").env("COLUMNS", "100");
        // Tests of it say so: tests/verify_schema.rs.
        command.env("STACKSNAP_VERIFY", "none");
        command.current_dir(self.dir.path()).args(args).timeout(Duration::from_secs(60));
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    pub fn status(&self) -> Value {
        let text = std::fs::read_to_string(self.root().join("status.json")).unwrap_or_else(|_| "null".into());
        serde_json::from_str(&text).unwrap()
    }

    /// Writes a sealed snapshot: its manifest, changed by `change`, and one file.
    pub fn snapshot(&self, moment: &str, change: impl FnOnce(&mut Manifest)) -> SnapshotName {
        let name = SnapshotName::at(moment.parse().unwrap(), 1);
        let folder = self.root().join(name.as_str());
        std::fs::create_dir_all(&folder).unwrap();
        let mut manifest = manifest(&name, moment);
        change(&mut manifest);
        std::fs::write(folder.join("manifest.json"), manifest_bytes(&manifest).unwrap().0).unwrap();
        name
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Standard output as the one document that it must be.
    pub fn document(&self) -> Value {
        assert_eq!(self.stdout.trim_end().lines().count(), 1, "one document: {self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// A listener that takes connections and never says a word: a server that hangs.
pub struct SilentServer {
    _listener: TcpListener,
    pub port: u16,
}

impl SilentServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { _listener: listener, port }
    }

    pub fn url(&self, password: &str) -> String {
        format!("postgresql://reader:{password}@127.0.0.1:{}/shop?sslmode=disable&connect_timeout=60", self.port)
    }
}

/// Waits until `fine`, or fails.
pub fn wait_until(what: &str, mut fine: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !fine() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn signal(pid: u64, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Every file below a folder as text.
pub fn all_text_below(folder: &Path) -> String {
    let files = walkdir::WalkDir::new(folder).into_iter().flatten().filter(|e| e.file_type().is_file());
    files.map(|e| String::from_utf8_lossy(&std::fs::read(e.path()).unwrap()).into_owned()).collect()
}

pub fn manifest(name: &SnapshotName, moment: &str) -> Manifest {
    Manifest {
        format: FORMAT,
        id: name.clone(),
        kind: SnapshotKind::Full,
        complete: true,
        label: None,
        note: None,
        tags: BTreeMap::new(),
        created_at: moment.parse().unwrap(),
        duration_ms: 4_200,
        source: SourceFacts {
            host_sha256: "0".repeat(64),
            database: "shop".into(),
            user: "postgres".into(),
            system_identifier: None,
            database_oid: 5,
            server_version_num: 150_018,
            server_version: "15.18".into(),
            encoding: "UTF8".into(),
            locale: "C".into(),
            is_supabase: true,
            is_standby: false,
            database_bytes: 1,
        },
        consistency: Consistency {
            exported_snapshot: "00000003-0000001B-1".into(),
            taken_at: moment.parse().unwrap(),
            wal_lsn: Some("0/1A2B3C4".into()),
            transaction_horizon: "1:1:".into(),
            restarts: 0,
        },
        tools: Tools {
            stacksnap: "0.1.0".into(),
            pg_dump: "15.18".into(),
            codec: "gzip:1".into(),
            readable_codec: None,
            jobs: 2,
        },
        counts: BTreeMap::from([("tables".into(), 2), ("users".into(), 6), ("policies".into(), 88)]),
        coverage: vec![],
        tables: vec![table("users", 6), table("invoices", 1200)],
        member_marks: vec![],
        computed: None,
        outcomes: vec![],
        schema_verification: None,
        gaps: vec![],
        secrets: vec![],
        artifacts: vec![Artifact {
            path: "rls_policies_complete.sql".into(),
            category: Category::Policies,
            bytes: 12_345,
            sha256: "a".repeat(64),
        }],
        change_marker: None,
        sha256sums_sha256: "b".repeat(64),
        manifest_sha256: String::new(),
    }
}

pub fn table(name: &str, rows: u64) -> TableRecord {
    TableRecord {
        name: QualifiedName::new("public", name),
        rows,
        fingerprint: "c".repeat(32),
        bytes_raw: rows * 10,
        data_file: None,
        csv_file: None,
        columns: vec!["id".into()],
        mark: None,
    }
}

pub fn gap(what: &str) -> Gap {
    Gap::new("vault_not_sealed", what, "no recipient was given", "set [snapshot.seal]")
}
