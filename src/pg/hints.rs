//! Explains why a connection attempt failed, and what the user can do.
//!
//! Invariant: a message names host, port, user and database, never a password. Each cause has one failure kind, and so
//! one exit code.

use std::error::Error;
use std::io;
use std::time::Duration;

use crate::model::connection::{ConnSpec, Host, LOCAL_SUPABASE, SslMode};
use crate::model::failure::{Failure, FailureKind};

use super::tls::Refusal;

/// The cause of a failed attempt.
#[derive(Debug)]
pub enum ConnectError {
    Lookup(io::Error),
    /// The flag is true if the host has only IPv6 addresses.
    Network(io::Error, bool),
    Timeout(Duration, bool),
    /// The server answers, but not with TLS.
    NoTls,
    NotPostgres,
    Handshake(tokio_postgres::Error),
    /// Certificate files that cannot be used.
    Certificates(Failure),
    /// An error that the server reported.
    Server(tokio_postgres::Error),
    /// Any other protocol error: a missing password, no channel binding, a closed connection.
    Protocol(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.as_db_error().is_some() {
            Self::Server(error)
        } else if error.to_string().starts_with("error performing TLS") {
            Self::Handshake(error)
        } else {
            Self::Protocol(error)
        }
    }
}

/// The failure to report for an attempt at one host.
pub fn explain(spec: &ConnSpec, host: &Host, port: u16, trouble: ConnectError) -> Failure {
    let place = match host {
        Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
        Host::Tcp(name) => format!("{name}:{port}"),
        Host::Unix(folder) => format!("the socket {}/.s.PGSQL.{port}", folder.display()),
    };
    let failure = match trouble {
        ConnectError::Lookup(error) => lookup(error, host),
        ConnectError::Network(error, only_ipv6) => network(spec, error, host, only_ipv6),
        ConnectError::Timeout(limit, only_ipv6) => timeout(limit, host, only_ipv6),
        ConnectError::NoTls => no_tls(spec),
        ConnectError::NotPostgres => unreachable("there is no PostgreSQL server at this address")
            .hint("check host and port: the API's address is not the database's"),
        ConnectError::Handshake(error) => handshake(spec, &error),
        ConnectError::Certificates(failure) => failure,
        ConnectError::Server(error) => server(spec, host, &error),
        ConnectError::Protocol(error) => protocol(spec, &error),
    };
    let source = match (spec.origin.variable.as_str(), &spec.origin.file) {
        ("", _) => String::new(),
        (variable, Some(file)) => format!(", from {variable} in {}", file.display()),
        (variable, None) => format!(", from {variable}"),
    };
    failure
        .context(format!("cannot connect to database '{}' as '{}' at {place}{source}", spec.database, spec.user))
        .hint("'stacksnap doctor' shows which variable is used and what can be reached")
}

fn unreachable(text: impl Into<String>) -> Failure {
    Failure::msg(FailureKind::Unreachable, text.into())
}

fn denied(text: impl Into<String>) -> Failure {
    Failure::msg(FailureKind::Denied, text.into())
}

/// The project reference in `db.<ref>.supabase.co`, the direct host, which has only IPv6 addresses.
fn supabase_ref(host: &Host) -> Option<&str> {
    let Host::Tcp(name) = host else { return None };
    name.strip_prefix("db.")?.strip_suffix(".supabase.co").filter(|name| !name.contains('.'))
}

fn direct_host_hint(failure: Failure, host: &Host) -> Failure {
    match supabase_ref(host) {
        Some(project) => failure.hint(format!(
            "this direct host has only an IPv6 address, and this network may not support IPv6: use the session pooler, \
             postgresql://postgres.{project}:***@aws-0-REGION.pooler.supabase.com:5432/postgres \
             (dashboard, Connect, session pooler)"
        )),
        None => failure,
    }
}

fn lookup(error: io::Error, host: &Host) -> Failure {
    let failure = Failure::new(FailureKind::Unreachable, error).context("the host name cannot be resolved");
    let failure = direct_host_hint(failure, host);
    let paused = matches!(host, Host::Tcp(name) if name.ends_with(".supabase.co"));
    let failure = failure.hint("check the spelling of the host name, and your DNS server");
    if paused {
        failure.hint("a paused project has no host name: restore the project in the dashboard")
    } else {
        failure
    }
}

fn network(spec: &ConnSpec, error: io::Error, host: &Host, only_ipv6: bool) -> Failure {
    let kind = error.kind();
    let missing_socket = kind == io::ErrorKind::NotFound;
    let failure = Failure::new(FailureKind::Unreachable, error).context("the server cannot be reached");
    let failure = if only_ipv6 { direct_host_hint(failure, host) } else { failure };
    if spec.origin.variable == LOCAL_SUPABASE {
        return failure.hint(
            "no connection is configured, so the local Supabase was tried: run 'supabase start', \
             or set STACKSNAP_DB_URL",
        );
    }
    match kind {
        _ if missing_socket => failure.hint("no server listens on this socket: set PGHOST, or start the server"),
        io::ErrorKind::ConnectionRefused => {
            failure.hint("nothing listens on this port: check host and port, and that the server runs")
        }
        _ => failure.hint("check host, port, firewall and the server's list of allowed addresses"),
    }
}

fn timeout(limit: Duration, host: &Host, only_ipv6: bool) -> Failure {
    let failure = unreachable(format!("there was no answer within {} s", limit.as_secs_f32()));
    let failure = if only_ipv6 { direct_host_hint(failure, host) } else { failure };
    failure
        .hint("check host, port, firewall and the server's list of allowed addresses")
        .hint("to wait longer, set connect_timeout=SECONDS in the URL or PGCONNECT_TIMEOUT")
}

fn no_tls(spec: &ConnSpec) -> Failure {
    unreachable(format!("the server does not offer TLS, but sslmode={} requires it", spec.ssl_mode.word()))
        .hint("enable TLS on the server; in a trusted network, sslmode=prefer connects without it")
}

/// The TLS handshake failed, most often because of the certificate.
fn handshake(spec: &ConnSpec, error: &tokio_postgres::Error) -> Failure {
    let mode = spec.ssl_mode.word();
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let tls = io.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(tls) = tls else {
        return unreachable(format!("TLS failed: {}", chain(error)));
    };
    let root = match &spec.ssl_root_cert {
        Some(file) => file.display().to_string(),
        None => "none".to_string(),
    };
    let rustls::Error::InvalidCertificate(reason) = tls else {
        let failure = unreachable(format!("TLS failed: {tls}"));
        return match tls {
            rustls::Error::AlertReceived(_) => {
                failure.hint("the server aborted the handshake: it may require a client certificate (sslcert, sslkey)")
            }
            _ => failure.hint("the server must offer TLS 1.2 or newer"),
        };
    };
    let why = match reason {
        rustls::CertificateError::UnknownIssuer => {
            format!("it is not signed by a CA in sslrootcert ({root})")
        }
        rustls::CertificateError::Other(other) => other.0.to_string(),
        other => other.to_string(),
    };
    let failure = unreachable(format!("the server's certificate does not verify (sslmode={mode}): {why}"));
    let wrong_name = matches!(reason, rustls::CertificateError::Other(other) if other.0.downcast_ref::<Refusal>().is_some_and(|r| matches!(r, Refusal::WrongName { .. })));
    if wrong_name {
        return failure.hint("use a host name that is in the certificate; sslmode=verify-ca checks only the CA");
    }
    let failure =
        failure.hint("put the CA certificate into the file sslrootcert=FILE (Supabase: dashboard, Database, SSL)");
    if spec.ssl_mode == SslMode::VerifyFull || spec.ssl_mode == SslMode::VerifyCa {
        failure.hint("without a root certificate file, sslmode=require encrypts without verifying")
    } else {
        failure.hint(format!("like libpq, stacksnap verifies the certificate because the root file {root} exists"))
    }
}

/// The server rejected the connection with a SQLSTATE.
fn server(spec: &ConnSpec, host: &Host, error: &tokio_postgres::Error) -> Failure {
    let Some(db) = error.as_db_error() else { return unreachable(chain(error)) };
    let (code, message) = (db.code().code(), db.message());
    let text = format!("the server refused: {message} (SQLSTATE {code})");
    let pooler = matches!(host, Host::Tcp(name) if name.ends_with(".pooler.supabase.com"));
    match code {
        "28P01" => denied(text)
            .hint(format!("the password of '{}' is wrong, or is for another user or project", spec.user))
            .hint("special characters of a password in a URL must be percent-encoded (@ as %40)"),
        "28000" => denied(text).hint("the server's pg_hba.conf rejects this user, address or encryption"),
        "3D000" => {
            Failure::msg(FailureKind::NotFound, text).hint("check the database name after the last '/' of the URL")
        }
        "42501" => denied(text).hint(format!("the role '{}' may not connect: GRANT CONNECT ON DATABASE", spec.user)),
        "53300" => {
            unreachable(text).hint("all connections are in use: close some, use fewer --jobs, or try again later")
        }
        "57P03" | "57P01" | "57P02" => unreachable(text).hint("the server is starting or stopping: try again soon"),
        _ if pooler && message.to_ascii_lowercase().contains("tenant or user not found") => denied(text)
            .hint("through the pooler the user is postgres.PROJECT_REF, and the host's region must be the project's"),
        _ if pooler && message.contains("max clients") => {
            unreachable(text).hint("the pool is full: use fewer --jobs, or increase the pool size in the dashboard")
        }
        _ if code.starts_with("28") => denied(text),
        _ => unreachable(text),
    }
}

/// An error on our side of the protocol.
fn protocol(spec: &ConnSpec, error: &tokio_postgres::Error) -> Failure {
    let text = chain(error);
    if text.contains("password missing") {
        return denied("the server asks for a password, and none is given")
            .hint(format!("put the password of '{}' into PGPASSWORD, ~/.pgpass or the URL", spec.user));
    }
    if text.contains("channel binding") {
        return denied("channel_binding=require, but the server did not bind the password to the TLS channel")
            .hint("it needs TLS, a password stored as SCRAM-SHA-256, and a certificate with an RSA or ECDSA signature")
            .hint("a pooler or proxy in between cannot support it: use channel_binding=prefer");
    }
    if text.starts_with("authentication error") {
        return denied(text).hint(
            "the server requires an unsupported authentication method: SCRAM, MD5, password and certificates work",
        );
    }
    unreachable(format!("the connection was closed: {text}")).hint("the service at this address may not be PostgreSQL")
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(host: &str, trouble: ConnectError) -> Vec<String> {
        let host = Host::Tcp(host.to_string());
        let failure = explain(&ConnSpec::default(), &host, 5432, trouble);
        assert_eq!(failure.kind, FailureKind::Unreachable);
        failure.hints
    }

    #[test]
    fn the_direct_host_of_supabase_without_ipv6_points_to_the_session_pooler() {
        let missing = || io::Error::other("no address");
        for trouble in [
            ConnectError::Lookup(missing()),
            ConnectError::Network(missing(), true),
            ConnectError::Timeout(Duration::from_secs(1), true),
        ] {
            let hints = hints("db.abcd.supabase.co", trouble);
            assert!(hints[0].contains("postgres.abcd:***@aws-0-REGION.pooler.supabase.com:5432"), "{hints:?}");
        }
        let other = hints("db.example.com", ConnectError::Lookup(missing()));
        assert!(!other.iter().any(|hint| hint.contains("pooler")), "{other:?}");
    }
}
