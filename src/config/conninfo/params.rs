//! The parameters of a connection string: libpq's, and those that drivers and ORMs put into the same URL.
//!
//! Invariant: a parameter is used, ignored with a note, or refused; none is dropped silently. The value of a password
//! is in no message and in no `Debug`.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::suggest::closest;
use crate::model::failure::{Failure, FailureKind, Result};

/// How a parameter is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It changes how we connect.
    Used,
    /// A libpq parameter that changes nothing for us.
    Harmless,
    /// Ignoring it would weaken or change the connection: refused unless it has one of these values.
    OnlyAs(&'static [&'static str]),
}

/// libpq's parameters, the environment variable of each, and how it is treated.
const LIBPQ: &[(&str, Option<&str>, Meaning)] = &[
    ("host", Some("PGHOST"), Meaning::Used),
    ("hostaddr", Some("PGHOSTADDR"), Meaning::Used),
    ("port", Some("PGPORT"), Meaning::Used),
    ("dbname", Some("PGDATABASE"), Meaning::Used),
    ("user", Some("PGUSER"), Meaning::Used),
    ("password", Some("PGPASSWORD"), Meaning::Used),
    ("passfile", Some("PGPASSFILE"), Meaning::Used),
    ("service", Some("PGSERVICE"), Meaning::Used),
    ("sslmode", Some("PGSSLMODE"), Meaning::Used),
    ("sslrootcert", Some("PGSSLROOTCERT"), Meaning::Used),
    ("sslcert", Some("PGSSLCERT"), Meaning::Used),
    ("sslkey", Some("PGSSLKEY"), Meaning::Used),
    ("channel_binding", Some("PGCHANNELBINDING"), Meaning::Used),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT"), Meaning::Used),
    ("options", Some("PGOPTIONS"), Meaning::Used),
    ("application_name", None, Meaning::Harmless),
    ("fallback_application_name", None, Meaning::Harmless),
    ("client_encoding", None, Meaning::Harmless),
    ("keepalives", None, Meaning::Used),
    ("keepalives_idle", None, Meaning::Used),
    ("keepalives_interval", None, Meaning::Used),
    ("keepalives_count", None, Meaning::Used),
    ("tcp_user_timeout", None, Meaning::Used),
    ("sslcompression", None, Meaning::Harmless),
    ("sslsni", None, Meaning::Harmless),
    ("sslkeylogfile", None, Meaning::Harmless),
    ("ssl_max_protocol_version", None, Meaning::Harmless),
    ("min_protocol_version", None, Meaning::Harmless),
    ("max_protocol_version", None, Meaning::Harmless),
    ("krbsrvname", None, Meaning::Harmless),
    ("gsslib", None, Meaning::Harmless),
    ("gssdelegation", None, Meaning::Harmless),
    ("load_balance_hosts", None, Meaning::Harmless),
    ("sslcertmode", Some("PGSSLCERTMODE"), Meaning::OnlyAs(&["allow"])),
    ("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION"), Meaning::OnlyAs(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    ("gssencmode", Some("PGGSSENCMODE"), Meaning::OnlyAs(&["disable", "prefer"])),
    ("sslnegotiation", Some("PGSSLNEGOTIATION"), Meaning::OnlyAs(&["postgres"])),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS"), Meaning::OnlyAs(&["any"])),
    ("require_auth", Some("PGREQUIREAUTH"), Meaning::OnlyAs(&[])),
    ("requirepeer", Some("PGREQUIREPEER"), Meaning::OnlyAs(&[])),
    ("sslcrl", Some("PGSSLCRL"), Meaning::OnlyAs(&[])),
    ("sslcrldir", Some("PGSSLCRLDIR"), Meaning::OnlyAs(&[])),
    ("sslpassword", None, Meaning::OnlyAs(&[])),
    ("replication", None, Meaning::OnlyAs(&["false", "off", "no", "0"])),
];

/// Parameters of Prisma, Drizzle, node-pg, SQLAlchemy, JDBC, pgx, Vercel and Supabase in the same URL. They configure
/// pools and drivers, not the server.
const FOREIGN: &[&str] = &[
    "binary_parameters",
    "charset",
    "connection_limit",
    "currentSchema",
    "default_query_exec_mode",
    "encoding",
    "idle_timeout",
    "max",
    "max_connections",
    "pgbouncer",
    "pool_max_conns",
    "pool_min_conns",
    "pool_mode",
    "pool_size",
    "pool_timeout",
    "prepareThreshold",
    "prepared_statement_cache_size",
    "reconnect",
    "schema",
    "search_path",
    "single_use_connections",
    "socket_timeout",
    "sslaccept",
    "sslidentity",
    "statement_cache_capacity",
    "statement_cache_size",
    "supa",
    "timezone",
    "uselibpqcompat",
    "workaround",
];

/// The parameters of one source, by name, and notes about those that were ignored.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    values: BTreeMap<&'static str, String>,
    pub notes: Vec<String>,
    /// The value of `pgbouncer=…`, if given: `Some(true)` means a pooler in transaction mode.
    pub pgbouncer: Option<bool>,
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): (&&'static str, &String)| {
            (*name, if *name == "password" { "***".to_string() } else { value.clone() })
        };
        f.debug_map().entries(self.values.iter().map(shown)).finish()
    }
}

impl Params {
    /// The value, if it is set and not empty (libpq treats an empty value as not set).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every used parameter that is set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Sets a used parameter by its libpq name; a later value wins, as in libpq.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.values.insert(name, value.into());
    }

    /// Sets it unless it is already set.
    pub fn fill(&mut self, name: &'static str, value: &str) -> bool {
        let fills = self.get(name).is_none();
        if fills {
            self.set(name, value);
        }
        fills
    }

    /// Takes one parameter as written. `echo`: its name may be shown in errors. A name that may be part of a badly
    /// quoted password may not.
    pub fn take(&mut self, name: &str, value: &str, echo: bool) -> Result<()> {
        if let Some((known, _, meaning)) = LIBPQ.iter().find(|(known, ..)| *known == name) {
            return self.take_known(known, *meaning, value);
        }
        if let Some(known) = FOREIGN.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            if *known == "pgbouncer" {
                self.pgbouncer = Some(!matches!(value, "false" | "0" | "off" | "no" | ""));
            }
            self.notes.push(format!("'{known}' is for a driver or an ORM: ignored"));
            return Ok(());
        }
        Err(unknown(name, echo))
    }

    fn take_known(&mut self, name: &'static str, meaning: Meaning, value: &str) -> Result<()> {
        match meaning {
            Meaning::Used => self.set(name, value),
            Meaning::Harmless => self.notes.push(format!("'{name}' has no effect here: ignored")),
            Meaning::OnlyAs(accepted) if value.is_empty() || accepted.contains(&value) => {}
            Meaning::OnlyAs(accepted) => return Err(refused(name, accepted)),
        }
        Ok(())
    }

    /// Fills in missing parameters from libpq's environment variables; `lookup` returns the value of one. Returns the
    /// names of those that were used.
    pub fn fill_from_environment<'a>(&mut self, lookup: impl Fn(&str) -> Option<&'a str>) -> Result<Vec<&'static str>> {
        let mut used = Vec::new();
        for (name, variable, meaning) in LIBPQ {
            let Some(variable) = variable else { continue };
            let Some(value) = lookup(variable).filter(|value| !value.is_empty()) else { continue };
            match meaning {
                Meaning::Used => {
                    if self.fill(name, value) {
                        used.push(*variable);
                    }
                }
                other => self.take_known(name, *other, value).map_err(|f| f.hint(format!("unset {variable}")))?,
            }
        }
        Ok(used)
    }
}

/// libpq's variables that we read.
pub fn variables() -> impl Iterator<Item = &'static str> {
    LIBPQ.iter().filter_map(|(_, variable, _)| *variable).chain(["PGSERVICEFILE", "PGSYSCONFDIR"])
}

fn unknown(name: &str, echo: bool) -> Failure {
    let known = LIBPQ.iter().map(|(known, ..)| *known).chain(FOREIGN.iter().copied());
    let suggestion = closest(name, known);
    let text = if echo { format!("unknown parameter '{name}'") } else { "unknown parameter".to_string() };
    let failure = Failure::msg(FailureKind::Configuration, text);
    match suggestion {
        Some(suggestion) => failure.hint(format!("did you mean '{suggestion}'?")),
        None => failure.hint("remove it: neither libpq nor a driver that stacksnap knows has this parameter"),
    }
}

fn refused(name: &str, accepted: &[&str]) -> Failure {
    let failure = Failure::msg(
        FailureKind::Configuration,
        format!("the parameter '{name}' is not supported, and ignoring it would not be safe"),
    );
    let hint = match name {
        "sslpassword" => "store the key without a passphrase (openssl pkey -in KEY -out NEW), mode 0600".to_string(),
        "target_session_attrs" => "name the one host to read from".to_string(),
        _ if accepted.is_empty() => format!("connect without '{name}'"),
        _ => format!("accepted: {}", accepted.join(", ")),
    };
    failure.hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_parameters_are_noted_not_refused() {
        let mut params = Params::default();
        for name in ["pgbouncer", "connection_limit", "schema", "pool_timeout", "sslaccept", "supa"] {
            params.take(name, "true", true).unwrap();
        }
        assert_eq!(params.notes.len(), 6);
        assert_eq!(params.pgbouncer, Some(true));
        assert_eq!(params.iter().count(), 0);
    }

    #[test]
    fn an_unknown_parameter_is_an_error_with_a_suggestion() {
        let failure = Params::default().take("sslmdoe", "x", true).unwrap_err();
        assert_eq!(failure.to_string(), "unknown parameter 'sslmdoe'");
        assert_eq!(failure.hints, ["did you mean 'sslmode'?"]);
    }

    #[test]
    fn what_would_weaken_the_connection_is_refused() {
        let mut params = Params::default();
        assert!(params.take("sslcrl", "/x", true).is_err());
        assert!(params.take("require_auth", "scram-sha-256", true).is_err());
        assert!(params.take("gssencmode", "prefer", true).is_ok());
        assert!(params.take("target_session_attrs", "any", true).is_ok());
    }

    #[test]
    fn debug_hides_the_password() {
        let mut params = Params::default();
        params.set("password", "canary-4711");
        assert!(!format!("{params:?}").contains("canary"));
    }
}
