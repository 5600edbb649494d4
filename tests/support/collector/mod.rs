//! A server, a loaded stack, one collector run on it, and its file applied with psql.
//!
//! The server is the one of the `PG*` variables as `scripts/pg.sh start` prints them. This file is the only place that
//! knows so.
#![allow(clippy::disallowed_methods, dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock};

use stacksnap::collect::context::{CollectSettings, Collected, Collector, Context, SourceAbilities};
use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::inventory::Inventory;
use stacksnap::model::secret::Secret;
use stacksnap::monitor::Silent;
use stacksnap::pg::session::Session;
use stacksnap::pg::snapshot::SnapshotHolder;
use stacksnap::snapshot::sink::ArtifactSink;

pub const TEMPLATE: &str = "catalogs_template";

/// Roles belong to the whole server, so one test at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(scripts/pg.sh start DIR 15)\" first"))
}

fn program(name: &str) -> Command {
    Command::new(PathBuf::from(env("STACKSNAP_TEST_BIN")).join(name))
}

/// Runs SQL as a user; the error is psql's stderr.
pub fn try_sql_as(user: &str, database: &str, sql: &str) -> Result<String, String> {
    let mut command = program("psql");
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]).env("PGDATABASE", database);
    finish(command.env("PGUSER", user).env("PGPASSWORD", password_of(user)))
}

pub fn sql(database: &str, sql: &str) -> String {
    try_sql_as(&env("PGUSER"), database, sql)
        .unwrap_or_else(|error| panic!("{error}\nin: {}", &sql[..sql.len().min(300)]))
}

/// Runs a file twice would be two calls; this is one, as a user would: `psql -X -v ON_ERROR_STOP=1 -f FILE`.
pub fn try_file_as(user: &str, database: &str, file: &Path) -> Result<String, String> {
    let mut command = program("psql");
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file).env("PGDATABASE", database);
    finish(command.env("PGUSER", user).env("PGPASSWORD", password_of(user)))
}

pub fn file(database: &str, path: &Path) {
    try_file_as(&env("PGUSER"), database, path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn password_of(user: &str) -> String {
    if user == env("PGUSER") { env("PGPASSWORD") } else { user.to_string() }
}

fn finish(command: &mut Command) -> Result<String, String> {
    let output = command.output().expect("starting a PostgreSQL program");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The stack and the application of the fixtures, and `extra.sql`, loaded once.
fn template() -> &'static str {
    static LOADED: OnceLock<()> = OnceLock::new();
    LOADED.get_or_init(|| {
        sql("template1", &format!("DROP DATABASE IF EXISTS {TEMPLATE}"));
        sql("template1", &format!("CREATE DATABASE {TEMPLATE}"));
        let fixtures =
            std::env::var("STACKSNAP_FIXTURES").map_or_else(|_| crate::support::repo("fixtures"), PathBuf::from);
        let mut load = Command::new(fixtures.join("load.sh"));
        finish(load.args(["stack", "app"]).env("PGDATABASE", TEMPLATE)).expect("loading the fixtures");
        file(TEMPLATE, &crate::support::repo("tests/support/collector/extra.sql"));
    });
    TEMPLATE
}

/// A database of its own for one test, dropped at the end.
pub struct Database(pub String);

impl Database {
    pub fn stack(name: &str) -> Self {
        Self::copy_of(template(), name)
    }

    pub fn plain(name: &str) -> Self {
        Self::copy_of("template0", name)
    }

    pub fn copy_of(source: &str, name: &str) -> Self {
        let name = format!("catalogs_{name}");
        sql("template1", &format!("DROP DATABASE IF EXISTS {name}"));
        sql("template1", &format!("CREATE DATABASE {name} TEMPLATE {source}"));
        // Settings of the database and grants on it are not copied.
        if source == TEMPLATE {
            sql(&name, include_str!("database.sql"));
        }
        Self(name)
    }

    /// Dump and restore with PostgreSQL's own programs, as the archive of a snapshot would be restored.
    pub fn restored_from(source: &Self, name: &str) -> Self {
        let target = Self::plain(name);
        let dump = tempfile::NamedTempFile::new().unwrap();
        finish(program("pg_dump").args(["-Fc", "-f"]).arg(dump.path()).env("PGDATABASE", &source.0)).expect("pg_dump");
        // A plain server refuses an event trigger whose owner is no superuser. Nothing else may go wrong.
        let restored = finish(program("pg_restore").args(["-d", &target.0]).arg(dump.path()));
        let errors = restored.err().unwrap_or_default();
        let other = errors.lines().filter(|l| l.contains("ERROR:") && !l.contains("owner of event trigger"));
        assert_eq!(other.collect::<Vec<_>>(), Vec::<&str>::new());
        target
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = try_sql_as(&env("PGUSER"), "template1", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0));
    }
}

pub fn spec(user: &str, database: &str) -> ConnSpec {
    ConnSpec {
        hosts: vec![(Host::Tcp(env("PGHOST")), env("PGPORT").parse().unwrap())],
        database: database.to_string(),
        user: user.to_string(),
        password: Some(Secret::new(password_of(user))),
        ..ConnSpec::default()
    }
}

/// What a collector left: its folder and its words.
pub struct Run {
    pub folder: tempfile::TempDir,
    pub collected: Collected,
}

impl Run {
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

pub async fn abilities(session: &Session) -> SourceAbilities {
    let list = |sql: &'static str| async move {
        session.rows(sql, &[]).await.unwrap().iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>()
    };
    let row = session
        .one(
            "SELECT current_database()::text, r.rolname::text, r.rolsuper, has_table_privilege('pg_catalog.pg_authid', 'SELECT') \
             FROM pg_roles r WHERE rolname = current_user",
            &[],
        )
        .await
        .unwrap();
    let schemas = list("SELECT nspname::text FROM pg_namespace").await;
    SourceAbilities {
        version_num: session.version_num,
        database: row.get(0),
        user: row.get(1),
        is_superuser: row.get(2),
        reads_role_passwords: row.get(3),
        is_supabase: schemas.iter().any(|s| s == "auth"),
        extensions: list("SELECT extname::text FROM pg_extension").await,
        schemas,
        ..SourceAbilities::default()
    }
}

/// Exports a snapshot, joins it, and runs one collector as `user`. `meanwhile` runs when the snapshot is taken.
pub fn run_with(
    collector: &Collector,
    database: &str,
    user: &str,
    settings: &CollectSettings,
    meanwhile: impl Fn(),
) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let collected = runtime.block_on(async {
        let spec = spec(user, database);
        let holder = SnapshotHolder::export(&spec, "stacksnap-test").await.unwrap();
        let session = Session::join(&spec, "stacksnap-test", &holder.exported).await.unwrap();
        let abilities = abilities(&session).await;
        meanwhile();
        let sink = ArtifactSink::new(folder.path());
        let inventory = Inventory::default();
        let context = Context {
            session: &session,
            abilities: &abilities,
            inventory: &inventory,
            settings,
            sink: &sink,
            archive: None,
            monitor: &Silent,
        };
        let collected = (collector.run)(&context).await.unwrap();
        session.one("SELECT 1", &[]).await.expect("the shared transaction is still alive");
        collected
    });
    Run { folder, collected }
}

pub fn run(collector: &Collector, database: &str) -> Run {
    run_with(collector, database, &env("PGUSER"), &CollectSettings::default(), || {})
}

/// Everything that the catalogs say, one line an object, so that two databases can be compared.
pub fn state(database: &str) -> Vec<String> {
    let text = sql(database, include_str!("state.sql"));
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    lines.sort();
    lines
}

/// Panics with the lines that differ.
pub fn assert_same(before: &[String], after: &[String], what: &str) {
    let lost: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(lost.is_empty() && new.is_empty(), "{what}\nlost: {lost:#?}\nnew: {new:#?}");
}

/// Runs the collector, applies its file to the database itself twice: nothing may change.
pub fn changes_nothing(collector: &Collector, database: &Database, name: &str) -> Run {
    let before = state(&database.0);
    let run = run(collector, &database.0);
    for round in ["first", "second"] {
        file(&database.0, &run.path(name));
        assert_same(&before, &state(&database.0), &format!("{name} on its own source, {round} time"));
    }
    run
}

/// Every file below a folder.
pub fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(walk(&path)) } else { out.push(path) }
    }
    out
}
