//! Databases that are dropped at the end, for tests that give the program's arguments themselves.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use stacksnap::model::name::ident;

use super::{Cluster, success};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A number that nobody else in this program has.
pub fn next() -> u32 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Cluster {
    /// A new database; `clause` as in CREATE DATABASE.
    pub fn database(&self, clause: &str) -> Database {
        self.share();
        let name = format!("test_{}_{}", std::process::id(), next());
        self.sql("postgres", &format!("CREATE DATABASE {name} {clause}"));
        Database { server: self.clone(), name }
    }

    /// A small application without anything of Supabase.
    pub fn small(&self) -> Database {
        let database = self.database("TEMPLATE template0");
        database.sql(SMALL);
        database
    }

    /// Drops what test programs left that were killed.
    pub fn drop_left_databases(&self) {
        for name in self.sql("postgres", "SELECT datname FROM pg_database WHERE datname ~ '^test_'").lines() {
            let pid = name.split('_').nth(1).and_then(|part| part.parse::<u32>().ok());
            if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                // A test that was killed may have marked it.
                self.sql("postgres", &format!("ALTER DATABASE {name} IS_TEMPLATE false"));
                self.sql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            }
        }
    }

    /// The stack with the application.
    pub fn stack(&self) -> Database {
        let template = self.loaded_template();
        self.database(&format!("TEMPLATE {template}"))
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
    pub server: Cluster,
    pub name: String,
}

impl Database {
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        // Statements are written in UTF-8, whatever the database has.
        success(self.server.psql(&self.name).env("PGCLIENTENCODING", "UTF8").args(["-c", sql]))
    }

    /// The same database by another way in: a slow relay, another role.
    pub fn through(&self, port: u16) -> Access<'_> {
        Access { port, ..self.access() }
    }

    pub fn access(&self) -> Access<'_> {
        let Cluster { host, port, user, password, .. } = &self.server;
        Access { database: &self.name, host, port: *port, user, password }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(&self.name));
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
