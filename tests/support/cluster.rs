//! Servers: that of the environment, and those that a test starts. What is done to them with PostgreSQL's own programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::name::{ident, literal};
use stacksnap::model::secret::Secret;

use super::{Snapshot, clean, ok, program, repo, text, turns};

/// Everything that the fixtures have, in one database.
pub const EVERYTHING: &[&str] = &["stack", "app", "types", "nasty", "schema_zoo", "cycles"];

/// A server, and how to reach it as its superuser.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub bin: PathBuf,
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    /// Ours to stop; none for the server of the environment, which tests share.
    own: Option<Arc<Own>>,
}

/// The folder of a cluster that ends with it.
#[derive(Debug)]
struct Own(tempfile::TempDir);

impl Drop for Own {
    fn drop(&mut self) {
        let _ = Command::new(repo("scripts/pg.sh")).arg("stop").arg(self.0.path().join("pg")).output();
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(scripts/pg.sh start DIR 15)\" first"))
}

/// The server of the environment.
pub fn server() -> Cluster {
    Cluster {
        bin: variable("STACKSNAP_TEST_BIN").into(),
        host: variable("PGHOST"),
        port: variable("PGPORT").parse().expect("PGPORT is a number"),
        user: variable("PGUSER"),
        password: variable("PGPASSWORD"),
        own: None,
    }
}

/// The client programs of another major.
pub fn client(major: u32) -> PathBuf {
    let output = Command::new(repo("scripts/pg.sh")).args(["install", &major.to_string()]).output().unwrap();
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
        let mut command = Command::new(repo("scripts/pg.sh"));
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
            host: value("PGHOST"),
            port: value("PGPORT").parse().unwrap(),
            user: value("PGUSER"),
            password: value("PGPASSWORD"),
            own: Some(Arc::new(Own(folder))),
        }
    }

    /// Stops it before its end.
    pub fn stop(&self) {
        let own = self.own.as_ref().expect("the server of the environment is not ours to stop");
        ok(Command::new(repo("scripts/pg.sh")).arg("stop").arg(own.0.path().join("pg")));
    }

    pub fn major(&self) -> u32 {
        self.sql("postgres", "SELECT current_setting('server_version_num')::int / 10000").parse().unwrap()
    }

    /// The same server as somebody else sees it.
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        Self { user: user.into(), password: password.into(), ..self.clone() }
    }

    pub fn spec(&self, database: &str) -> ConnSpec {
        ConnSpec {
            hosts: vec![(Host::Tcp(self.host.clone()), self.port)],
            database: database.to_string(),
            user: self.user.clone(),
            password: Some(Secret::new(self.password.clone())),
            ..ConnSpec::default()
        }
    }

    /// A program with this server's variables and nothing else of ours.
    pub fn command(&self, program: &Path, database: &str) -> Command {
        let mut command = clean(program);
        command.env("PGHOST", &self.host).env("PGPORT", self.port.to_string()).env("PGUSER", &self.user);
        command.env("PGPASSWORD", &self.password).env("PGDATABASE", database).env("HOME", "/nonexistent");
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

    /// Others may use the server of the environment meanwhile, as long as they change nothing that is the whole server's.
    pub fn share(&self) {
        if self.own.is_none() {
            turns::share();
        }
    }

    /// A new, empty database. One of that name is dropped, with its subscriptions.
    #[track_caller]
    pub fn empty(&self, name: &str) -> String {
        self.share();
        self.drop_database(name);
        self.sql("template1", &format!("CREATE DATABASE {} TEMPLATE template0", ident(name)));
        name.to_string()
    }

    /// A copy; nobody may be in the original.
    #[track_caller]
    pub fn copy(&self, original: &str, name: &str) -> String {
        self.share();
        self.drop_database(name);
        self.sql("template1", &format!("CREATE DATABASE {} TEMPLATE {}", ident(name), ident(original)));
        name.to_string()
    }

    #[track_caller]
    pub fn drop_database(&self, name: &str) {
        let there = format!("SELECT count(*) FROM pg_database WHERE datname = {}", literal(name));
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
        // The fixtures set roles as they want them.
        let _alone = self.own.is_none().then(turns::alone);
        self.empty(name);
        let mut load = self.command(&repo("fixtures/load.sh"), name);
        ok(load.args(fixtures).env("STACK_WORLD", world).env("STACKSNAP_TEST_BIN", &self.bin));
        name.to_string()
    }

    /// A database with the fixtures `stack` and `app` that is only copied, loaded once for a program.
    pub fn loaded_template(&self) -> &'static str {
        static NAME: OnceLock<String> = OnceLock::new();
        assert!(self.own.is_none(), "the template is on the server of the environment");
        NAME.get().unwrap_or_else(|| {
            // First the turn: who waits for the template must not keep the other from loading it.
            let _alone = turns::alone();
            NAME.get_or_init(|| {
                self.drop_left_databases();
                self.load("loaded_template", "revoked", &["stack", "app"])
            })
        })
    }

    /// Everything that pg_dumpall says of roles, settings of databases included.
    pub fn roles(&self) -> Vec<String> {
        let text = ok(self.program("pg_dumpall", "postgres").args(["--roles-only"]));
        let mut lines: Vec<String> = text
            .lines()
            .filter(|l| !l.starts_with("--") && !l.starts_with("\\restrict") && !l.starts_with("\\unrestrict"))
            .map(str::to_string)
            .collect();
        let settings = "SELECT format('%s %s %s', setdatabase, setrole::regrole, setconfig) FROM pg_db_role_setting
            UNION ALL SELECT format('%s of %s', parname, paracl) FROM pg_parameter_acl";
        lines.extend(self.sql("postgres", settings).lines().map(str::to_string));
        lines.sort();
        lines
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.sql("postgres", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{role}'")) == "1"
    }

    /// The program against a database of this server.
    pub fn stacksnap(&self, database: &str, root: &Path) -> Command {
        let mut command = self.command(program(), database);
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
