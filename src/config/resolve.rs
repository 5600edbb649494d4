//! Resolves parameters to a `ConnSpec`: service file, libpq's variables, password file, defaults.
//!
//! Invariant: the result is what libpq would use with the same inputs (PostgreSQL manual, "Parameter Key Words"), and
//! the origin's notes name every value that came from elsewhere.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conninfo::Params;
use super::environment::Environment;
use super::pgpass::{self, Wanted};
use super::{pooler, service};
use crate::model::connection::{ChannelBinding, ConnSpec, Host, Keepalive, Origin, SslMode};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::secret::Secret;
use crate::ownership;

/// Where packages put the Unix socket: first Debian's folder, last PostgreSQL's own default.
const SOCKET_DIRS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

fn wrong(text: impl Into<String>) -> Failure {
    Failure::msg(FailureKind::Configuration, text.into())
}

/// Resolves all parameters. `lookup` returns the value of a variable.
pub fn resolve<'a>(
    given: Params,
    environment: &Environment,
    lookup: impl Fn(&str) -> Option<&'a str>,
    mut origin: Origin,
) -> Result<ConnSpec> {
    let mut params = given.clone();
    if let Some(name) = params.get("service").or_else(|| lookup("PGSERVICE")).map(str::to_string) {
        let (mut found, file) = service::load(&name, environment, &lookup)?;
        origin.notes.push(format!("service '{name}' of {}", file.display()));
        params.notes.append(&mut found.notes);
        for (key, value) in found.iter() {
            params.fill(key, value);
        }
    }
    let used = params.fill_from_environment(&lookup)?;
    if !used.is_empty() {
        origin.notes.push(format!("from variables: {}", used.join(", ")));
    }
    origin.notes.append(&mut params.notes);
    origin.notes.extend(pooler::refuse(&given, &params)?);
    let user = match params.get("user") {
        Some(user) => user.to_string(),
        None => environment.os_user.clone().ok_or_else(|| {
            wrong("no user is given, and the operating system's user has no name").hint("add the user to the URL")
        })?,
    };
    let (ssl_mode, ssl_root_cert) = ssl_mode(&params, environment)?;
    let mut spec = ConnSpec {
        database: params.get("dbname").unwrap_or(&user).to_string(),
        user,
        password: params.get("password").map(Secret::new),
        ssl_mode,
        ssl_root_cert,
        channel_binding: channel_binding(&params)?,
        connect_timeout: connect_timeout(&params)?,
        keepalive: keepalive(&params)?,
        options: params.get("options").map(str::to_string),
        ..ConnSpec::default()
    };
    (spec.hosts, spec.host_addresses) = hosts(&params)?;
    (spec.ssl_cert, spec.ssl_key) = client_certificate(&params, environment);
    demand_own_certificates(&spec)?;
    if spec.password.is_none() {
        find_password(&mut spec, &params, environment, &mut origin.notes)?;
    }
    spec.origin = origin;
    Ok(spec)
}

/// Hosts with their ports, and the IP addresses that replace a DNS lookup.
type Places = (Vec<(Host, u16)>, Vec<Option<IpAddr>>);

/// libpq pairs hosts, addresses and ports by their position in three lists.
fn hosts(params: &Params) -> Result<Places> {
    let split = |name: &str| params.get(name).map(|list| list.split(',').collect::<Vec<_>>()).unwrap_or_default();
    let (names, addresses, ports) = (split("host"), split("hostaddr"), split("port"));
    let count = names.len().max(addresses.len()).max(1);
    let fits = |list: &[&str]| list.is_empty() || list.len() == count;
    if !fits(&names) || !fits(&addresses) || !(fits(&ports) || ports.len() == 1) {
        let text =
            format!("{} hosts, {} addresses and {} ports do not pair up", names.len(), addresses.len(), ports.len());
        return Err(wrong(text).hint("give one port for all hosts, or one for each"));
    }
    let (mut hosts, mut found_addresses) = (Vec::new(), Vec::new());
    for i in 0..count {
        let port = if ports.len() == 1 { Some(&ports[0]) } else { ports.get(i) };
        let port = match port.map(|p| p.trim()).filter(|p| !p.is_empty()) {
            None => 5432,
            Some(text) => match text.parse::<u16>() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("the port is not a number from 1 to 65535")),
            },
        };
        let address = match addresses.get(i).filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
                let message = format!("hostaddr '{}' is not an IP address", text.escape_default());
                wrong(message).hint("use 'host' for a name")
            })?),
        };
        let host = match (names.get(i).copied().unwrap_or_default(), address) {
            ("", Some(address)) => Host::Tcp(address.to_string()),
            ("", None) => Host::Unix(default_socket_dir(port)),
            (name, None) if name.starts_with('/') => Host::Unix(PathBuf::from(name)),
            (name, _) => Host::Tcp(name.to_string()),
        };
        hosts.push((host, port));
        found_addresses.push(address);
    }
    if found_addresses.iter().all(Option::is_none) {
        found_addresses.clear();
    }
    Ok((hosts, found_addresses))
}

/// The folder with a server's socket for the port, else the first folder that exists.
fn default_socket_dir(port: u16) -> PathBuf {
    let with_socket = SOCKET_DIRS.iter().find(|dir| Path::new(dir).join(format!(".s.PGSQL.{port}")).exists());
    let existing = || SOCKET_DIRS.iter().find(|dir| Path::new(dir).is_dir());
    PathBuf::from(with_socket.or_else(existing).copied().unwrap_or("/tmp"))
}

/// The mode and the file of trusted certificates: the given one, or `~/.postgresql/root.crt` if it exists.
fn ssl_mode(params: &Params, environment: &Environment) -> Result<(SslMode, Option<PathBuf>)> {
    let mode = match params.get("sslmode") {
        None => None,
        Some(word) => {
            Some(SslMode::parse(word).ok_or_else(|| unknown_word("sslmode", word, &SslMode::ALL.map(SslMode::word)))?)
        }
    };
    if params.get("sslrootcert") == Some("system") {
        return match mode {
            None | Some(SslMode::VerifyFull) => Ok((SslMode::VerifyFull, Some(PathBuf::from("system")))),
            Some(weak) => Err(wrong(format!("sslmode={} cannot be used with sslrootcert=system", weak.word()))
                .hint("use sslmode=verify-full")),
        };
    }
    let file = match params.get("sslrootcert") {
        Some(path) => Some(environment.path(path)),
        None => in_home(environment, "root.crt"),
    };
    Ok((mode.unwrap_or_default(), file))
}

/// `~/.postgresql/NAME`, if it exists.
fn in_home(environment: &Environment, name: &str) -> Option<PathBuf> {
    environment.home.as_ref().map(|home| home.join(".postgresql").join(name)).filter(|path| path.exists())
}

fn client_certificate(params: &Params, environment: &Environment) -> (Option<PathBuf>, Option<PathBuf>) {
    let given = |name: &str, default: &str| match params.get(name) {
        Some(path) => Some(environment.path(path)),
        None => in_home(environment, default),
    };
    // Like libpq, connects without a certificate if its file does not exist.
    match given("sslcert", "postgresql.crt").filter(|path| path.exists()) {
        Some(cert) => (Some(cert), given("sslkey", "postgresql.key")),
        None => (None, None),
    }
}

/// pg_dump opens these files by name too, so no other user may be able to replace them.
fn demand_own_certificates(spec: &ConnSpec) -> Result<()> {
    let root = spec.ssl_root_cert.as_ref().filter(|file| file.as_path() != Path::new("system"));
    let files = [
        (root, "the root certificate file"),
        (spec.ssl_cert.as_ref(), "the client certificate"),
        (spec.ssl_key.as_ref(), "the client key"),
    ];
    let used = files.into_iter().filter(|_| spec.ssl_mode != SslMode::Disable);
    used.filter_map(|(file, what)| Some((file?, what)))
        .try_for_each(|(file, what)| ownership::require_trusted(file, what))
}

fn channel_binding(params: &Params) -> Result<ChannelBinding> {
    match params.get("channel_binding") {
        None => Ok(ChannelBinding::default()),
        Some(word) => ChannelBinding::parse(word)
            .ok_or_else(|| unknown_word("channel_binding", word, &ChannelBinding::ALL.map(ChannelBinding::word))),
    }
}

fn unknown_word(name: &str, word: &str, known: &[&str]) -> Failure {
    let failure = wrong(format!("{name} has no value '{}'", word.escape_default()));
    match (name, word) {
        ("sslmode", "no-verify") => failure.hint("that is node-pg's word; for libpq it is sslmode=require"),
        ("sslmode", "true" | "on" | "enable") => failure.hint("use sslmode=require"),
        _ => failure.hint(format!("one of {}", known.join(", "))),
    }
}

/// In seconds. Zero and below mean no limit, as in libpq; if not set, our own default applies.
fn connect_timeout(params: &Params) -> Result<Option<Duration>> {
    let Some(text) = params.get("connect_timeout") else { return Ok(None) };
    match text.trim().parse::<i32>() {
        Ok(seconds) => Ok(Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))),
        Err(_) => Err(wrong("connect_timeout is not a whole number of seconds")),
    }
}

/// Zero and below mean the system's default, as in libpq; if not set, our own defaults apply.
fn keepalive(params: &Params) -> Result<Keepalive> {
    let number = |name: &str| match params.get(name).map(|text| text.trim().parse::<i32>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(u32::try_from(number).unwrap_or(0))),
        Some(Err(_)) => Err(wrong(format!("{name} is not a whole number"))),
    };
    let given = |name: &str, default: Option<u32>| -> Result<Option<u32>> {
        Ok(number(name)?.map_or(default, |n| Some(n).filter(|n| *n > 0)))
    };
    let ours = Keepalive::default();
    let seconds = |name: &str, default: Option<Duration>| -> Result<Option<Duration>> {
        let default = default.and_then(|d| u32::try_from(d.as_secs()).ok());
        Ok(given(name, default)?.map(|s| Duration::from_secs(s.into())))
    };
    Ok(Keepalive {
        on: number("keepalives")?.is_none_or(|on| on != 0),
        idle: seconds("keepalives_idle", ours.idle)?,
        interval: seconds("keepalives_interval", ours.interval)?,
        count: given("keepalives_count", ours.count)?,
        user_timeout: given("tcp_user_timeout", None)?.map(|ms| Duration::from_millis(ms.into())),
    })
}

/// Looks the first host up in the password file.
fn find_password(
    spec: &mut ConnSpec,
    params: &Params,
    environment: &Environment,
    notes: &mut Vec<String>,
) -> Result<()> {
    let file = match params.get("passfile") {
        Some(path) => Some(environment.path(path)),
        None => environment.home.as_ref().map(|home| home.join(".pgpass")),
    };
    let (Some(file), Some((host, port))) = (file, spec.hosts.first()) else { return Ok(()) };
    let host = match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) if SOCKET_DIRS.iter().any(|dir| Path::new(dir) == folder) => "localhost".to_string(),
        Host::Unix(folder) => folder.display().to_string(),
    };
    let wanted = Wanted { host: &host, port: *port, database: &spec.database, user: &spec.user };
    match pgpass::find(&file, &wanted)? {
        Ok(Some(password)) => {
            notes.push(format!("password from {}", file.display()));
            spec.password = Some(password);
        }
        Ok(None) => {}
        Err(note) => notes.push(note),
    }
    Ok(())
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
