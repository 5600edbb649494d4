//! Opens one connection as libpq would: hosts in order, TLS by sslmode, password from the spec.
//!
//! Invariant: an error names which of host, port, user, database, password or certificate is at fault, and what to do.
//! It never contains the password. Like libpq, it tries the next host only if one is unreachable: a rejected password
//! or certificate is final.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::{ChannelBinding as Binding, SslMode as Negotiation, SslNegotiation};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::hints::{ConnectError, explain};
use super::pulse::Pulse;
use super::silence::{self, SecondSession};
use super::tls::client_config;
use super::wire::{Wire, WireTls};
use crate::model::connection::{ChannelBinding, ConnSpec, Host, Keepalive, SslMode};
use crate::model::failure::{Failure, FailureKind, Result};

/// Per host, if `connect_timeout` is not given.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Minimum per address of a host.
const LEAST_TIMEOUT: Duration = Duration::from_secs(2);
/// The SSLRequest message: its length and its code.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// A connected client, and the task that drives the connection.
pub struct Connected {
    pub client: Client,
    pub driver: JoinHandle<()>,
    pub pulse: Arc<Pulse>,
}

/// Whether a silent connection is checked by a second session (`silence`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    Yes,
    No,
}

/// Connects. `application_name` is shown in `pg_stat_activity`.
pub async fn connect(spec: &ConnSpec, application_name: &str) -> Result<Connected> {
    connect_as(spec, application_name, Watched::Yes).await
}

/// The same, with or without the silence check.
pub async fn connect_as(spec: &ConnSpec, application_name: &str, watched: Watched) -> Result<Connected> {
    let mut failures: Vec<Failure> = Vec::new();
    for (index, (host, port)) in spec.hosts.iter().enumerate() {
        let address = spec.host_addresses.get(index).copied().flatten();
        let target = Target { spec, host, port: *port, application_name, watched };
        match target.connect(address).await {
            Ok(connected) => return Ok(connected),
            Err(Stop::Final(failure)) => return Err(failure),
            Err(Stop::Unreachable(failure)) => failures.push(failure),
        }
    }
    let others: Vec<String> = failures.iter().skip(1).map(|failure| format!("also tried: {failure}")).collect();
    let mut failures = failures.into_iter();
    let Some(mut first) = failures.next() else {
        return Err(Failure::msg(FailureKind::Configuration, "the connection names no host"));
    };
    first.hints.extend(others);
    Err(first)
}

/// Whether the next host is tried.
enum Stop {
    Unreachable(Failure),
    Final(Failure),
}

/// One host of the list.
struct Target<'a> {
    spec: &'a ConnSpec,
    host: &'a Host,
    port: u16,
    application_name: &'a str,
    watched: Watched,
}

impl Target<'_> {
    fn explain(&self, trouble: ConnectError) -> Stop {
        let next = matches!(trouble, ConnectError::Lookup(_) | ConnectError::Network(..) | ConnectError::Timeout(..));
        let failure = explain(self.spec, self.host, self.port, trouble);
        if next { Stop::Unreachable(failure) } else { Stop::Final(failure) }
    }

    async fn connect(&self, address: Option<IpAddr>) -> Result<Connected, Stop> {
        let name = match (self.host, address) {
            (Host::Unix(folder), None) => return self.over_socket(folder).await,
            (Host::Unix(folder), Some(_)) => folder.display().to_string(),
            (Host::Tcp(name), _) => name.clone(),
        };
        let addresses = match address {
            Some(address) => vec![SocketAddr::new(address, self.port)],
            None => self.lookup(&name).await.map_err(|trouble| self.explain(trouble))?,
        };
        let limit = self.limit(addresses.len());
        let mut last = None;
        let only_ipv6 = addresses.iter().all(SocketAddr::is_ipv6);
        for address in addresses {
            let attempt = self.over_tcp(address, &name);
            let trouble = match within(limit, attempt).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(trouble)) => trouble,
                Err(limit) => ConnectError::Timeout(limit, only_ipv6),
            };
            match trouble {
                ConnectError::Network(error, _) => last = Some(ConnectError::Network(error, only_ipv6)),
                ConnectError::Timeout(..) => last = Some(trouble),
                other => return Err(self.explain(other)),
            }
        }
        let none = || ConnectError::Lookup(std::io::Error::other("the name has no address"));
        Err(self.explain(last.unwrap_or_else(none)))
    }

    /// The time limit for one address: `connect_timeout` if given, otherwise the address's share of the default.
    fn limit(&self, addresses: usize) -> Option<Duration> {
        match self.spec.connect_timeout {
            Some(Duration::ZERO) => None,
            Some(given) => Some(given),
            None => {
                let share = DEFAULT_TIMEOUT / u32::try_from(addresses.max(1)).unwrap_or(u32::MAX);
                Some(share.max(LEAST_TIMEOUT))
            }
        }
    }

    async fn lookup(&self, name: &str) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = within(self.limit(1), tokio::net::lookup_host((name, self.port))).await;
        let found: Vec<SocketAddr> =
            found.map_err(|limit| ConnectError::Timeout(limit, false))?.map_err(ConnectError::Lookup)?.collect();
        Ok(found)
    }

    /// libpq never asks for TLS on a Unix socket.
    async fn over_socket(&self, folder: &Path) -> Result<Connected, Stop> {
        let path = folder.join(format!(".s.PGSQL.{}", self.port));
        let attempt = async {
            let stream = UnixStream::connect(&path).await.map_err(|error| ConnectError::Network(error, false))?;
            self.start_plain(stream, None).await
        };
        match within(self.limit(1), attempt).await {
            Ok(result) => result.map_err(|trouble| self.explain(trouble)),
            Err(limit) => Err(self.explain(ConnectError::Timeout(limit, false))),
        }
    }

    /// Connects according to sslmode.
    async fn over_tcp(&self, address: SocketAddr, name: &str) -> Result<Connected, ConnectError> {
        match self.spec.ssl_mode {
            SslMode::Disable => self.start_plain(self.tcp(address).await?, Some(address)).await,
            SslMode::Allow => match self.start_plain(self.tcp(address).await?, Some(address)).await {
                Err(ConnectError::Server(error)) if is_about_authorization(&error) => {
                    let second = self.with_tls(address, name).await;
                    second.map_err(|second| {
                        if matches!(second, ConnectError::NoTls) { ConnectError::Server(error) } else { second }
                    })
                }
                other => other,
            },
            SslMode::Prefer => match self.with_tls(address, name).await {
                Err(ConnectError::NoTls) => self.start_plain(self.tcp(address).await?, Some(address)).await,
                Err(first @ (ConnectError::Handshake(_) | ConnectError::Certificates(_))) => {
                    self.start_plain(self.tcp(address).await?, Some(address)).await.map_err(|_| first)
                }
                Err(ConnectError::Server(error)) if is_about_authorization(&error) => self
                    .start_plain(self.tcp(address).await?, Some(address))
                    .await
                    .map_err(|_| ConnectError::Server(error)),
                other => other,
            },
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => self.with_tls(address, name).await,
        }
    }

    /// Requests TLS and continues with the handshake.
    async fn with_tls(&self, address: SocketAddr, name: &str) -> Result<Connected, ConnectError> {
        let mut stream = self.tcp(address).await?;
        let lost = |error| ConnectError::Network(error, false);
        stream.write_all(&SSL_REQUEST).await.map_err(lost)?;
        match stream.read_u8().await.map_err(lost)? {
            b'S' => {
                let tls = client_config(self.spec, name).map_err(ConnectError::Certificates)?;
                self.start_tls(stream, tls, (name, address)).await
            }
            b'N' => Err(ConnectError::NoTls),
            _ => Err(ConnectError::NotPostgres),
        }
    }

    fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.user(&self.spec.user).dbname(&self.spec.database).application_name(self.application_name);
        if let Some(password) = &self.spec.password {
            config.password(password.reveal());
        }
        if let Some(options) = &self.spec.options {
            config.options(options);
        }
        config.channel_binding(match self.spec.channel_binding {
            ChannelBinding::Disable => Binding::Disable,
            ChannelBinding::Prefer => Binding::Prefer,
            ChannelBinding::Require => Binding::Require,
        });
        config
    }

    async fn start_plain<S>(&self, stream: S, address: Option<SocketAddr>) -> Result<Connected, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut config = self.config();
        config.ssl_mode(Negotiation::Disable);
        let pulse = Arc::new(Pulse::new());
        let wire = Wire::new(stream, Arc::clone(&pulse));
        let (client, connection) = config.connect_raw(wire, NoTls).await.map_err(ConnectError::from)?;
        Ok(self.connected(client, connection, address, pulse))
    }

    /// The server has already agreed to TLS; the handshake is next.
    async fn start_tls(
        &self,
        stream: TcpStream,
        mut tls: ClientConfig,
        (name, address): (&str, SocketAddr),
    ) -> Result<Connected, ConnectError> {
        // A name that cannot be in a certificate is not sent as SNI; the verifier decides whether that matters.
        let server_name = if ServerName::try_from(name).is_ok() {
            name
        } else {
            tls.enable_sni = false;
            "localhost"
        };
        let mut config = self.config();
        config.ssl_mode(Negotiation::Require).ssl_negotiation(SslNegotiation::Direct);
        let mut maker = MakeRustlsConnect::new(tls);
        let connector = match MakeTlsConnect::<TcpStream>::make_tls_connect(&mut maker, server_name) {
            Ok(connector) => connector,
            Err(never) => match never {},
        };
        let pulse = Arc::new(Pulse::new());
        let connector = WireTls(connector, Arc::clone(&pulse));
        let (client, connection) = config.connect_raw(stream, connector).await.map_err(ConnectError::from)?;
        Ok(self.connected(client, connection, Some(address), pulse))
    }

    fn connected<S, T>(
        &self,
        client: Client,
        connection: tokio_postgres::Connection<S, T>,
        address: Option<SocketAddr>,
        pulse: Arc<Pulse>,
    ) -> Connected
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // The silence check must reach this same server, not another one of the list.
        let spec = ConnSpec {
            hosts: vec![(self.host.clone(), self.port)],
            host_addresses: address.map(|address| vec![Some(address.ip())]).unwrap_or_default(),
            ..self.spec.clone()
        };
        let watched = (self.watched == Watched::Yes).then(|| (spec, Arc::clone(&pulse)));
        Connected { client, driver: tokio::spawn(drive(connection, watched)), pulse }
    }

    async fn tcp(&self, address: SocketAddr) -> Result<TcpStream, ConnectError> {
        let stream = TcpStream::connect(address).await.map_err(|error| ConnectError::Network(error, false))?;
        let _ = stream.set_nodelay(true);
        // As in libpq's own programs, a system without keepalive support is no reason to fail.
        let _ = keep_alive(&stream, &self.spec.keepalive);
        Ok(stream)
    }
}

/// Runs `work`; `Err` is the time limit that has passed.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, Duration> {
    match limit {
        None => Ok(work.await),
        Some(limit) => tokio::time::timeout(limit, work).await.map_err(|_| limit),
    }
}

fn keep_alive(stream: &TcpStream, keepalive: &Keepalive) -> rustix::io::Result<()> {
    if keepalive.on {
        sockopt::set_socket_keepalive(stream, true)?;
        if let Some(idle) = keepalive.idle {
            sockopt::set_tcp_keepidle(stream, idle)?;
        }
        if let Some(interval) = keepalive.interval {
            sockopt::set_tcp_keepintvl(stream, interval)?;
        }
        if let Some(count) = keepalive.count {
            sockopt::set_tcp_keepcnt(stream, count)?;
        }
    }
    #[cfg(target_os = "linux")]
    if let Some(timeout) = keepalive.user_timeout {
        sockopt::set_tcp_user_timeout(stream, u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX))?;
    }
    Ok(())
}

/// The second session, which `silence` uses for its check.
fn second_session(spec: ConnSpec) -> SecondSession {
    Box::pin(async move {
        let connected = connect_as(&spec, "stacksnap look", Watched::No).await?;
        Ok((connected.client, connected.driver))
    })
}

/// Drives the connection until the client is dropped or the silence check declares the server lost. The client's next
/// call returns the error.
async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>, watched: Option<(ConnSpec, Arc<Pulse>)>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Some((spec, pulse)) = watched else {
        let _ = connection.await;
        return;
    };
    tokio::select! {
        _ = connection => {}
        // The reason is set before the client sees that the connection is closed.
        () = async { pulse.give_up(silence::watch(spec, Arc::clone(&pulse), second_session).await) } => {}
    }
}

/// SQLSTATE class 28: `pg_hba.conf` may decide differently with and without TLS.
fn is_about_authorization(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code().starts_with("28"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_are_kept_alive_as_the_connection_says() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        keep_alive(&stream, &Keepalive { on: false, ..Keepalive::default() }).unwrap();
        assert!(!sockopt::socket_keepalive(&stream).unwrap());
        keep_alive(&stream, &Keepalive::default()).unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), Duration::from_secs(30));
        assert_eq!(sockopt::tcp_keepintvl(&stream).unwrap(), Duration::from_secs(10));
        assert_eq!(sockopt::tcp_keepcnt(&stream).unwrap(), 6);
    }
}
