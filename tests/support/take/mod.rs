//! For the tests that run the built `create` against a real server: databases of their own, a slow network, folders,
//! and a look at the processes that a run started.
//!
//! The server is the one that `scripts/pg.sh start` printed. Without it these tests fail: they never skip.
#![allow(dead_code, clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stdout)]

pub mod processes;
pub mod slow;

use std::fmt::Write as _;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;

static NEXT: AtomicU32 = AtomicU32::new(0);

fn next() -> u32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Roles belong to the whole server: who makes or changes one, or minds when others do, holds this.
pub fn alone_with_roles() -> MutexGuard<'static, ()> {
    static ROLES: Mutex<()> = Mutex::new(());
    ROLES.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A server and how to log in as its superuser.
#[derive(Debug, Clone)]
pub struct Server {
    pub bin: PathBuf,
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
}

pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let get = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set; these tests need a server: eval \"$(scripts/pg.sh start DIR 15)\"")
            })
        };
        Server {
            bin: get("STACKSNAP_TEST_BIN").into(),
            host: get("PGHOST"),
            port: get("PGPORT").parse().expect("PGPORT is a number"),
            user: get("PGUSER"),
            password: get("PGPASSWORD"),
        }
    })
}

impl Server {
    pub fn program(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env("PGHOST", &self.host).env("PGPORT", self.port.to_string()).env("PGUSER", &self.user);
        command.env("PGPASSWORD", &self.password).env("PGDATABASE", database).env_remove("PGOPTIONS");
        command.env("PGCLIENTENCODING", "UTF8");
        command
    }

    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = self.program("psql", database);
        success(command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]))
    }

    /// A new database; `clause` as in CREATE DATABASE.
    pub fn database(&self, clause: &str) -> Database {
        let name = format!("take_{}_{}", std::process::id(), next());
        self.psql("postgres", &format!("CREATE DATABASE {name} {clause}"));
        Database { server: self.clone(), name }
    }

    /// A small application without anything of Supabase.
    pub fn small(&self) -> Database {
        let database = self.database("TEMPLATE template0");
        database.sql(SMALL);
        database
    }

    /// The stack with the application, copied from a database that is loaded once for the whole test program.
    pub fn stack(&self) -> Database {
        static TEMPLATE: OnceLock<String> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            self.drop_old_templates();
            let name = format!("take_template_{}", std::process::id());
            self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0"));
            let mut load = Command::new(crate::support::repo("fixtures/load.sh"));
            load.args(["stack", "app"]).env("PGDATABASE", &name).env("STACKSNAP_TEST_BIN", &self.bin);
            success(&mut load);
            name
        });
        self.database(&format!("TEMPLATE {template}"))
    }

    /// Those of test programs that are gone.
    fn drop_old_templates(&self) {
        for name in self.psql("postgres", "SELECT datname FROM pg_database WHERE datname ~ '^take_'").lines() {
            let pid = name.split('_').find_map(|part| part.parse::<u32>().ok());
            if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                // A test that was killed may have marked it.
                self.psql("postgres", &format!("ALTER DATABASE {name} IS_TEMPLATE false"));
                self.psql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            }
        }
    }
}

const SMALL: &str = "CREATE SCHEMA app; CREATE TABLE public.people (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO public.people SELECT n, 'person ' || n FROM generate_series(1, 500) n;
    CREATE TABLE app.notes (id int PRIMARY KEY, person int REFERENCES public.people, body text);
    INSERT INTO app.notes SELECT n, n, repeat('note ', 20) FROM generate_series(1, 400) n;
    ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON app.notes USING (person < 10);
    CREATE SEQUENCE public.numbers;
    CREATE FUNCTION public.greet(who text) RETURNS text LANGUAGE sql AS 'SELECT ''hello '' || who';
    CREATE MATERIALIZED VIEW public.summary AS SELECT count(*) AS n FROM public.people;";

/// Rows of about a kilobyte each.
pub fn fill(database: &Database, table: &str, megabytes: u32) {
    database.sql(&format!(
        "CREATE TABLE {table} (id int, body text); INSERT INTO {table} SELECT n, (SELECT string_agg(md5((n * 31 + k)::text), '') \
         FROM generate_series(1, 31) k) FROM generate_series(1, {}) n",
        megabytes * 1000
    ));
}

/// A database that is dropped at the end.
#[derive(Debug)]
pub struct Database {
    pub server: Server,
    pub name: String,
}

impl Database {
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.server.psql(&self.name, sql)
    }

    /// The same database by another way in: a slow relay, another role.
    pub fn through(&self, port: u16) -> Access<'_> {
        Access { port, ..self.access() }
    }

    pub fn access(&self) -> Access<'_> {
        let Server { host, port, user, password, .. } = &self.server;
        Access { database: &self.name, host, port: *port, user, password }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = self.server.program("psql", "postgres").args(["-X", "-q", "-c", &sql]).output();
    }
}

/// What `create` is told about the source.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    pub database: &'a str,
    pub host: &'a str,
    pub port: u16,
    pub user: &'a str,
    pub password: &'a str,
}

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
        self.dir.path().join("backups")
    }

    /// The program with nothing of this process's environment.
    pub fn bare(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::support::program());
        let (mark, value) = self.mark.split_once('=').unwrap();
        command.env_clear().env("HOME", self.dir.path()).env("PATH", "/usr/bin:/bin").env(mark, value);
        // Tests of it say so: tests/verify_schema.rs.
        command.env("STACKSNAP_VERIFY", "none");
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.arg("--root").arg(self.root()).args(args);
        command
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

#[track_caller]
pub fn success(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_string()
}

pub fn read(folder: &Path, name: &str) -> String {
    let place = folder.join(name);
    let bytes = std::fs::read(&place).unwrap_or_else(|e| panic!("{}: {e}", place.display()));
    String::from_utf8_lossy(&bytes).into_owned()
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
