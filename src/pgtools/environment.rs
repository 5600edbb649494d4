//! The environment that takes a connection to libpq's programs.
//!
//! Invariant (facts 14): host, port, user and database go in PG* variables, the password in a 0600 passfile that is
//! removed with this value; nothing of it is in argv. A database named like a connection string is only a name.

use std::ffi::OsString;
use std::io::Write;

use tempfile::NamedTempFile;

use crate::model::connection::{ConnSpec, Host};
use crate::model::failure::Result;

/// Variables for a child, and the passfile that they point to. Keep it until the child has ended.
#[derive(Debug)]
pub struct LibpqEnvironment {
    variables: Vec<(OsString, OsString)>,
    _passfile: NamedTempFile,
}

impl LibpqEnvironment {
    /// Writes the passfile and builds the variables.
    pub fn new(spec: &ConnSpec, application_name: &str) -> Result<Self> {
        let mut passfile = tempfile::Builder::new().prefix(".stacksnap-pgpass-").tempfile()?;
        if let Some(password) = &spec.password {
            writeln!(passfile, "*:*:*:*:{}", escape(password.reveal()))?;
            passfile.flush()?;
        }
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
        Ok(Self { variables: set, _passfile: passfile })
    }

    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        self.variables.clone()
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
    use std::os::unix::fs::PermissionsExt;

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
        let environment = LibpqEnvironment::new(&spec, "stacksnap").unwrap();
        let variables = environment.variables();
        let get = |name: &str| variables.iter().find(|(n, _)| n == name).unwrap().1.to_string_lossy().into_owned();
        assert_eq!(get("PGDATABASE"), "host=evil dbname=x");
        assert_eq!(get("PGSSLMODE"), "verify-full");
        assert!(variables.iter().all(|(_, value)| !value.to_string_lossy().contains("word")));
        let passfile = get("PGPASSFILE");
        assert_eq!(std::fs::read_to_string(&passfile).unwrap(), "*:*:*:*:pa\\:ss\\\\word\n");
        assert_eq!(std::fs::metadata(&passfile).unwrap().permissions().mode() & 0o777, 0o600);
        drop(environment);
        assert!(!std::path::Path::new(&passfile).exists());
    }
}
