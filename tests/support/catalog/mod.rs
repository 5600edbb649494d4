//! A real server for the catalog tests, in one place: the PG* variables as scripts/pg.sh prints them.
#![allow(dead_code, clippy::disallowed_methods)]

use stacksnap::model::connection::{ConnSpec, Host};
use stacksnap::model::secret::Secret;
use stacksnap::pg::session::Session;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(scripts/pg.sh start DIR 15)\" first"))
}

/// The folder of the server's own programs.
pub fn bin(program: &str) -> std::path::PathBuf {
    std::path::Path::new(&variable("STACKSNAP_TEST_BIN")).join(program)
}

/// How to reach a database of the test server as its superuser.
pub fn spec(database: &str) -> ConnSpec {
    ConnSpec {
        hosts: vec![(Host::Tcp(variable("PGHOST")), variable("PGPORT").parse().unwrap())],
        database: database.to_string(),
        user: variable("PGUSER"),
        password: Some(Secret::new(variable("PGPASSWORD"))),
        ..ConnSpec::default()
    }
}

/// The database that the fixtures were loaded into.
pub fn loaded() -> ConnSpec {
    spec(&variable("PGDATABASE"))
}

/// A database with every fixture in it, made once for a server.
pub fn fixtures() -> ConnSpec {
    static LOADED: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    const NAME: &str = "every_fixture";
    LOADED.get_or_init(|| {
        let run = |program: std::path::PathBuf, args: &[&str]| {
            let done = std::process::Command::new(program).args(args).env("PGDATABASE", NAME).output().unwrap();
            assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8(done.stdout).unwrap()
        };
        let there = run(
            bin("psql"),
            &["-XAtd", "postgres", "-c", "SELECT count(*) FROM pg_database WHERE datname = 'every_fixture'"],
        );
        if there.trim() == "0" {
            run(bin("createdb"), &[NAME]);
            let load = crate::support::repo("fixtures/load.sh");
            run(load, &["stack", "app", "types", "nasty", "schema_zoo", "cycles"]);
        }
    });
    spec(NAME)
}

pub async fn open(spec: &ConnSpec) -> Session {
    Session::open(spec, "stacksnap-test").await.unwrap()
}

/// A new, empty database of that name, and a session in it.
pub async fn fresh(name: &str) -> (ConnSpec, Session) {
    let admin = open(&loaded()).await;
    admin.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
    admin.execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
    let spec = spec(name);
    let session = open(&spec).await;
    (spec, session)
}

/// A login role of that name without any right, and how to connect as it.
pub async fn role(session: &Session, name: &str, attributes: &str, database: &ConnSpec) -> ConnSpec {
    session
        .execute(&format!(
            "DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{name}') THEN \
             DROP OWNED BY {name}; END IF; END $$; DROP ROLE IF EXISTS {name}; \
             CREATE ROLE {name} LOGIN PASSWORD 'test'; ALTER ROLE {name} {attributes}"
        ))
        .await
        .unwrap();
    ConnSpec { user: name.to_string(), password: Some(Secret::new("test")), ..database.clone() }
}
