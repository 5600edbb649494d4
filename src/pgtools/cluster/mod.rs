//! A throw-away PostgreSQL cluster: created, started, used through its socket, stopped and removed.
//!
//! Invariant (traps 24, 25): it listens on a Unix socket in a folder that no other user can enter, never on the
//! network. However this process ends, no server process or folder remains (dropped, cancelled, failed: removed at
//! once; killed: removed by a guardian, or by the next start). It works for any user, including root, and never touches
//! another cluster.

mod place;
mod run_as;
pub mod servers;
pub mod settings;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::client::SearchPlaces;
use crate::model::cancel::{Cancel, CancelReason};
use crate::model::connection::{ConnSpec, Host};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::proc::Program;
use crate::proc::guardian::Guardian;

use place::Place;
use run_as::RunAs;
use servers::Server;
use settings::{Locale, PORT, configuration, initdb_arguments};

const INITDB_MAX: Duration = Duration::from_secs(120);
const START_MAX: Duration = Duration::from_secs(60);
/// Number of lines of the server's log that an error shows.
const LOG_LINES: usize = 12;

/// Requirements for the cluster.
#[derive(Debug, Clone)]
pub struct ClusterRequest {
    /// Where to look for server programs; `named` first.
    pub programs: SearchPlaces,
    /// Folders where the cluster can be created, best first.
    pub parents: Vec<PathBuf>,
    /// e.g. 150018: the cluster's major version is at least this one.
    pub source_version_num: u32,
    /// The name of the superuser that initdb creates.
    pub superuser: String,
    pub locale: Locale,
    /// Size of the data; three times as much space must be free.
    pub data_bytes: u64,
    /// Number of concurrent connections.
    pub connections: u32,
}

/// The server that a cluster here would use, and the user it would run as.
#[derive(Debug, Clone)]
pub struct Prospect {
    pub server: Server,
    run_as: RunAs,
}

impl Prospect {
    /// Finds a server that fits a source of this version. `NotProven` if there is none, or if it cannot run here.
    pub fn find(programs: &SearchPlaces, source_version_num: u32) -> Result<Self> {
        let server = servers::choose(&servers::find(programs), programs.named.as_deref(), source_version_num)?;
        let run_as = RunAs::find(&server, &programs.path)?;
        Ok(Self { server, run_as })
    }

    /// Whether it would run as another user without rights on this machine.
    pub fn is_without_rights(&self) -> bool {
        self.run_as.is_without_rights()
    }

    /// The user it runs as, for messages.
    pub fn shown_user(&self) -> String {
        self.run_as.shown()
    }
}

/// A running cluster. Dropping it stops the server immediately and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    place: Place,
    guardian: Option<Guardian>,
    superuser: String,
    /// The server's programs and version.
    pub server: Server,
    /// Differences from the source, each a sentence for people.
    pub notes: Vec<String>,
    kept: bool,
}

impl Cluster {
    /// Creates and starts a cluster; blocks for some seconds. `NotProven` if that is not possible here; the cancel
    /// reason's kind if cancelled. First removes what killed runs left behind.
    pub fn start(request: &ClusterRequest, cancel: &Cancel) -> Result<Self> {
        let prospect = Prospect::find(&request.programs, request.source_version_num)?;
        Self::start_found(request, &prospect, cancel)
    }

    /// The same with a server that was already found.
    pub fn start_found(request: &ClusterRequest, prospect: &Prospect, cancel: &Cancel) -> Result<Self> {
        place::sweep(&request.parents);
        Self::start_as(request, prospect.server.clone(), &prospect.run_as, cancel)
    }

    fn start_as(request: &ClusterRequest, server: Server, run_as: &RunAs, cancel: &Cancel) -> Result<Self> {
        let place = Place::make(&request.parents, run_as, request.data_bytes)?;
        let guardian = Guardian::over_server(&place.path);
        let mut cluster = Self {
            place,
            guardian: None,
            superuser: request.superuser.clone(),
            server,
            notes: Vec::new(),
            kept: false,
        };
        cluster.guardian = Some(guardian.map_err(|e| {
            Failure::new(FailureKind::NotProven, e).context("cannot start the guardian of the throw-away cluster")
        })?);
        cluster.note_version(request);
        if *run_as != RunAs::Ourselves {
            cluster.notes.push(format!("the throw-away server runs as {}", run_as.shown()));
        }
        cluster.initialise(request, run_as, cancel)?;
        cluster.configure(request)?;
        cluster.launch(run_as, cancel)?;
        Ok(cluster)
    }

    fn note_version(&mut self, request: &ClusterRequest) {
        let source = request.source_version_num / 10_000;
        if self.server.major != source {
            let text = format!("the source is PostgreSQL {source}, the throw-away server {}", self.server.major);
            self.notes.push(text);
        }
        let named = request.programs.named.as_deref();
        if let Some(named) = named.filter(|folder| *folder != self.server.bin) {
            let text = format!("no suitable server in {}: using {}", named.display(), self.server.bin.display());
            self.notes.push(text);
        }
    }

    /// Runs initdb with the source's locale, or with C if this system does not have that locale.
    fn initialise(&mut self, request: &ClusterRequest, run_as: &RunAs, cancel: &Cancel) -> Result<()> {
        let first = self.initdb(request, &request.locale, run_as, cancel);
        let Err(failure) = first else { return Ok(()) };
        if cancel.is_cancelled() || request.locale.is_plain() {
            return Err(failure);
        }
        let plain = Locale::plain(&request.locale.encoding);
        // After a failure, initdb leaves an empty folder, which can be used again.
        self.initdb(request, &plain, run_as, cancel)?;
        self.notes.push(format!(
            "this system lacks the source's locale {}: the throw-away server uses C",
            request.locale.shown()
        ));
        Ok(())
    }

    fn initdb(&self, request: &ClusterRequest, locale: &Locale, run_as: &RunAs, cancel: &Cancel) -> Result<()> {
        let mut arguments = initdb_arguments(&request.superuser, locale, self.server.major);
        arguments.push(format!("--pgdata={}", self.place.data().display()));
        let program = run_as.program(&self.server.bin.join("initdb"), &arguments);
        self.run(&program, "create", INITDB_MAX, cancel)
    }

    fn configure(&self, request: &ClusterRequest) -> Result<()> {
        let text = configuration(&self.place.socket(), request.connections.max(20));
        let file = self.place.data().join("postgresql.conf");
        let written = std::fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
        written.map_err(|e| Failure::new(FailureKind::NotProven, e).context(format!("cannot write {}", file.display())))
    }

    fn launch(&self, run_as: &RunAs, cancel: &Cancel) -> Result<()> {
        let arguments = [
            "start".to_string(),
            format!("--pgdata={}", self.place.data().display()),
            format!("--log={}", self.place.log().display()),
            "--wait".to_string(),
            format!("--timeout={}", START_MAX.as_secs()),
        ];
        let program = run_as.program(&self.server.bin.join("pg_ctl"), &arguments);
        self.run(&program, "start", START_MAX + Duration::from_secs(5), cancel).map_err(|failure| {
            let log = std::fs::read_to_string(self.place.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(LOG_LINES)..].join(" | ");
            if last.is_empty() { failure } else { failure.context(format!("last lines of the server's log: {last}")) }
        })
    }

    /// Runs one of the server's programs until it ends.
    fn run(&self, program: &Program, verb: &str, limit: Duration, cancel: &Cancel) -> Result<()> {
        let failed = |text: String| Failure::msg(FailureKind::NotProven, text);
        let mut running = program.start().map_err(|e| {
            Failure::new(FailureKind::NotProven, e).context(format!("cannot {verb} the throw-away cluster"))
        })?;
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = running.poll(Duration::from_millis(20))? {
                if status.success() {
                    return Ok(());
                }
                let said = running.stderr_tail().trim().replace('\n', " | ");
                return Err(failed(format!("cannot {verb} the throw-away cluster ({status}): {said}"))
                    .hint("run the server's programs by hand to see why, or set another folder with --pg-bin"));
            }
            if let Some(reason) = cancel.reason() {
                return Err(cancelled(reason));
            }
            if Instant::now() > until {
                return Err(failed(format!("cannot {verb} the throw-away cluster within {} s", limit.as_secs())));
            }
        }
    }

    /// Connection settings for one of its databases, as the superuser.
    pub fn connection(&self, database: &str) -> ConnSpec {
        ConnSpec {
            hosts: vec![(Host::Unix(self.place.socket()), PORT)],
            database: database.to_string(),
            user: self.superuser.clone(),
            connect_timeout: Some(Duration::from_secs(30)),
            origin: crate::model::connection::Origin {
                variable: "the throw-away cluster".to_string(),
                ..Default::default()
            },
            ..ConnSpec::default()
        }
    }

    /// Its folder.
    pub fn place(&self) -> &Path {
        &self.place.path
    }

    /// The PID of the postmaster.
    pub fn pid(&self) -> Option<u32> {
        self.place.server_pid()
    }

    /// Keeps it running after this process ends. From now on only the user removes it.
    pub fn keep(&mut self) -> Result<()> {
        let marked = self.place.mark_kept();
        marked.map_err(|e| Failure::new(FailureKind::Failed, e).context("cannot keep the throw-away cluster"))?;
        self.kept = true;
        self.guardian = None;
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.kept {
            self.place.clear();
        }
        // Only now: the guardian must watch until everything is removed.
        self.guardian = None;
    }
}

fn cancelled(reason: CancelReason) -> Failure {
    Failure::msg(reason.failure_kind(), format!("{}; the throw-away cluster is removed", reason.sentence()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_25_root_without_another_user_runs_it_in_a_namespace() {
        let unshare = PathBuf::from("/usr/bin/unshare");
        let run_as = RunAs::Namespace { unshare: unshare.clone() };
        let tried = Program::new(unshare).arg("--user").arg("--map-user=1000").arg("--").arg("/bin/true");
        let allowed = tried.run(Duration::from_secs(5)).is_ok_and(|done| done.status.success());
        let found = servers::find(&SearchPlaces::default());
        let (true, Some(server)) = (allowed, found.first()) else { return };
        let request = ClusterRequest {
            programs: SearchPlaces::default(),
            parents: vec![PathBuf::from("/tmp")],
            source_version_num: server.major * 10_000,
            superuser: "the boss".to_string(),
            locale: Locale::plain("UTF8"),
            data_bytes: 0,
            connections: 2,
        };
        let cluster = Cluster::start_as(&request, server.clone(), &run_as, &Cancel::new()).unwrap();
        let place = cluster.place().to_path_buf();
        assert!(cluster.pid().is_some() && place.join("socket").join(format!(".s.PGSQL.{PORT}")).exists());
        drop(cluster);
        assert!(!place.exists());
    }
}
