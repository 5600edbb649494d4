//! How to reach one database, as data. Read by `config`, used by `pg` (protocol) and `pgtools` (libpq environment).
//!
//! Invariant: it holds what libpq would have resolved; the password is a `Secret`, and nothing here prints one.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;

/// libpq's six modes, with their exact meaning. Source: PostgreSQL manual, "SSL Support".
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

    /// Reads libpq's word.
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

    /// Reads libpq's word.
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

/// One place to try: a TCP host or the folder of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Tcp(String),
    Unix(PathBuf),
}

/// How the system finds out that a peer is gone: libpq's `keepalives`, `keepalives_idle`, `keepalives_interval`,
/// `keepalives_count` and `tcp_user_timeout`. None is the system's own default, as zero is for libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    pub on: bool,
    pub idle: Option<Duration>,
    pub interval: Option<Duration>,
    pub count: Option<u32>,
    /// Not set unless asked for: it also ends a connection to a server that is merely slow to take what it is sent.
    pub user_timeout: Option<Duration>,
}

impl Default for Keepalive {
    /// A peer that is gone is known after a minute and a half.
    fn default() -> Self {
        let (idle, interval) = (Some(Duration::from_secs(30)), Some(Duration::from_secs(10)));
        Self { on: true, idle, interval, count: Some(6), user_timeout: None }
    }
}

impl Keepalive {
    /// As libpq's programs take it, in a connection string: there are no variables for it.
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

/// `Origin::variable` of the last resort, when nothing is configured.
pub const LOCAL_SUPABASE: &str = "the local Supabase default";

/// Where the connection came from: `doctor` and `-v` say it. `variable` is e.g. `DATABASE_URL` or `--db-url`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    pub variable: String,
    /// The file it was read from (`.env`, service file), where it was a file.
    pub file: Option<PathBuf>,
    /// Settings that were filled in from elsewhere, e.g. `password from ~/.pgpass`.
    pub notes: Vec<String>,
}

/// A connection without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ConnectionSummary {
    /// Or the folder of a Unix socket.
    pub host: String,
    pub port: u16,
    pub database: String,
    pub role: String,
    /// The variable, flag or key of the configuration.
    pub from: String,
    pub file: Option<String>,
}

/// Everything that is needed to connect, resolved. Multiple hosts are tried in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnSpec {
    /// Host and port pairs, at least one.
    pub hosts: Vec<(Host, u16)>,
    /// libpq's `hostaddr`: the address to connect to instead of looking the host up, one a host, or none at all.
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
    /// Per host and address. None: our default; zero: no limit.
    pub connect_timeout: Option<Duration>,
    /// Of TCP connections.
    pub keepalive: Keepalive,
    /// How long an answer may be missing before a second session asks whether the first still works. None: our default.
    pub silence: Option<Duration>,
    /// libpq's `options`, passed on as it is.
    pub options: Option<String>,
    pub origin: Origin,
}

impl ConnSpec {
    /// `user@host:port/database`, for messages: no password. Control characters are escaped by the printer.
    pub fn display(&self) -> String {
        let place = match self.hosts.first() {
            Some((Host::Tcp(host), port)) => format!("{host}:{port}"),
            Some((Host::Unix(folder), port)) => format!("{}:{port}", folder.display()),
            None => "nowhere".to_string(),
        };
        format!("{}@{place}/{}", self.user, self.database)
    }

    /// Where it leads and who said so, for the first line of a run and for documents.
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

    /// The first port: 6543 is the transaction pooler of Supabase.
    pub fn first_port(&self) -> u16 {
        self.hosts.first().map_or(5432, |(_, port)| *port)
    }
}
