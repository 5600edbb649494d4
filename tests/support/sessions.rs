//! Our own sessions on the server of the environment, for tests that call the library.

use std::sync::OnceLock;

use stacksnap::model::connection::ConnSpec;
use stacksnap::model::secret::Secret;
use stacksnap::pg::session::Session;

use super::{EVERYTHING, alone, server, turns};

/// How to reach a database as the superuser.
pub fn spec(database: &str) -> ConnSpec {
    server().spec(database)
}

/// A database with every fixture in it, loaded once for a program.
pub fn fixtures() -> ConnSpec {
    static LOADED: OnceLock<String> = OnceLock::new();
    if LOADED.get().is_none() {
        let _alone = alone();
        LOADED.get_or_init(|| server().load("every_fixture", "revoked", EVERYTHING));
    }
    turns::share();
    spec("every_fixture")
}

pub async fn open(spec: &ConnSpec) -> Session {
    Session::open(spec, "stacksnap-test").await.unwrap()
}

/// A new, empty database of that name, and a session in it.
pub async fn fresh(name: &str) -> (ConnSpec, Session) {
    turns::share();
    let admin = open(&spec("postgres")).await;
    admin.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
    admin.execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
    let spec = spec(name);
    let session = open(&spec).await;
    (spec, session)
}

/// A login role of that name without any right, and how to connect as it. The test is alone on the server.
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
