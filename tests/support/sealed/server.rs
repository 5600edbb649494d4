//! The one place where these tests find their server: the variables that `scripts/pg.sh start` prints.
#![allow(dead_code, clippy::disallowed_methods)]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// PG* of the process are inherited by every child; only the database changes.
pub struct Server {
    pub bin: PathBuf,
}

/// A database that is dropped at the end.
pub struct Database<'a> {
    server: &'a Server,
    pub name: String,
}

pub fn server() -> Server {
    let bin = std::env::var_os("STACKSNAP_TEST_BIN").map(PathBuf::from);
    let bin = bin.expect("these tests need a server: eval \"$(scripts/pg.sh start DIR 15)\"");
    Server { bin }
}

impl Server {
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.bin.join(name))
    }

    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut command = self.program("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]).env("PGDATABASE", database);
        success(&mut command)
    }

    pub fn database(&self) -> Database<'_> {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        self.database_named(&format!("restore_{}_{n}", std::process::id()))
    }

    pub fn database_named(&self, name: &str) -> Database<'_> {
        let quoted = stacksnap::model::name::ident(name);
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {quoted}"));
        self.psql("postgres", &format!("CREATE DATABASE {quoted} TEMPLATE template0"));
        Database { server: self, name: name.to_string() }
    }
}

impl Database<'_> {
    pub fn sql(&self, sql: &str) -> String {
        self.server.psql(&self.name, sql)
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.sql("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public' OR nspname = 'app'") == "0"
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let quoted = stacksnap::model::name::ident(&self.name);
        let mut command = self.server.program("psql");
        command.args(["-X", "-q", "-c", &format!("DROP DATABASE {quoted} WITH (FORCE)")]).env("PGDATABASE", "postgres");
        let _ = command.output();
    }
}

/// Standard output without its last newline; fails with standard error.
#[track_caller]
pub fn success(command: &mut Command) -> String {
    let output: Output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.ends_with('\n') {
        text.pop();
    }
    text
}
