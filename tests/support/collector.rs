//! One collector run on a database of the server, and its file applied with psql.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use stacksnap::collect::context::{CollectSettings, Collected, Collector, Context, SourceAbilities};
use stacksnap::model::connection::ConnSpec;
use stacksnap::model::inventory::Inventory;
use stacksnap::monitor::Silent;
use stacksnap::pg::session::Session;
use stacksnap::pg::snapshot::SnapshotHolder;
use stacksnap::snapshot::reader::ArchiveData;
use stacksnap::snapshot::sink::ArtifactSink;

use super::{Cluster, alone, repo, server, text};

const TEMPLATE: &str = "collector_template";

/// The server as this user sees it: roles of the fixtures have their name as the password.
fn server_as(user: &str) -> Cluster {
    let server = server();
    if user == server.user { server } else { server.as_user(user, user) }
}

/// Runs SQL as a user; the error is psql's stderr.
pub fn try_sql_as(user: &str, database: &str, sql: &str) -> Result<String, String> {
    finish(server_as(user).psql(database).args(["-c", sql]))
}

pub fn sql(database: &str, sql: &str) -> String {
    try_sql_as(&server().user, database, sql)
        .unwrap_or_else(|error| panic!("{error}\nin: {}", &sql[..sql.len().min(300)]))
}

/// Runs a file twice would be two calls; this is one, as a user would: `psql -X -v ON_ERROR_STOP=1 -f FILE`.
pub fn try_file_as(user: &str, database: &str, file: &Path) -> Result<String, String> {
    let mut command = server_as(user).program("psql", database);
    finish(command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(file))
}

/// The same: whether it went well, and everything that psql said.
pub fn apply(user: &str, database: &str, file: &Path) -> (bool, String) {
    let mut command = server_as(user).program("psql", database);
    let output = command.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"]).arg(file).output().unwrap();
    (output.status.success(), text(&output))
}

pub fn file(database: &str, path: &Path) {
    try_file_as(&server().user, database, path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
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
    let _alone = alone();
    LOADED.get_or_init(|| {
        let server = server();
        server.copy(server.loaded_template(), TEMPLATE);
        file(TEMPLATE, &repo("tests/support/collector/extra.sql"));
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
        server().copy(source, &name);
        // Settings of the database and grants on it are not copied.
        if source == TEMPLATE {
            sql(&name, include_str!("collector/database.sql"));
        }
        Self(name)
    }

    /// Dump and restore with PostgreSQL's own programs, as the archive of a snapshot would be restored.
    pub fn restored_from(source: &Self, name: &str) -> Self {
        let target = Self::plain(name);
        let dump = tempfile::NamedTempFile::new().unwrap();
        finish(server().program("pg_dump", &source.0).args(["-Fc", "-f"]).arg(dump.path())).expect("pg_dump");
        // A plain server refuses an event trigger whose owner is no superuser. Nothing else may go wrong.
        let restored = finish(server().program("pg_restore", &target.0).args(["-d", &target.0]).arg(dump.path()));
        let errors = restored.err().unwrap_or_default();
        let other = errors.lines().filter(|l| l.contains("ERROR:") && !l.contains("owner of event trigger"));
        assert_eq!(other.collect::<Vec<_>>(), Vec::<&str>::new());
        target
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0);
        let _ = try_sql_as(&server().user, "template1", &drop);
    }
}

pub fn spec(user: &str, database: &str) -> ConnSpec {
    server_as(user).spec(database)
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
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn count(&self, word: &str) -> u64 {
        *self.collected.counts.get(word).unwrap_or_else(|| panic!("no count {word}: {:?}", self.collected))
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
    run_upon(None, collector, database, user, settings, meanwhile)
}

/// The same, beside an archive of the database.
pub fn run_upon(
    archive: Option<&ArchiveData>,
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
            archive,
            monitor: &Silent,
        };
        let collected = (collector.run)(&context).await.unwrap();
        session.one("SELECT 1", &[]).await.expect("the shared transaction is still alive");
        collected
    });
    Run { folder, collected }
}

pub fn run(collector: &Collector, database: &str) -> Run {
    run_with(collector, database, &server().user, &CollectSettings::default(), || {})
}

/// Everything that the catalogs say, one line an object, so that two databases can be compared.
pub fn state(database: &str) -> Vec<String> {
    let text = sql(database, include_str!("collector/state.sql"));
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
