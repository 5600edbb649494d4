//! A PostgreSQL server of a test's own, with certificates of its own. The one place to swap it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::is_root;

pub const PASSWORD: &str = "canary-p@ss:w/rd%1";

/// Where the server's programs are.
fn bin(name: &str) -> PathBuf {
    let folders = std::env::var_os("PG_BIN").map(PathBuf::from).into_iter();
    let versions = [15, 16, 17, 18, 14].map(|v| PathBuf::from(format!("/usr/lib/postgresql/{v}/bin")));
    let found = folders.chain(versions).map(|dir| dir.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is not found: install PostgreSQL or set PG_BIN"))
}

/// The server refuses to run as root: then it runs as the user postgres.
fn as_server_user(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

pub fn openssl(dir: &Path, args: &str) {
    run(Command::new("openssl").current_dir(dir).args(args.split(' ')));
}

/// What a server shows.
pub enum Tls<'a> {
    Off,
    /// `server.crt` and `server.key` are made in the folder by this function.
    On(&'a dyn Fn(&Path)),
}

/// `ca.crt` with its key, and a `server.crt` that it signed for good.test and 127.0.0.1.
pub fn signed_by_ca(dir: &Path) {
    authority(dir, "ca");
    std::fs::write(dir.join("ext"), "subjectAltName=DNS:good.test,DNS:*.wild.test,IP:127.0.0.1\n").unwrap();
    request(dir, "server", "good.test");
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.crt",
    );
    request(dir, "client", "certuser");
    std::fs::write(dir.join("ext2"), "basicConstraints=CA:FALSE\n").unwrap();
    openssl(
        dir,
        "x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext2 -out client.crt",
    );
}

pub fn authority(dir: &Path, name: &str) {
    openssl(
        dir,
        &format!("req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 2 -subj /CN={name}"),
    );
}

pub fn request(dir: &Path, name: &str, common_name: &str) {
    openssl(dir, &format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={common_name}"));
}

pub struct Server {
    child: Child,
    pub port: u16,
    pub dir: tempfile::TempDir,
    client: tempfile::TempDir,
}

const HBA: &str = "local all all trust\n\
    host all scram 127.0.0.1/32 scram-sha-256\n\
    host all trusted 127.0.0.1/32 trust\n\
    host all hashed 127.0.0.1/32 md5\n\
    host all clear 127.0.0.1/32 password\n\
    hostssl all only_tls 127.0.0.1/32 scram-sha-256\n\
    hostnossl all only_plain 127.0.0.1/32 scram-sha-256\n\
    hostssl all certuser 127.0.0.1/32 cert\n";

impl Server {
    pub fn start(tls: Tls<'_>) -> Self {
        let dir = tempfile::Builder::new().prefix("stacksnap-pg").tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if let Tls::On(make) = &tls {
            make(dir.path());
            for name in ["server.crt", "server.key", "ca.crt"] {
                if dir.path().join(name).exists() {
                    std::fs::copy(dir.path().join(name), data.join(name)).unwrap();
                }
            }
        }
        let root = is_root();
        let keep: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
            .collect();
        keep.iter().for_each(|(path, _)| std::fs::remove_file(path).unwrap());
        if root {
            run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(dir.path()));
        }
        run(as_server_user(&bin("initdb"))
            .args(["-U", "admin", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&data));
        for (path, bytes) in &keep {
            std::fs::write(path, bytes).unwrap();
            run(Command::new("chmod").arg("600").arg(path));
        }
        std::fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        let port = free_port();
        let mut conf = format!(
            "listen_addresses='127.0.0.1'\nport={port}\nunix_socket_directories='{}'\nfsync=off\nmax_connections=20\n\
             password_encryption='scram-sha-256'\n",
            dir.path().display()
        );
        if matches!(tls, Tls::On(_)) {
            conf.push_str("ssl=on\n");
            if data.join("ca.crt").exists() {
                conf.push_str("ssl_ca_file='ca.crt'\n");
            }
        }
        std::fs::write(data.join("postgresql.conf"), conf).unwrap();
        if root {
            run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(dir.path()));
            run(Command::new("chmod").arg("755").arg(dir.path()));
        }
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let child = as_server_user(&bin("postgres"))
            .arg("-D")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { child, port, dir, client: tempfile::tempdir().unwrap() };
        server.wait();
        server.admin(
            "SET password_encryption='scram-sha-256'; CREATE ROLE trusted LOGIN; CREATE ROLE certuser LOGIN; \
             CREATE DATABASE shop",
        );
        for user in ["scram", "only_tls", "only_plain", "clear"] {
            server.admin(&format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'"));
        }
        server.admin(&format!("SET password_encryption='md5'; CREATE ROLE hashed LOGIN PASSWORD '{PASSWORD}'"));
        server
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            let ready = self.psql_admin("SELECT 1").output().unwrap().status.success();
            if ready {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{}", std::fs::read_to_string(self.dir.path().join("log")).unwrap());
    }

    fn psql_admin(&self, sql: &str) -> Command {
        let mut command = Command::new(bin("psql"));
        command.env_clear().args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "admin", "-d", "postgres", "-h"]);
        command.arg(self.dir.path()).args(["-p", &self.port.to_string(), "-c"]);
        for statement in sql.split("; ") {
            command.arg(statement).arg("-c");
        }
        command.arg("SELECT 1");
        command
    }

    pub fn admin(&self, sql: &str) {
        run(&mut self.psql_admin(sql));
    }

    /// What psql says with these parameters: `Some(is TLS in use)`, or none when it does not connect.
    pub fn psql(&self, conninfo: &str, home: &Path) -> Result<bool, String> {
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let output = Command::new(bin("psql"))
            .env_clear()
            .env("HOME", home)
            .env("PGPASSWORD", PASSWORD)
            .args(["-X", "-A", "-t", "-w", "-c", sql, conninfo])
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim() == "t"),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// A copy for the client: what lies in the server's folder is its user's.
    pub fn file(&self, name: &str) -> String {
        let copy = self.client.path().join(name);
        let original = self.dir.path().join(name);
        if !copy.exists() && original.exists() {
            std::fs::copy(original, &copy).unwrap();
        }
        copy.display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
