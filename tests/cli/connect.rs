//! Connecting to real servers: every sslmode and certificate, compared with what psql does with the same settings;
//! and what is said when it fails.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::tls_server::{PASSWORD, Server, Tls, authority, free_port, openssl, request, signed_by_ca};
use stacksnap::config::environment::Environment;
use stacksnap::config::{conninfo, resolve};
use stacksnap::model::connection::{ConnSpec, Origin};
use stacksnap::model::failure::{Failure, FailureKind};
use stacksnap::pg::connect::connect;

fn spec(conninfo: &str, home: &Path) -> Result<ConnSpec, Failure> {
    let environment = Environment::of([("HOME", home.to_str().unwrap()), ("PGPASSWORD", PASSWORD)], home);
    let params = conninfo::parse(conninfo)?;
    resolve::resolve(params, &environment, |name| environment.get(name), Origin::default())
}

/// `Some(is TLS in use)`.
async fn ours(conninfo: &str, home: &Path) -> Result<bool, Failure> {
    let connected = connect(&spec(conninfo, home)?, "test").await?;
    let row = connected.client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await;
    Ok(row.unwrap().get(0))
}

async fn fails(conninfo: &str) -> Failure {
    let home = tempfile::tempdir().unwrap();
    let failure = ours(conninfo, home.path()).await.unwrap_err();
    let shown = format!("{failure} {failure:?} {:?}", failure.hints);
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!failure.hints.is_empty(), "{shown}");
    failure
}

/// Both must agree on whether there is a connection and whether it is encrypted.
async fn compare(server: &Server, conninfo: &str, home: &Path) -> Result<bool, Failure> {
    let theirs = server.psql(conninfo, home);
    let ours = ours(conninfo, home).await;
    match (&theirs, &ours) {
        (Ok(theirs), Ok(ours)) => assert_eq!(theirs, ours, "{conninfo}: TLS in psql, in ours"),
        (Err(_), Err(failure)) => {
            assert!(!format!("{failure} {failure:?} {:?}", failure.hints).contains("canary"), "{failure}");
        }
        _ => panic!("{conninfo}: psql {theirs:?}, ours {ours:?}"),
    }
    ours
}

fn set_mode(file: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

#[tokio::test]
async fn every_sslmode_and_certificate_as_psql() {
    let server = Server::start(Tls::On(&signed_by_ca));
    authority(server.dir.path(), "wrong");
    let plain = Server::start(Tls::Off);
    std::fs::write(server.dir.path().join("garbage.crt"), "garbage").unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut connected = 0;
    let mut compared = 0;
    for (server_under_test, has_tls) in [(&server, true), (&plain, false)] {
        for mode in MODES {
            for root in [None, Some("ca.crt"), Some("wrong.crt"), Some("none.crt"), Some("garbage.crt")] {
                for host in ["good.test", "x.wild.test", "a.x.wild.test", "bad.test"] {
                    let root = root.map_or_else(String::new, |name| format!(" sslrootcert={}", server.file(name)));
                    let conninfo = format!(
                        "host={host} hostaddr=127.0.0.1 port={} user=scram dbname=shop sslmode={mode}{root}",
                        server_under_test.port
                    );
                    let result = compare(server_under_test, &conninfo, home.path()).await;
                    connected += usize::from(result.is_ok());
                    compared += 1;
                    if let Err(failure) = result {
                        assert!(
                            matches!(failure.kind, FailureKind::Unreachable | FailureKind::Configuration),
                            "{conninfo}: {failure:?} with TLS {has_tls}"
                        );
                    }
                }
            }
        }
    }
    assert!(compared == 240 && connected > 50 && connected < 150, "{connected} of {compared}");
}

#[tokio::test]
async fn the_root_file_in_the_home_folder_counts_in_every_mode_as_psql() {
    let server = Server::start(Tls::On(&signed_by_ca));
    authority(server.dir.path(), "wrong");
    for root in ["ca.crt", "wrong.crt"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".postgresql")).unwrap();
        std::fs::copy(server.file(root), home.path().join(".postgresql/root.crt")).unwrap();
        for mode in MODES {
            for host in ["good.test", "bad.test", "127.0.0.1"] {
                let conninfo = format!(
                    "host={host} hostaddr=127.0.0.1 port={} user=scram dbname=shop sslmode={mode}",
                    server.port
                );
                let _ = compare(&server, &conninfo, home.path()).await;
            }
        }
    }
}

#[tokio::test]
async fn channel_binding_authentication_and_hba_as_psql() {
    let server = Server::start(Tls::On(&signed_by_ca));
    let home = tempfile::tempdir().unwrap();
    for user in ["scram", "trusted", "hashed", "clear", "only_tls", "only_plain", "certuser"] {
        for mode in ["disable", "allow", "prefer", "require"] {
            for binding in ["disable", "prefer", "require"] {
                let conninfo = format!(
                    "host=127.0.0.1 port={} user={user} dbname=shop sslmode={mode} channel_binding={binding}",
                    server.port
                );
                let result = compare(&server, &conninfo, home.path()).await;
                if binding == "require" {
                    assert_eq!(
                        result.is_ok(),
                        user.ends_with("tls") && mode != "disable"
                            || user == "scram" && !matches!(mode, "disable" | "allow"),
                        "{conninfo}"
                    );
                }
            }
        }
    }
    let key = server.file("client.key");
    set_mode(&key, 0o600);
    let with_cert = format!(
        "host=127.0.0.1 port={} user=certuser dbname=shop sslmode=verify-full sslrootcert={} sslcert={} sslkey={key}",
        server.port,
        server.file("ca.crt"),
        server.file("client.crt"),
    );
    assert!(compare(&server, &with_cert, home.path()).await.unwrap());
    set_mode(&key, 0o644);
    let failure = compare(&server, &with_cert, home.path()).await.unwrap_err();
    assert!(failure.to_string().contains("can be read by others"), "{failure}");
    let socket =
        format!("host={} port={} user=trusted dbname=shop sslmode=require", server.dir.path().display(), server.port);
    assert!(!compare(&server, &socket, home.path()).await.unwrap());
}

/// Certificates as the manual's own steps and `openssl req -x509` make them.
#[tokio::test]
async fn self_signed_and_common_name_only_certificates_as_psql() {
    let self_signed = |dir: &Path| authority(dir, "server");
    let version_1 = |dir: &Path| {
        authority(dir, "root");
        request(dir, "server", "good.test");
        openssl(dir, "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 2 -out server.crt");
    };
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(Tls::On(&self_signed));
    for mode in MODES {
        for host in ["server", "other"] {
            let conninfo = format!(
                "host={host} hostaddr=127.0.0.1 port={} user=scram dbname=shop sslmode={mode} sslrootcert={}",
                server.port,
                server.file("server.crt")
            );
            let _ = compare(&server, &conninfo, home.path()).await;
        }
    }
    let server = Server::start(Tls::On(&version_1));
    for mode in ["disable", "allow", "prefer", "require"] {
        let conninfo = format!("host=127.0.0.1 port={} user=scram dbname=shop sslmode={mode}", server.port);
        compare(&server, &conninfo, home.path()).await.unwrap();
    }
}

#[tokio::test]
async fn refusals_say_what_failed_and_what_to_do() {
    let server = Server::start(Tls::Off);
    let base = format!("host=127.0.0.1 port={}", server.port);

    let failure = fails(&format!("{base} user=scram dbname=shop password=canary-wrong")).await;
    assert_eq!(failure.kind, FailureKind::Denied);
    assert!(failure.to_string().contains(&format!("'shop' as 'scram' at 127.0.0.1:{}", server.port)), "{failure}");

    let failure = fails(&format!("{base} user=scram dbname=no_such_db")).await;
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert!(failure.to_string().contains("no_such_db"), "{failure}");

    let failure = fails(&format!("{base} user=stranger dbname=shop")).await;
    assert_eq!(failure.kind, FailureKind::Denied);

    server.admin("REVOKE CONNECT ON DATABASE shop FROM PUBLIC");
    let failure = fails(&format!("{base} user=scram dbname=shop")).await;
    assert_eq!(failure.kind, FailureKind::Denied);
    assert!(failure.hints.iter().any(|hint| hint.contains("GRANT CONNECT")), "{:?}", failure.hints);

    server.admin("ALTER ROLE trusted CONNECTION LIMIT 0");
    let failure = fails(&format!("{base} user=trusted dbname=postgres")).await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.hints.iter().any(|hint| hint.contains("connections")), "{:?}", failure.hints);

    let failure = fails(&format!("{base} user=scram dbname=postgres sslmode=require")).await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.to_string().contains("does not offer TLS"), "{failure}");

    let home = tempfile::tempdir().unwrap();
    let mut without = spec(&format!("{base} user=scram dbname=postgres"), home.path()).unwrap();
    without.password = None;
    let failure = connect(&without, "test").await.err().unwrap();
    assert_eq!(failure.kind, FailureKind::Denied);
    assert!(failure.to_string().contains("none is given"), "{failure}");
}

#[tokio::test]
async fn hosts_are_tried_in_order_and_a_refusal_is_final() {
    let server = Server::start(Tls::Off);
    let home = tempfile::tempdir().unwrap();
    let (closed, open) = (free_port(), server.port);
    let list = format!("postgres://scram@127.0.0.1:{closed},127.0.0.1:{open}/shop");
    assert!(!ours(&list, home.path()).await.unwrap());
    let failure = fails(&format!("postgres://scram:canary-wrong@127.0.0.1:{open},127.0.0.1:{closed}/shop")).await;
    assert_eq!(failure.kind, FailureKind::Denied);
    let failure = fails(&format!("postgres://scram@127.0.0.1:{closed},127.0.0.1:{closed}/shop")).await;
    assert!(failure.hints.iter().any(|hint| hint.starts_with("also tried")), "{:?}", failure.hints);
    let socket = format!("postgres:///shop?host={}&port={open}&user=trusted", server.dir.path().display());
    assert!(!ours(&socket, home.path()).await.unwrap());
}

#[tokio::test]
async fn a_closed_port_a_silent_one_and_a_name_that_does_not_exist() {
    let failure = fails(&format!("postgres://u@127.0.0.1:{}/d", free_port())).await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.hints.iter().any(|hint| hint.contains("nothing listens")), "{:?}", failure.hints);

    // The kernel accepts, nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    for mode in ["disable", "require"] {
        let started = Instant::now();
        let failure = fails(&format!("postgres://u@127.0.0.1:{port}/d?connect_timeout=1&sslmode={mode}")).await;
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.to_string().contains("no answer within 1 s"), "{failure}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    let failure = fails("postgres://postgres:canary@db.abcdefgh.supabase.co.invalid/postgres").await;
    assert_eq!(failure.kind, FailureKind::Unreachable);

    let failure = fails("postgres:///d?host=/nonexistent&user=u").await;
    assert!(failure.hints.iter().any(|hint| hint.contains("socket")), "{:?}", failure.hints);

    let http = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = http.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in http.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let failure = fails(&format!("postgres://u@127.0.0.1:{port}/d?sslmode=require")).await;
    assert!(failure.to_string().contains("no PostgreSQL server"), "{failure}");
}
