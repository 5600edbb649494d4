//! A real server with the fixtures, a real archive of it, and a context for one collector.
//!
//! `server()` is the one place that knows where the server comes from: the variables that `scripts/pg.sh start`
//! prints, and `STACKSNAP_TEST_FIXTURES` (default: `fixtures/` of this package).
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use stacksnap::collect::context::{CollectSettings, Collected, Collector, Context, SourceAbilities};
use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::inventory::Inventory;
use stacksnap::model::name::QualifiedName;
use stacksnap::model::secret::Secret;
use stacksnap::monitor::Silent;
use stacksnap::pg::session::Session;
use stacksnap::snapshot::reader::{ArchiveData, DataFile};
use stacksnap::snapshot::sink::ArtifactSink;

#[derive(Clone)]
pub struct Server {
    bin: PathBuf,
    host: String,
    port: u16,
    fixtures: PathBuf,
}

/// The server of the environment; `None` (and a word about it) without one.
pub fn server() -> Option<Server> {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(bin), Some(port)) = (variable("STACKSNAP_TEST_BIN"), variable("PGPORT")) else {
        eprintln!("no server: eval \"$(scripts/pg.sh start DIR 15)\" first");
        return None;
    };
    let fixtures = variable("STACKSNAP_TEST_FIXTURES").map_or_else(|| crate::support::repo("fixtures"), PathBuf::from);
    let host = variable("PGHOST").unwrap_or_else(|| "127.0.0.1".into());
    Some(Server { bin: bin.into(), host, port: port.parse().unwrap(), fixtures })
}

fn run(command: &mut Command) -> (bool, String) {
    let out = command.output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.success(), text)
}

impl Server {
    fn program(&self, name: &str, database: &str, user: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command
            .env("PGDATABASE", database)
            .env("PGUSER", user)
            .env("PGHOST", &self.host)
            .env("PGPORT", self.port.to_string());
        command.env("PGPASSWORD", "postgres");
        command
    }

    /// One statement or more; returns what psql prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let (ok, text) =
            run(self.program("psql", database, "supabase_admin").args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]));
        assert!(ok, "{sql}: {text}");
        text.trim().to_string()
    }

    /// Runs a file as a user.
    pub fn file(&self, database: &str, user: &str, file: &Path) -> (bool, String) {
        run(self
            .program("psql", database, user)
            .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-f"])
            .arg(file)
            .arg("-o")
            .arg("/dev/null"))
    }

    /// A database of its own from the fixtures `stack` and `app`.
    pub fn stack(&self, name: &str) -> String {
        static LOADED: OnceLock<()> = OnceLock::new();
        static COPYING: Mutex<()> = Mutex::new(());
        LOADED.get_or_init(|| {
            if self.sql("postgres", "SELECT count(*) FROM pg_namespace WHERE nspname = 'auth'") == "0" {
                let mut load = Command::new(self.fixtures.join("load.sh"));
                load.env("PGDATABASE", "postgres").env("PGUSER", "supabase_admin").env("PGPASSWORD", "postgres");
                load.env("PGHOST", &self.host)
                    .env("PGPORT", self.port.to_string())
                    .env("STACKSNAP_TEST_BIN", &self.bin);
                let (ok, text) = run(load.args(["stack", "app"]));
                assert!(ok, "{text}");
            }
        });
        let _copying = COPYING.lock().unwrap_or_else(|e| e.into_inner());
        self.database(name, "postgres")
    }

    /// A new database from a template.
    pub fn database(&self, name: &str, template: &str) -> String {
        let name = format!("cd_{name}");
        self.sql("template1", &format!("DROP DATABASE IF EXISTS {name}"));
        self.sql("template1", &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        name
    }

    pub fn fixture(&self, path: &str) -> PathBuf {
        self.fixtures.join(path)
    }

    fn spec(&self, database: &str) -> ConnSpec {
        ConnSpec {
            hosts: vec![(Host::Tcp(self.host.clone()), self.port)],
            database: database.into(),
            user: "supabase_admin".into(),
            password: Some(Secret::new("postgres")),
            ..ConnSpec::default()
        }
    }

    /// A directory archive of a database, and which file belongs to which table.
    fn archive(&self, database: &str, folder: &Path) -> ArchiveData {
        let mut dump = self.program("pg_dump", database, "supabase_admin");
        let (ok, text) = run(dump.args(["-Fd", "-Z0", "-f"]).arg(folder));
        assert!(ok, "{text}");
        let (ok, list) = run(self.program("pg_restore", database, "supabase_admin").arg("-l").arg(folder));
        assert!(ok, "{list}");
        let facts = self.sql(
            database,
            "SELECT json_agg(json_build_array(c.oid::int8, n.nspname, c.relname, coalesce((SELECT json_agg(attname ORDER BY attnum) \
             FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''), '[]'))) \
             FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r'",
        );
        let facts: Vec<(u64, String, String, Vec<String>)> = serde_json::from_str(&facts).unwrap();
        let entry = |line: &str| {
            let (number, rest) = line.split_once("; 0 ")?;
            let (oid, rest) = rest.split_once(' ')?;
            let (_, schema, name, columns) = facts.iter().find(|f| Some(f.0) == oid.parse().ok())?;
            let table = QualifiedName::new(schema.as_str(), name.as_str());
            let file_name = format!("{number}.dat");
            rest.starts_with("TABLE DATA ").then(|| DataFile { table, columns: columns.clone(), file_name })
        };
        ArchiveData { folder: folder.into(), files: list.lines().filter_map(entry).collect() }
    }
}

/// What one collector left.
pub struct Run {
    pub dir: tempfile::TempDir,
    pub collected: Collected,
}

impl Run {
    pub fn place(&self, path: &str) -> PathBuf {
        self.dir.path().join("snapshot").join(path)
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.place(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub fn count(&self, word: &str) -> u64 {
        *self.collected.counts.get(word).unwrap_or_else(|| panic!("no count {word}: {:?}", self.collected))
    }
}

/// Runs one collector on a database, as the whole run would: archive first, then the session on a snapshot.
pub fn collect(server: &Server, database: &str, collector: &Collector, settings: &CollectSettings) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let archive = server.archive(database, &dir.path().join("archive"));
    std::fs::create_dir(dir.path().join("snapshot")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collected = runtime.block_on(async {
        let session = Session::open(&server.spec(database), "stacksnap test").await.unwrap();
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await.unwrap();
        let names = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|r| r.get::<_, String>(0)).collect::<Vec<_>>();
        let schemas = names(session.rows("SELECT nspname::text FROM pg_namespace", &[]).await.unwrap());
        let extensions = names(session.rows("SELECT extname::text FROM pg_extension", &[]).await.unwrap());
        let is_supabase = schemas.iter().any(|s| s == "auth");
        let abilities = SourceAbilities {
            schemas,
            extensions,
            is_supabase,
            version_num: session.version_num,
            ..Default::default()
        };
        let sink = ArtifactSink::new(dir.path().join("snapshot"));
        let context = Context {
            session: &session,
            abilities: &abilities,
            inventory: &Inventory::default(),
            settings,
            sink: &sink,
            archive: Some(&archive),
            monitor: &Silent,
        };
        let collected = (collector.run)(&context).await.unwrap();
        assert_eq!(session.one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1, "the session is still usable");
        collected
    });
    Run { dir, collected }
}
