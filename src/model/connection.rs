//! How to reach one database, as data. Filled in by `config`, used by `pg` (protocol) and `pgtools` (libpq
//! environment).
//!
//! Invariant: it holds what libpq would have resolved. The password is a `Secret`; nothing here ever prints it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;

/// libpq's six SSL modes with their exact meaning. Source: PostgreSQL manual, "SSL Support".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    Disable,
    Allow,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// Parses libpq's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// libpq's `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    Disable,
    #[default]
    Prefer,
    Require,
}

impl ChannelBinding {
    pub const ALL: [Self; 3] = [Self::Disable, Self::Prefer, Self::Require];

    /// Parses libpq's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|binding| binding.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

/// One host to try: a TCP host or the folder of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Tcp(String),
    Unix(PathBuf),
}

/// How the kernel detects a dead peer: libpq's `keepalives`, `keepalives_idle`, `keepalives_interval`,
/// `keepalives_count` and `tcp_user_timeout`. `None` is the kernel's default, like zero in libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    pub on: bool,
    pub idle: Option<Duration>,
    pub interval: Option<Duration>,
    pub count: Option<u32>,
    /// Only set on request: it also ends a connection to a server that is merely slow to read what we send.
    pub user_timeout: Option<Duration>,
}

impl Default for Keepalive {
    /// Detects a dead peer within 90 seconds.
    fn default() -> Self {
        let (idle, interval) = (Some(Duration::from_secs(30)), Some(Duration::from_secs(10)));
        Self { on: true, idle, interval, count: Some(6), user_timeout: None }
    }
}

impl Keepalive {
    /// As a connection string for libpq's programs: libpq has no environment variables for these settings.
    pub fn conninfo(&self) -> String {
        let seconds = |time: Option<Duration>| time.map_or(0, |t| t.as_secs());
        format!(
            "keepalives={} keepalives_idle={} keepalives_interval={} keepalives_count={} tcp_user_timeout={}",
            u8::from(self.on),
            seconds(self.idle),
            seconds(self.interval),
            self.count.unwrap_or(0),
            self.user_timeout.map_or(0, |t| t.as_millis())
        )
    }
}

/// `Origin::variable` of the fallback when no connection is configured.
pub const LOCAL_SUPABASE: &str = "the local Supabase default";

/// Where the connection settings came from, shown by `doctor` and `-v`. `variable` is e.g. `DATABASE_URL` or
/// `--db-url`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    pub variable: String,
    /// The file it was read from (`.env`, service file), if any.
    pub file: Option<PathBuf>,
    /// Settings filled in from elsewhere, e.g. `password from ~/.pgpass`.
    pub notes: Vec<String>,
}

/// A connection without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConnectionSummary {
    /// Host name, or the folder of a Unix socket.
    pub host: String,
    pub port: u16,
    pub database: String,
    pub role: String,
    /// The variable, flag or configuration key it was read from.
    pub from: String,
    pub file: Option<String>,
}

/// Everything needed to connect, resolved. Several hosts are tried in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnSpec {
    /// Pairs of host and port, at least one.
    pub hosts: Vec<(Host, u16)>,
    /// libpq's `hostaddr`: the address to connect to without a name lookup. One entry per host, or empty.
    pub host_addresses: Vec<Option<IpAddr>>,
    pub database: String,
    pub user: String,
    pub password: Option<Secret>,
    pub ssl_mode: SslMode,
    /// `sslrootcert`: a file, or the word `system`.
    pub ssl_root_cert: Option<PathBuf>,
    /// Client certificate and key.
    pub ssl_cert: Option<PathBuf>,
    pub ssl_key: Option<PathBuf>,
    pub channel_binding: ChannelBinding,
    /// Per host and address. `None`: our default; zero: no limit.
    pub connect_timeout: Option<Duration>,
    /// For TCP connections only.
    pub keepalive: Keepalive,
    /// How long the server may stay silent before a second session checks the first. `None`: our default.
    pub silence: Option<Duration>,
    /// libpq's `options`, passed on unchanged.
    pub options: Option<String>,
    pub origin: Origin,
}

impl ConnSpec {
    /// `user@host:port/database` for messages, without the password. The printer escapes control characters.
    pub fn display(&self) -> String {
        let place = match self.hosts.first() {
            Some((Host::Tcp(host), port)) => format!("{host}:{port}"),
            Some((Host::Unix(folder), port)) => format!("{}:{port}", folder.display()),
            None => "nowhere".to_string(),
        };
        format!("{}@{place}/{}", self.user, self.database)
    }

    /// The target and the origin of the settings, for the first line of a run and for JSON documents.
    pub fn summary(&self) -> ConnectionSummary {
        let (host, port) = match self.hosts.first() {
            Some((Host::Tcp(host), port)) => (host.clone(), *port),
            Some((Host::Unix(folder), port)) => (folder.display().to_string(), *port),
            None => (String::new(), 0),
        };
        ConnectionSummary {
            host,
            port,
            database: self.database.clone(),
            role: self.user.clone(),
            from: self.origin.variable.clone(),
            file: self.origin.file.as_ref().map(|file| file.display().to_string()),
        }
    }

    /// The first port. 6543 is Supabase's transaction pooler.
    pub fn first_port(&self) -> u16 {
        self.hosts.first().map_or(5432, |(_, port)| *port)
    }
}
