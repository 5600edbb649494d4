//! The environment variables that pass a connection to libpq's programs.
//!
//! Invariant (trap 14): host, port, user and database are passed in PG* variables, the password in a passfile that is
//! removed with this value; none of them is ever in argv. A database named like a connection string is only a name.

use std::ffi::OsString;
use std::path::Path;

use super::passfile::Passfile;
use crate::model::connection::{ConnSpec, Host};
use crate::model::failure::{Failure, Result};
use crate::proc::Program;

/// Variables for a child process, and the passfile they refer to. Keep it until the child has ended.
#[derive(Debug)]
pub struct LibpqEnvironment {
    variables: Vec<(OsString, OsString)>,
    keepalive: String,
    passfile: Passfile,
}

impl LibpqEnvironment {
    /// Creates the passfile and builds the variables.
    pub fn new(spec: &ConnSpec, application_name: &str, temp_dir: &Path) -> Result<Self> {
        let password = spec.password.as_ref().map(|password| format!("*:*:*:*:{}\n", escape(password.reveal())));
        let passfile = Passfile::new(password.as_deref().unwrap_or_default(), temp_dir)
            .map_err(|e| Failure::from(e).context("cannot create a password file for pg_dump"))?;
        let mut set: Vec<(OsString, OsString)> = Vec::new();
        let mut put = |name: &str, value: OsString| set.push((name.into(), value));
        let hosts: Vec<String> = spec.hosts.iter().map(|(host, _)| host_text(host)).collect();
        let ports: Vec<String> = spec.hosts.iter().map(|(_, port)| port.to_string()).collect();
        put("PGHOST", hosts.join(",").into());
        if spec.host_addresses.iter().any(Option::is_some) {
            let addresses = spec.host_addresses.iter().map(|a| a.map(|a| a.to_string()).unwrap_or_default());
            put("PGHOSTADDR", addresses.collect::<Vec<_>>().join(",").into());
        }
        put("PGPORT", ports.join(",").into());
        put("PGDATABASE", spec.database.clone().into());
        put("PGUSER", spec.user.clone().into());
        put("PGPASSFILE", passfile.path().into());
        put("PGSSLMODE", spec.ssl_mode.word().into());
        put("PGAPPNAME", application_name.into());
        put("PGCHANNELBINDING", spec.channel_binding.word().into());
        put("PGTZ", "UTC".into());
        if let Some(file) = &spec.ssl_root_cert {
            put("PGSSLROOTCERT", file.into());
        }
        if let (Some(cert), Some(key)) = (&spec.ssl_cert, &spec.ssl_key) {
            put("PGSSLCERT", cert.into());
            put("PGSSLKEY", key.into());
        }
        let timeout_s = spec.connect_timeout.map_or(10, |t| t.as_secs().max(2));
        put("PGCONNECT_TIMEOUT", timeout_s.to_string().into());
        if let Some(options) = &spec.options {
            put("PGOPTIONS", options.into());
        }
        Ok(Self { variables: set, keepalive: spec.keepalive.conninfo(), passfile })
    }

    /// The keepalive settings as a connection string, because libpq has no variables for them. It has no secret and no
    /// database name.
    pub fn keepalive(&self) -> &str {
        &self.keepalive
    }

    /// Passes it to a program that does not read its standard input.
    pub fn give(&self, program: Program) -> Result<Program> {
        Ok(self.passfile.give(program.envs(self.variables.clone()))?)
    }
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.to_string_lossy().into_owned(),
    }
}

fn escape(field: &str) -> String {
    field.replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::connection::SslMode;
    use crate::model::secret::Secret;
    use std::time::Duration;

    #[test]
    fn trap_14_a_database_named_like_a_connection_string_is_only_a_name() {
        let spec = ConnSpec {
            hosts: vec![(Host::Tcp("::1".into()), 5433)],
            database: "host=evil dbname=x".into(),
            user: "u".into(),
            password: Some(Secret::new("pa:ss\\word")),
            ssl_mode: SslMode::VerifyFull,
            ..ConnSpec::default()
        };
        let temp_dir = tempfile::tempdir().unwrap();
        let environment = LibpqEnvironment::new(&spec, "stacksnap", temp_dir.path()).unwrap();
        assert!(environment.variables.iter().all(|(_, value)| !value.to_string_lossy().contains("word")));
        let look = "echo \"$PGDATABASE $PGSSLMODE\"; cat \"$PGPASSFILE\"";
        let program = environment.give(Program::new("/bin/sh").arg("-c").arg(look)).unwrap();
        let said = String::from_utf8(program.run(Duration::from_secs(5)).unwrap().stdout).unwrap();
        assert_eq!(said, "host=evil dbname=x verify-full\n*:*:*:*:pa\\:ss\\\\word\n");
    }
}
