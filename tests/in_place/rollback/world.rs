//! One cluster with everything that the fixtures have, one snapshot of it, and what was there when it was taken.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;

use crate::support::{Cluster, EVERYTHING, ok, text};

/// Lines that are in one state and not in the other: at most so many are told.
const TOLD_MAX: usize = 12;
const TOLD_CHARS: usize = 240;

/// Not in any dump: rows of tables that belong to extensions.
const OF_EXTENSIONS: &str = "SELECT j::text FROM cron.job j ORDER BY 1; SELECT m::text FROM pgmq.q_order_events m ORDER BY 1; \
    SELECT name, description FROM vault.secrets ORDER BY 1, 2";

/// Everything that PostgreSQL's own programs say of a database and its roles: lines, and how often each is there.
pub type State = BTreeMap<String, usize>;

pub struct World {
    cluster: Cluster,
    place: tempfile::TempDir,
    snapshot: PathBuf,
    pub before: State,
}

impl World {
    pub fn new() -> Self {
        let cluster = Cluster::start(15);
        let place = tempfile::tempdir().unwrap();
        cluster.load("rolled", "revoked", EVERYTHING);
        // A view that is older than its tables cannot be had again once it is refreshed: that is named, not judged here.
        cluster.sql("rolled", "REFRESH MATERIALIZED VIEW zoo.m_one; REFRESH MATERIALIZED VIEW zoo.m_two");
        let root = place.path().join("snapshots");
        let snapshot = cluster.create("rolled", &root, 3, &[]).folder;
        let mut world = Self { cluster, place, snapshot, before: State::new() };
        world.before = world.state();
        world
    }

    /// pg_dump and pg_dumpall know nothing of this program's catalogs and fingerprints.
    pub fn state(&self) -> State {
        let mut lines = State::new();
        let mut add = |output: String| {
            for line in output.lines().filter(|l| !l.starts_with("\\restrict") && !l.starts_with("\\unrestrict")) {
                *lines.entry(line.to_string()).or_default() += 1;
            }
        };
        add(ok(self.cluster.program("pg_dump", "rolled").arg("--create")));
        add(ok(self.cluster.program("pg_dumpall", "rolled").arg("--globals-only")));
        add(self.cluster.sql("rolled", OF_EXTENSIONS));
        lines
    }

    /// Runs the damage, statement by statement.
    pub fn plant(&self, sql: &str) -> Result<(), String> {
        let file = self.place.path().join("damage.sql");
        std::fs::write(&file, sql).unwrap();
        let mut psql = self.cluster.psql("rolled");
        let output = psql.env("PGOPTIONS", "-c client_min_messages=error").arg("-f").arg(&file).output().unwrap();
        if output.status.success() { Ok(()) } else { Err(format!("it cannot be planted: {}", text(&output))) }
    }

    fn stacksnap(&self, arguments: &[&str]) -> Output {
        let mut command = self.cluster.stacksnap("rolled", &self.place.path().join("snapshots"));
        command.args(arguments).output().unwrap()
    }

    /// Restores in place; then nothing may differ from before.
    pub fn roll_back(&self) -> Result<(), String> {
        let to = format!("host=127.0.0.1 port={} user=supabase_admin dbname=rolled", self.cluster.port);
        let snapshot = self.snapshot.to_str().unwrap();
        let restored = self.stacksnap(
            &["restore", snapshot, "--to", &to, "--confirm", "rolled", "--no-safety-snapshot", "--allow-partial"]
                .into_iter()
                .chain(["--sessions", "keep", "--activate-jobs", "-o", "json"])
                .collect::<Vec<_>>(),
        );
        let mut found = told(&self.before, &self.state());
        if restored.status.code() != Some(0) {
            found.push(format!("the restore ends with {:?}: {}", restored.status.code(), text(&restored)));
        }
        // The program's own comparison has to agree.
        let diff = self.stacksnap(&["diff", snapshot, "live"]);
        if diff.status.code() != Some(0) {
            found.push(format!("diff ends with {:?}: {}", diff.status.code(), text(&diff)));
        }
        if found.is_empty() { Ok(()) } else { Err(found.join("\n    ")) }
    }
}

/// What is lost and what is new, as lines.
fn told(was: &State, is: &State) -> Vec<String> {
    let cut = |line: &str| line.chars().take(TOLD_CHARS).collect::<String>();
    let less = |a: &State, b: &State, sign: &str| -> Vec<String> {
        let gone = a.iter().filter(|(line, n)| b.get(*line).is_none_or(|m| m < n));
        gone.take(TOLD_MAX).map(|(line, _)| format!("{sign} {}", cut(line))).collect()
    };
    let mut found = less(was, is, "lost:");
    found.extend(less(is, was, "new: "));
    found
}
