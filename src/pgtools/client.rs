//! Finds pg_dump and pg_restore: the server's own major version first.
//!
//! Invariant (trap 11): it never picks a client older than the server. Among newer ones it picks the lowest major
//! version, because a dump made by a newer client may not restore on the server's version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::failure::{Failure, FailureKind, Result};
use crate::ownership;
use crate::proc::Program;

/// A folder with a pg_dump and a pg_restore of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub bin: PathBuf,
    pub major: u32,
    pub minor: u32,
    /// e.g. `pg_dump (PostgreSQL) 15.18 (Debian …)`.
    pub version: String,
}

impl Client {
    pub fn program(&self, name: &str) -> Program {
        Program::new(self.bin.join(name))
    }

    /// `15.18`, or `9.6.1`'s `9.6`.
    pub fn version_short(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }

    /// Whether it was built with zstd: pg_dump rejects the option before it connects.
    pub fn has_zstd(&self) -> bool {
        if self.major < 16 {
            return false;
        }
        let nowhere = "/nonexistent/stacksnap-no-socket";
        let tried = self
            .program("pg_dump")
            .env("PGHOST", nowhere)
            .env("PGCONNECT_TIMEOUT", "2")
            .arg("--format=plain")
            .arg("--compress=zstd:1")
            .arg("--file=/dev/null")
            .run(Duration::from_secs(5));
        tried.is_ok_and(|done| done.stderr.contains("connection") && !done.stderr.contains("does not support"))
    }
}

/// Where to look for clients: the folder that the user named, or the usual folders and PATH.
#[derive(Debug, Clone, Default)]
pub struct SearchPlaces {
    /// `--pg-bin`: the only folder to look in.
    pub named: Option<PathBuf>,
    /// The folders of PATH.
    pub path: Vec<PathBuf>,
}

/// A program that only we or root can have installed or modified.
pub fn is_usable(program: &Path) -> bool {
    program.is_file() && ownership::is_ours(program)
}

/// Every usable client, in no order. Skips folders whose pg_dump does not run, or that other users can write to.
pub fn find(places: &SearchPlaces) -> Vec<Client> {
    let folders = match &places.named {
        Some(folder) => vec![folder.clone()],
        None => usual_folders().into_iter().chain(places.path.iter().cloned()).collect(),
    };
    let mut clients: Vec<Client> = Vec::new();
    for folder in folders {
        let known = clients.iter().any(|c| c.bin == folder);
        if !known && ["pg_dump", "pg_restore"].iter().all(|name| is_usable(&folder.join(name))) {
            clients.extend(ask_version(&folder));
        }
    }
    clients
}

/// The folders where packages install PostgreSQL's programs.
pub fn usual_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr", "/opt"] {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let postgres =
                parent == "/usr/lib/postgresql" || name.starts_with("pgsql-") || name.starts_with("postgresql@");
            if postgres {
                folders.push(entry.path().join("bin"));
            }
        }
    }
    folders.sort();
    folders
}

fn ask_version(folder: &Path) -> Option<Client> {
    let done = Program::new(folder.join("pg_dump")).arg("--version").run(Duration::from_secs(5)).ok()?;
    let version = String::from_utf8_lossy(&done.stdout).trim().to_string();
    let (major, minor) = parse_version(&version)?;
    Some(Client { bin: folder.to_path_buf(), major, minor, version })
}

/// Major and minor of `pg_dump (PostgreSQL) 15.18 (Debian …)`; `18beta1` has minor 0, `9.6.1` is 9 and 6.
pub fn parse_version(text: &str) -> Option<(u32, u32)> {
    let word = text.split_whitespace().find(|w| w.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut numbers = word.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

/// The client for a server: the server's own major version, otherwise the lowest newer one.
pub fn choose(clients: &[Client], server_version_num: u32) -> Result<Client> {
    let server_major = server_version_num / 10_000;
    let best = clients.iter().filter(|c| c.major >= server_major).min_by_key(|c| (c.major, u32::MAX - c.minor));
    if let Some(client) = best {
        return Ok(client.clone());
    }
    let found: Vec<String> = clients.iter().map(|c| format!("{} in {}", c.version_short(), c.bin.display())).collect();
    let message = if found.is_empty() {
        "no pg_dump was found".to_string()
    } else {
        format!("pg_dump is older than the server (server {server_major}; found {})", found.join(", "))
    };
    Err(Failure::msg(FailureKind::Configuration, message)
        .hint(format!("install the client tools: apt-get install postgresql-client-{server_major} (or a newer major)"))
        .hint("or set the folder that has them: --pg-bin /usr/lib/postgresql/NN/bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(major: u32, minor: u32) -> Client {
        Client { bin: PathBuf::from(format!("/{major}.{minor}")), major, minor, version: String::new() }
    }

    #[test]
    fn trap_11_own_major_then_lowest_newer_never_older() {
        let clients = [client(18, 6), client(14, 2), client(16, 1), client(15, 3), client(15, 18)];
        assert_eq!(choose(&clients, 150_004).unwrap(), client(15, 18));
        assert_eq!(choose(&clients, 130_000).unwrap(), client(14, 2));
        assert_eq!(choose(&clients, 170_000).unwrap(), client(18, 6));
        assert_eq!(choose(&clients, 190_000).unwrap_err().kind, FailureKind::Configuration);
        assert!(choose(&[], 150_000).unwrap_err().to_string().contains("no pg_dump"));
    }

    #[test]
    fn versions_as_the_programs_say_them() {
        assert_eq!(parse_version("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some((15, 18)));
        assert_eq!(parse_version("pg_dump (PostgreSQL) 19beta2"), Some((19, 0)));
        assert_eq!(parse_version("pg_dump (PostgreSQL) 9.6.1"), Some((9, 6)));
        assert_eq!(parse_version("nothing"), None);
    }
}
