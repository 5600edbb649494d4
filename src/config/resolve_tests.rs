//! Tests of which source is used, and of values from password files, service files and `.env`.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::conninfo::parse;

fn spec_in(url: &str, variables: &[(&str, &str)]) -> Result<ConnSpec> {
    let environment = Environment::of([("USER", "ann")].into_iter().chain(variables.iter().copied()), "/srv");
    resolve(parse(url)?, &environment, |name| environment.get(name), Origin::default())
}

fn tcp(spec: &ConnSpec) -> Vec<(String, u16)> {
    spec.hosts
        .iter()
        .map(|(host, port)| match host {
            Host::Tcp(name) => (name.clone(), *port),
            Host::Unix(path) => (path.display().to_string(), *port),
        })
        .collect()
}

#[test]
fn defaults_are_libpqs() {
    let spec = spec_in("postgres://", &[]).unwrap();
    assert_eq!((spec.user.as_str(), spec.database.as_str()), ("ann", "ann"));
    assert!(matches!(spec.hosts[..], [(Host::Unix(_), 5432)]));
    assert_eq!(spec.ssl_mode, SslMode::Prefer);
    let spec = spec_in("postgres://bob@h", &[]).unwrap();
    assert_eq!(spec.database, "bob");
}

#[test]
fn the_string_comes_before_the_variables() {
    let variables =
        [("PGHOST", "env"), ("PGPORT", "7"), ("PGPASSWORD", "pw"), ("PGSSLMODE", "verify-ca"), ("PGUSER", "eve")];
    let spec = spec_in("postgres://bob@h/d", &variables).unwrap();
    assert_eq!(tcp(&spec), [("h".to_string(), 7)]);
    assert_eq!((spec.user.as_str(), spec.ssl_mode), ("bob", SslMode::VerifyCa));
    assert_eq!(spec.password, Some(Secret::new("pw")));
    assert_eq!(spec.origin.notes, ["from variables: PGPORT, PGPASSWORD, PGSSLMODE"]);
}

#[test]
fn several_hosts_pair_with_ports_and_addresses() {
    let spec = spec_in("postgres://a:1,b,[::1]:3/d", &[]).unwrap();
    assert_eq!(tcp(&spec), [("a".to_string(), 1), ("b".to_string(), 5432), ("::1".to_string(), 3)]);
    let spec = spec_in("postgres://a,b/d?port=9", &[]).unwrap();
    assert_eq!(tcp(&spec), [("a".to_string(), 9), ("b".to_string(), 9)]);
    let spec = spec_in("host=a,/run/x hostaddr=127.0.0.1, dbname=d", &[]).unwrap();
    assert_eq!(spec.host_addresses, [Some("127.0.0.1".parse().unwrap()), None]);
    assert!(matches!(spec.hosts[1], (Host::Unix(_), 5432)));
    for wrong in ["host=a,b port=1,2,3", "host=a hostaddr=1.2.3.4,1.2.3.5", "host=a hostaddr=x", "host=a port=x"] {
        assert!(spec_in(wrong, &[]).is_err(), "{wrong}");
    }
}

#[test]
fn values_that_libpq_does_not_know_are_named() {
    assert_eq!(
        spec_in("postgres://h?sslmode=no-verify", &[]).unwrap_err().to_string(),
        "sslmode has no value 'no-verify'"
    );
    assert!(spec_in("postgres://h?channel_binding=yes", &[]).is_err());
    assert!(spec_in("postgres://h?connect_timeout=soon", &[]).is_err());
    assert!(spec_in("postgres://h?keepalives_idle=soon", &[]).is_err());
    let keepalive = |query: &str| spec_in(&format!("postgres://h?{query}"), &[]).unwrap().keepalive.conninfo();
    assert_eq!(
        keepalive(""),
        "keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 tcp_user_timeout=0"
    );
    assert_eq!(
        keepalive("keepalives=0&keepalives_idle=7&keepalives_interval=0&keepalives_count=-1&tcp_user_timeout=5000"),
        "keepalives=0 keepalives_idle=7 keepalives_interval=0 keepalives_count=0 tcp_user_timeout=5000"
    );
    assert!(spec_in("postgres://h?sslmode=require&sslrootcert=system", &[]).is_err());
    let spec = spec_in("postgres://h?sslrootcert=system", &[]).unwrap();
    assert_eq!(spec.ssl_mode, SslMode::VerifyFull);
    assert!(
        spec_in("postgres://h", &[("PGREQUIREAUTH", "none")])
            .is_err_and(|f| f.hints.contains(&"unset PGREQUIREAUTH".to_string()))
    );
}

#[test]
fn timeouts_are_libpqs_and_zero_means_no_limit() {
    assert_eq!(spec_in("postgres://h", &[]).unwrap().connect_timeout, None);
    assert_eq!(
        spec_in("postgres://h", &[("PGCONNECT_TIMEOUT", "3")]).unwrap().connect_timeout,
        Some(Duration::from_secs(3))
    );
    assert_eq!(spec_in("postgres://h?connect_timeout=-1", &[]).unwrap().connect_timeout, Some(Duration::ZERO));
}

#[test]
fn home_files_are_found_password_root_and_client_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    std::fs::write(dir.path().join(".pgpass"), "localhost:5432:d:ann:socket\nh:5432:d:ann:tcp\n").unwrap();
    std::fs::set_permissions(dir.path().join(".pgpass"), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::create_dir(dir.path().join(".postgresql")).unwrap();
    for name in ["root.crt", "postgresql.crt", "postgresql.key"] {
        std::fs::write(dir.path().join(".postgresql").join(name), "x").unwrap();
    }
    let spec = spec_in("postgres://h/d", &[("HOME", home)]).unwrap();
    assert_eq!(spec.password, Some(Secret::new("tcp")));
    assert_eq!(spec.ssl_root_cert, Some(dir.path().join(".postgresql/root.crt")));
    assert_eq!(spec.ssl_key, Some(dir.path().join(".postgresql/postgresql.key")));
    let spec = spec_in("postgres:///d?host=/tmp", &[("HOME", home)]).unwrap();
    assert_eq!(spec.password, Some(Secret::new("socket")));
    let spec = spec_in("postgres://h/d?passfile=/none", &[("HOME", home)]).unwrap();
    assert_eq!(spec.password, None);
}

#[test]
fn a_password_file_for_all_to_read_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pass");
    std::fs::write(&file, "*:*:*:*:canary\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let spec = spec_in("postgres://h/d", &[("PGPASSFILE", file.to_str().unwrap())]).unwrap();
    assert_eq!(spec.password, None);
    assert!(spec.origin.notes.iter().any(|note| note.contains("can be read by other users")), "{:?}", spec.origin);
}

#[test]
fn a_service_fills_what_the_string_leaves_open_before_the_variables_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("services");
    std::fs::write(&file, "[shop]\nhost=service\nport=99\nuser=su\n").unwrap();
    let variables = [("PGSERVICEFILE", file.to_str().unwrap()), ("PGPORT", "1"), ("PGDATABASE", "d")];
    let spec = spec_in("service=shop user=me", &variables).unwrap();
    assert_eq!(tcp(&spec), [("service".to_string(), 99)]);
    assert_eq!((spec.user.as_str(), spec.database.as_str()), ("me", "d"));
}

#[test]
fn no_password_in_debug() {
    let spec = spec_in("postgres://u:canary-1@h/d", &[]).unwrap();
    assert!(!format!("{spec:?} {}", spec.display()).contains("canary"));
}

#[test]
fn trap_14_a_database_name_is_never_expanded_as_a_connection_string() {
    for name in ["host=evil dbname=x", "postgresql://evil/x"] {
        let spec = spec_in("host=h", &[("PGDATABASE", name)]).unwrap();
        assert_eq!((tcp(&spec)[0].0.as_str(), spec.database.as_str()), ("h", name));
    }
    let spec = spec_in("postgres://h/host%3Devil%20port%3D2", &[]).unwrap();
    assert_eq!((tcp(&spec), spec.database.as_str()), (vec![("h".to_string(), 5432)], "host=evil port=2"));
}

#[test]
fn the_process_has_a_user_and_a_folder() {
    let environment = Environment::from_process();
    assert_eq!(environment.current_dir, std::env::current_dir().unwrap());
    assert!(environment.os_user.is_some() && environment.home.is_some());
}
