//! Finds the programs of a PostgreSQL server: initdb, postgres, pg_ctl.
//!
//! Invariant (trap 25): it picks the source's own major version, otherwise the lowest newer one, and never an older
//! one, which may not support all objects of the source. The folder that the user named has priority.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::failure::{Failure, FailureKind, Result};
use crate::pgtools::client::{SearchPlaces, is_usable, parse_version, usual_folders};
use crate::proc::Program;

const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_ctl"];
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A folder with the programs of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub bin: PathBuf,
    pub major: u32,
    pub minor: u32,
}

impl Server {
    /// `15.18`
    pub fn version_short(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

/// Every usable server: the one in the named folder first, then in the order found.
pub fn find(places: &SearchPlaces) -> Vec<Server> {
    let mut folders: Vec<PathBuf> = places.named.iter().cloned().collect();
    folders.extend(usual_folders());
    for folder in &places.path {
        folders.push(folder.clone());
        folders.extend(asked_of_pg_config(folder));
    }
    let mut servers: Vec<Server> = Vec::new();
    for folder in folders {
        let known = servers.iter().any(|s| s.bin == folder);
        if !known && PROGRAMS.iter().all(|name| is_usable(&folder.join(name))) {
            servers.extend(ask_version(&folder));
        }
    }
    servers
}

/// The folder of server programs according to the `pg_config` in a folder.
fn asked_of_pg_config(folder: &Path) -> Option<PathBuf> {
    let program = folder.join("pg_config");
    if !is_usable(&program) {
        return None;
    }
    let done = Program::new(program).arg("--bindir").run(ANSWER_MAX).ok()?;
    let text = String::from_utf8(done.stdout).ok()?;
    done.status.success().then(|| PathBuf::from(text.trim_end_matches('\n')))
}

fn ask_version(folder: &Path) -> Option<Server> {
    let done = Program::new(folder.join("postgres")).arg("--version").run(ANSWER_MAX).ok()?;
    let (major, minor) = parse_version(&String::from_utf8_lossy(&done.stdout))?;
    Some(Server { bin: folder.to_path_buf(), major, minor })
}

/// The server to use for a source of this version.
pub fn choose(servers: &[Server], named: Option<&Path>, source_version_num: u32) -> Result<Server> {
    let wanted = source_version_num / 10_000;
    let fits = |server: &&Server| server.major >= wanted;
    let of_the_user = servers.iter().filter(|s| named.is_some_and(|folder| folder == s.bin)).find(fits);
    let best = || servers.iter().filter(fits).min_by_key(|s| (s.major, u32::MAX - s.minor));
    if let Some(server) = of_the_user.or_else(best) {
        return Ok(server.clone());
    }
    let found: Vec<String> = servers.iter().map(|s| format!("{} in {}", s.version_short(), s.bin.display())).collect();
    let message = if found.is_empty() {
        format!("no PostgreSQL server {wanted} was found here (initdb, postgres, pg_ctl): nothing could be proven")
    } else {
        format!("every PostgreSQL server found is older than the source (source {wanted}; found {})", found.join(", "))
    };
    Err(Failure::msg(FailureKind::NotProven, message)
        .hint(install(wanted))
        .hint("or name their folder with --pg-bin, or an empty database with --target-url"))
}

/// The hint how to install one.
pub fn install(major: u32) -> String {
    format!("install the server's programs: apt-get install postgresql-{major} (it does not have to run)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(bin: &str, major: u32, minor: u32) -> Server {
        Server { bin: PathBuf::from(bin), major, minor }
    }

    #[test]
    fn trap_25_own_major_then_lowest_newer_and_the_named_one_first() {
        let servers = [server("/n", 18, 1), server("/a", 16, 2), server("/b", 15, 3), server("/c", 15, 9)];
        assert_eq!(choose(&servers, None, 150_001).unwrap().bin, Path::new("/c"));
        assert_eq!(choose(&servers, None, 140_001).unwrap().bin, Path::new("/c"));
        assert_eq!(choose(&servers, None, 170_001).unwrap().bin, Path::new("/n"));
        assert_eq!(choose(&servers, Some(Path::new("/n")), 150_001).unwrap().bin, Path::new("/n"));
        assert_eq!(choose(&servers, Some(Path::new("/b")), 160_001).unwrap().bin, Path::new("/a"), "too old for it");
    }

    #[test]
    fn without_a_server_the_line_to_run_is_named() {
        for servers in [vec![], vec![server("/b", 15, 3)]] {
            let failure = choose(&servers, None, 170_002).unwrap_err();
            assert_eq!(failure.kind, FailureKind::NotProven);
            assert!(failure.hints[0].contains("apt-get install postgresql-17"), "{failure:?}");
        }
    }
}
