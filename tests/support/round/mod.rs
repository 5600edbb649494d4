//! Whole round trips: clusters, the built program, the restore script, and what differs between two databases.
//!
//! The source is the server that `scripts/pg.sh start` printed variables for; other clusters are started here and end
//! with the test. Nothing is skipped: without a server a test panics and says what to run.
#![allow(dead_code, clippy::disallowed_methods)]

pub mod compare;
pub mod restored;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::gap::Gap;
use stacksnap::model::inventory::Inventory;
use stacksnap::model::manifest::Manifest;
use stacksnap::model::name::ident;
use stacksnap::model::secret::Secret;
use stacksnap::snapshot::manifest_file::read_manifest;

/// Everything that the fixtures have, in one database.
pub const EVERYTHING: &[&str] = &["stack", "app", "types", "nasty", "schema_zoo", "cycles"];

/// A server, and how to reach it as its superuser.
pub struct Cluster {
    pub bin: PathBuf,
    pub port: String,
    host: String,
    user: String,
    password: String,
    /// Ours to stop.
    folder: Option<tempfile::TempDir>,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(scripts/pg.sh start DIR 15)\" first"))
}

/// The server of the environment.
pub fn server() -> Cluster {
    Cluster {
        bin: variable("STACKSNAP_TEST_BIN").into(),
        port: variable("PGPORT"),
        host: variable("PGHOST"),
        user: variable("PGUSER"),
        password: variable("PGPASSWORD"),
        folder: None,
    }
}

/// The client programs of another major.
pub fn client(major: u32) -> PathBuf {
    let output =
        Command::new(crate::support::repo("scripts/pg.sh")).args(["install", &major.to_string()]).output().unwrap();
    assert!(output.status.success(), "scripts/pg.sh install {major}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}

impl Cluster {
    /// A new cluster that ends with this value, or with the process when that is killed.
    pub fn start(major: u32) -> Self {
        Self::start_with(major, "")
    }

    /// The same with options of the server: `-c name=value ...`.
    pub fn start_with(major: u32, options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(crate::support::repo("scripts/pg.sh"));
        command.arg("start").arg(folder.path().join("pg")).arg(major.to_string());
        if !options.is_empty() {
            command.args(["-o", options]);
        }
        let output = command.env("STACKSNAP_PG_OWNER", std::process::id().to_string()).output().unwrap();
        assert!(output.status.success(), "scripts/pg.sh start {major}: {}", text(&output));
        let exports = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            let line = exports.lines().find_map(|l| l.strip_prefix(&format!("export {name}="))).unwrap();
            line.trim_matches('\'').to_string()
        };
        Self {
            bin: value("STACKSNAP_TEST_BIN").into(),
            port: value("PGPORT"),
            host: value("PGHOST"),
            user: value("PGUSER"),
            password: value("PGPASSWORD"),
            folder: Some(folder),
        }
    }

    pub fn major(&self) -> u32 {
        self.sql("postgres", "SELECT current_setting('server_version_num')::int / 10000").parse().unwrap()
    }

    /// The same server as somebody else sees it.
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        let (bin, port, host) = (self.bin.clone(), self.port.clone(), self.host.clone());
        Self { bin, port, host, user: user.into(), password: password.into(), folder: None }
    }

    pub fn spec(&self, database: &str) -> ConnSpec {
        ConnSpec {
            hosts: vec![(Host::Tcp(self.host.clone()), self.port.parse().unwrap())],
            database: database.to_string(),
            user: self.user.clone(),
            password: Some(Secret::new(self.password.clone())),
            ..ConnSpec::default()
        }
    }

    /// A program with this server's variables and nothing else of ours.
    pub fn command(&self, program: &Path, database: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs([("PGHOST", &self.host), ("PGPORT", &self.port), ("PGUSER", &self.user)]);
        command.env("PGPASSWORD", &self.password).env("PGDATABASE", database).env("HOME", "/nonexistent");
        // Tests of it say so: tests/verify_schema.rs.
        command.env("STACKSNAP_VERIFY", "none");
        command.stdin(Stdio::null());
        command
    }

    pub fn program(&self, name: &str, database: &str) -> Command {
        self.command(&self.bin.join(name), database)
    }

    /// psql with the options of every use here.
    pub fn psql(&self, database: &str) -> Command {
        let mut command = self.program("psql", database);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        command
    }

    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        ok(self.psql(database).args(["-c", sql])).trim_end_matches('\n').to_string()
    }

    /// A new, empty database. One of that name is dropped, with its subscriptions.
    #[track_caller]
    pub fn empty(&self, name: &str) -> String {
        self.drop_database(name);
        self.sql("template1", &format!("CREATE DATABASE {} TEMPLATE template0", ident(name)));
        name.to_string()
    }

    /// A copy; nobody may be in the original.
    #[track_caller]
    pub fn copy(&self, original: &str, name: &str) -> String {
        self.drop_database(name);
        self.sql("template1", &format!("CREATE DATABASE {} TEMPLATE {}", ident(name), ident(original)));
        name.to_string()
    }

    #[track_caller]
    pub fn drop_database(&self, name: &str) {
        let there = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        if self.sql("template1", &there) != "0" {
            let subscriptions = "SELECT format('ALTER SUBSCRIPTION %1$I DISABLE; ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); \
                DROP SUBSCRIPTION %1$I', subname) FROM pg_subscription \
                WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
            for statement in self.sql(name, subscriptions).lines() {
                self.sql(name, statement);
            }
            self.sql("template1", &format!("DROP DATABASE {} WITH (FORCE)", ident(name)));
        }
    }

    /// A new database with these fixtures.
    #[track_caller]
    pub fn load(&self, name: &str, world: &str, fixtures: &[&str]) -> String {
        // Roles are the whole server's: two loads at once alter the same ones.
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.empty(name);
        let mut load = self.command(&crate::support::repo("fixtures/load.sh"), name);
        ok(load.args(fixtures).env("STACK_WORLD", world).env("STACKSNAP_TEST_BIN", &self.bin));
        name.to_string()
    }

    /// The program against a database of this server.
    pub fn stacksnap(&self, database: &str, root: &Path) -> Command {
        let mut command = self.command(crate::support::program(), database);
        command.current_dir(root.parent().unwrap()).arg("--root").arg(root).arg("-q");
        command
    }

    /// `create` with more arguments; it has to end with `code`.
    #[track_caller]
    pub fn create(&self, database: &str, root: &Path, code: i32, arguments: &[&str]) -> Snapshot {
        let mut command = self.stacksnap(database, root);
        command.arg("create").args(arguments);
        if !arguments.contains(&"--pg-bin") {
            command.arg("--pg-bin").arg(&self.bin);
        }
        Snapshot::made(&mut command, root, code)
    }

    /// A second snapshot, to compare with: the archive alone.
    #[track_caller]
    pub fn look(&self, database: &str) -> Snapshot {
        let root = tempfile::tempdir().unwrap();
        let mut seen = self.create(database, &root.path().join("look"), 0, &["--only", "archive"]);
        seen.keep = Some(root);
        seen
    }

    /// Runs the snapshot's own script into an empty database.
    #[track_caller]
    pub fn restore(&self, snapshot: &Snapshot, database: &str, code: i32) -> String {
        let mut script = self.command(&snapshot.folder.join("restore_complete_backup.sh"), database);
        script.args(["--allow-partial", "--confirm", database, "--pg-bin"]).arg(&self.bin);
        let output = script.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        text(&output)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ =
                Command::new(crate::support::repo("scripts/pg.sh")).arg("stop").arg(folder.path().join("pg")).output();
        }
    }
}

/// A sealed snapshot.
pub struct Snapshot {
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub inventory: Inventory,
    keep: Option<tempfile::TempDir>,
}

impl Snapshot {
    #[track_caller]
    fn made(command: &mut Command, root: &Path, code: i32) -> Self {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
            .unwrap()
            .flatten()
            .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()))
            .map(|e| e.path())
            .filter(|p| p.join("manifest.json").exists())
            .collect();
        // By time and then by number: `..._2` is younger than the name without one.
        folders.sort();
        Self::open(folders.last().unwrap())
    }

    pub fn open(folder: &Path) -> Self {
        let manifest = read_manifest(folder).unwrap();
        let inventory = serde_json::from_slice(&std::fs::read(folder.join("inventory.json")).unwrap()).unwrap();
        Self { folder: folder.to_path_buf(), manifest, inventory, keep: None }
    }

    pub fn has(&self, path: &str) -> bool {
        self.manifest.artifacts.iter().any(|a| a.path == path) && self.folder.join(path).exists()
    }

    /// `code what` of each gap, sorted.
    pub fn gaps(&self) -> Vec<String> {
        let line = |gap: &Gap| {
            let id = gap.what.strip_prefix("vault secret ").filter(|id| id.len() == 36 && !id.contains('\''));
            format!("{} {}", gap.code, if id.is_some() { "vault secret without a name" } else { &gap.what })
        };
        let mut gaps: Vec<String> = self.manifest.gaps.iter().map(line).collect();
        gaps.sort();
        gaps
    }

    /// `verify --level read` says that it is good.
    #[track_caller]
    pub fn is_good(&self) {
        let mut command = Command::new(crate::support::program());
        ok(command.args(["verify", "--level", "read"]).arg(&self.folder));
    }
}

/// Standard output; fails with both.
#[track_caller]
pub fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
