//! `doctor`: checks everything that can make a snapshot fail, before one is taken.
//!
//! Invariant: it only reads and waits for no lock. Each finding that is not `ok` says what to do. Object names are
//! quoted as in SQL; the printer escapes control characters.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::create::schema;
use super::create::schema::{Foreseen, Wanted};
use crate::config::Verify;
use crate::model::abilities::SourceAbilities;
use crate::model::connection::{ConnSpec, Host};
use crate::model::failure::Result;
use crate::model::inventory::TableFacts;
use crate::model::manifest::{SnapshotKind, SourceFacts};
use crate::pg::catalog::privileges::{MissingPrivilege, missing_privileges};
use crate::pg::catalog::source::{host_sha256, source};
use crate::pg::catalog::surroundings::{BlockingLock, Surroundings, blocking_locks, surroundings};
use crate::pg::catalog::tables::tables;
use crate::pg::session::Session;
use crate::pgtools::client::SearchPlaces;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// A snapshot succeeds, but something about it is worth knowing.
    Warn,
    /// A snapshot would fail, or would be incomplete.
    Fail,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable word, e.g. `client`.
    pub name: &'static str,
    pub status: Status,
    pub what: String,
    /// What to do; `None` when there is nothing to do.
    pub todo: Option<String>,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, what: what.into(), todo: None }
    }

    fn warn(name: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, what: what.into(), todo: Some(todo.into()) }
    }

    fn fail(name: &'static str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, what: what.into(), todo: Some(todo.into()) }
    }
}

/// A pg_dump that the caller found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundClient {
    pub path: PathBuf,
    pub major: u32,
    pub minor: u32,
}

/// The first minors whose pg_dump is safe against a hostile server. Older ones can be made to overwrite their own stack
/// through `lo_read` (CVE-2026-6477) and to write commands that run at restore (CVE-2025-8714, -8715). Majors that are
/// not listed get no more fixes.
pub const MINIMUM_MINORS: [(u32, u32); 5] = [(14, 23), (15, 18), (16, 14), (17, 10), (18, 4)];

const OLDEST_SERVER: u32 = 12;
/// Longer lists are cut for readability.
const NAMED: usize = 10;

/// The facts about this machine and its settings.
pub struct Here<'a> {
    pub clients: &'a [FoundClient],
    /// The snapshots' root folder; it need not exist yet.
    pub root: &'a Path,
    /// Where server programs may be.
    pub programs: &'a SearchPlaces,
    pub verify: Option<Verify>,
}

/// All checks, in the order of a run.
pub async fn doctor_for_create(spec: &ConnSpec, session: &Session, here: &Here<'_>) -> Result<Vec<Check>> {
    let (facts, abilities) = source(session, host_sha256(spec)).await?;
    let around = surroundings(session).await?;
    let mut checks = vec![connection(spec), pooler(spec, &around), server(&facts)];
    checks.push(client(facts.server_version_num / 10_000, here.clients));
    checks.extend(privileges(&missing_privileges(session).await?, &abilities));
    checks.push(bypass_rls(&abilities));
    checks.push(locks(&blocking_locks(session).await?));
    checks.push(lock_table(&around, &abilities));
    checks.push(timeouts(&around));
    checks.push(disk(here.root, facts.database_bytes));
    checks.push(standby(&facts, &around));
    checks.push(extensions(&tables(session).await?));
    checks.push(system_schemas(&around));
    checks.push(encoding(&facts));
    checks.push(schema_verification(here, facts.server_version_num));
    Ok(checks)
}

/// Will the schema of the next snapshot be verified, and by which server?
fn schema_verification(here: &Here<'_>, server_version_num: u32) -> Check {
    const NAME: &str = "verify_schema";
    let wanted = schema::wanted(here.verify, SnapshotKind::Full);
    let requested = match wanted {
        Wanted::No(why) => return Check::ok(NAME, format!("not done: {why}")),
        Wanted::Asked => true,
        Wanted::WhereItCan => false,
    };
    match schema::foreseen(here.programs, server_version_num, requested) {
        Foreseen::Server(prospect) => {
            let (version, bin) = (prospect.server.version_short(), prospect.server.bin.display());
            let user = prospect.shown_user();
            Check::ok(NAME, format!("schemas are restored by a throw-away PostgreSQL {version} ({bin}), as {user}"))
        }
        Foreseen::OnRequest(why) => Check::ok(NAME, format!("not done by default: {why}")),
        Foreseen::None(failure) => {
            let todo = failure.hints.first().cloned().unwrap_or_else(|| "to leave it out: --verify none".to_string());
            Check::warn(NAME, format!("schemas are not verified: {failure}"), todo)
        }
    }
}

fn connection(spec: &ConnSpec) -> Check {
    let mut what = format!("{} from {}", spec.display(), spec.origin.variable);
    if let Some(file) = &spec.origin.file {
        what.push_str(&format!(" in {}", file.display()));
    }
    for note in &spec.origin.notes {
        what.push_str(&format!("; {note}"));
    }
    if spec.origin.variable == "--db-url" {
        let todo = "other users of this machine can see it: set STACKSNAP_DB_URL or use the configuration";
        return Check::warn("connection", what, todo);
    }
    Check::ok("connection", what)
}

fn pooler(spec: &ConnSpec, around: &Surroundings) -> Check {
    let port = spec.first_port();
    let pooled = spec.hosts.iter().any(|(host, _)| matches!(host, Host::Tcp(name) if name.contains("pooler")));
    if port == 6543 {
        return Check::fail(
            "pooler",
            "port 6543 is the transaction pooler: it cannot hold a snapshot",
            "use the direct connection or the session pooler (port 5432)",
        );
    }
    if pooled {
        let todo = "fine for a snapshot in session mode; prefer the direct connection where it is reachable";
        return Check::warn("pooler", "the host looks like a pooler", todo);
    }
    match around.server_port {
        Some(own) if own != i32::from(port) => Check::warn(
            "pooler",
            format!("connected to port {port}, but the server itself listens on {own}: proxy or pooler in between"),
            "fine for a forwarded port; a pooler there must be in session mode",
        ),
        _ => Check::ok("pooler", "no sign of a pooler"),
    }
}

fn server(facts: &SourceFacts) -> Check {
    let major = facts.server_version_num / 10_000;
    let kind = if facts.is_supabase { "a Supabase stack" } else { "PostgreSQL" };
    let what = format!("{kind}, version {}, database of {} bytes", facts.server_version, facts.database_bytes);
    if major < OLDEST_SERVER {
        return Check::fail("server", what, format!("servers before {OLDEST_SERVER} are not supported: upgrade first"));
    }
    Check::ok("server", what)
}

/// The client that a run would use (trap 11): the server's major, else the lowest newer one; and whether it is safe.
fn client(server_major: u32, clients: &[FoundClient]) -> Check {
    let usable = clients.iter().filter(|c| c.major >= server_major);
    let Some(client) = usable.min_by_key(|c| (c.major, u32::MAX - c.minor)) else {
        let found: Vec<String> = clients.iter().map(|c| format!("{}.{}", c.major, c.minor)).collect();
        let what = if found.is_empty() {
            "no pg_dump was found".to_string()
        } else {
            format!("pg_dump refuses a newer server: found {}, needed {server_major}", found.join(", "))
        };
        let todo = format!("install the PostgreSQL {server_major} client, or name its folder with --pg-bin");
        return Check::fail("client", what, todo);
    };
    let what = format!("pg_dump {}.{} at {}", client.major, client.minor, client.path.display());
    let newest = MINIMUM_MINORS.iter().map(|(major, _)| *major).max().unwrap_or(0);
    match MINIMUM_MINORS.iter().find(|(major, _)| *major == client.major) {
        Some((_, minor)) if client.minor < *minor => Check::fail(
            "client",
            format!("{what}: a hostile server can take it over (CVE-2026-6477)"),
            format!("update it to {}.{minor} or newer", client.major),
        ),
        None if client.major < newest => {
            Check::warn("client", format!("{what}: this major gets no more fixes"), "use a newer client")
        }
        _ if client.major > server_major => Check::warn(
            "client",
            format!("{what}: newer than the server"),
            format!("an archive of it needs pg_restore {}: prefer the client of {server_major}", client.major),
        ),
        _ => Check::ok("client", what),
    }
}

/// One line per schema, and one for privileges outside of schemas.
fn privileges(missing: &[MissingPrivilege], abilities: &SourceAbilities) -> Vec<Check> {
    if missing.is_empty() {
        return vec![Check::ok("privileges", format!("{} may read everything", abilities.user))];
    }
    let mut schemas: Vec<Option<&str>> = missing.iter().map(|m| m.schema.as_deref()).collect();
    schemas.sort_unstable();
    schemas.dedup();
    let line = |schema: Option<&str>| {
        let here: Vec<&MissingPrivilege> = missing.iter().filter(|m| m.schema.as_deref() == schema).collect();
        let lacks: Vec<String> = here.iter().map(|m| format!("{} on {}", m.privilege, m.what)).collect();
        let todos: Vec<String> = here.iter().map(|m| m.todo.clone()).collect();
        let place = schema.map_or_else(|| "outside schemas".to_string(), |s| format!("schema {s}"));
        let what = format!("{place}: {} lacks {}", abilities.user, named(&lacks));
        if here.iter().any(|m| m.blocking) {
            Check::fail("privileges", what, named(&todos))
        } else {
            Check::warn("privileges", what, named(&todos))
        }
    };
    schemas.into_iter().map(line).collect()
}

fn bypass_rls(abilities: &SourceAbilities) -> Check {
    if abilities.bypasses_rls {
        return Check::ok("bypassrls", "row security hides no row from this role");
    }
    let todo =
        format!("ALTER ROLE {} BYPASSRLS; or use a role that has it", crate::model::name::ident(&abilities.user));
    Check::warn("bypassrls", "row security applies to this role on tables that it does not own", todo)
}

fn locks(locks: &[BlockingLock]) -> Check {
    if locks.is_empty() {
        return Check::ok("locks", "no session holds or waits for an ACCESS EXCLUSIVE lock");
    }
    let lines: Vec<String> = locks
        .iter()
        .map(|l| {
            let verb = if l.held { "holds" } else { "waits for" };
            format!("pid {} ({}) {verb} ACCESS EXCLUSIVE on {} for {} s", l.pid, l.user, l.table, l.seconds)
        })
        .collect();
    let todo = "wait for it, end it with pg_terminate_backend(pid), or bound the wait with --lock-wait";
    Check::warn("locks", named(&lines), todo)
}

fn lock_table(around: &Surroundings, abilities: &SourceAbilities) -> Check {
    let (tables, slots) = (around.tables, abilities.lock_slots);
    let what = format!("{tables} tables to lock, room for {slots} locks");
    let todo = "raise max_locks_per_transaction and restart the server";
    if tables > slots {
        Check::fail("max_locks", what, todo)
    } else if tables * 2 > slots {
        Check::warn("max_locks", what, todo)
    } else {
        Check::ok("max_locks", what)
    }
}

fn timeouts(around: &Surroundings) -> Check {
    if around.timeouts.is_empty() {
        return Check::ok("timeouts", "no timeout is set on this role");
    }
    Check::ok("timeouts", format!("{}: switched off for the snapshot's own sessions", around.timeouts.join(", ")))
}

/// Archive, CSV and SQL together take about the size of the database, and there should be room for one more snapshot.
fn disk(root: &Path, needed: u64) -> Check {
    let place = root.ancestors().find(|p| p.exists()).unwrap_or(Path::new("."));
    let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    let free = match rustix::fs::statvfs(place) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => {
            let what = format!("cannot read the free space at {}: {error}", place.display());
            return Check::warn("disk", what, "check that --root names a folder on a local disk");
        }
    };
    let what = format!("{free} bytes free at {}, about {needed} needed", place.display());
    let todo = "free space, or put --root on another disk";
    if free < needed {
        Check::fail("disk", what, todo)
    } else if free / 2 < needed {
        Check::warn("disk", what, todo)
    } else {
        Check::ok("disk", what)
    }
}

fn standby(facts: &SourceFacts, around: &Surroundings) -> Check {
    match (facts.is_standby, around.unlogged.is_empty()) {
        (false, true) => Check::ok("standby", "not a standby; no unlogged tables"),
        (false, false) => Check::ok("standby", format!("not a standby; {} unlogged tables", around.unlogged.len())),
        (true, true) => {
            let todo = "long queries may be cancelled: set max_standby_streaming_delay = -1";
            Check::warn("standby", "this is a standby", todo)
        }
        (true, false) => Check::fail(
            "standby",
            format!("a standby has no rows of unlogged tables: {}", named(&around.unlogged)),
            "take the snapshot from the primary",
        ),
    }
}

fn extensions(tables: &[TableFacts]) -> Check {
    let not_dumped = tables.iter().filter(|t| t.extension.is_some() && !t.extension_config && t.rows_estimated > 0);
    let lines: Vec<String> =
        not_dumped.map(|t| format!("{} ({})", t.name.sql(), t.extension.as_deref().unwrap_or_default())).collect();
    if lines.is_empty() {
        return Check::ok("extensions", "no extension keeps rows that a dump misses");
    }
    let todo = "stacksnap keeps them in extension_state/; a restore with pg_restore alone lacks them";
    Check::warn("extensions", format!("no dump carries the rows of {}", named(&lines)), todo)
}

fn system_schemas(around: &Surroundings) -> Check {
    if around.in_system_schemas.is_empty() {
        return Check::ok("system_schemas", "the server's own schemas hold no user objects");
    }
    let what = format!("no dump holds user objects in the server's own schemas: {}", named(&around.in_system_schemas));
    Check::warn("system_schemas", what, "move them to a schema of yours")
}

fn encoding(facts: &SourceFacts) -> Check {
    let what = format!("{} {}", facts.encoding, facts.locale);
    match facts.encoding.as_str() {
        "UTF8" => Check::ok("encoding", what),
        "SQL_ASCII" => Check::warn(
            "encoding",
            what,
            "rows are captured byte for byte; create fails and names any name, definition or comment that is not UTF-8",
        ),
        _ => Check::warn("encoding", what, "files are written as UTF-8; a restore needs a database of this encoding"),
    }
}

fn named(names: &[String]) -> String {
    let mut text = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if names.len() > NAMED {
        text.push_str(&format!("; and {} more", names.len() - NAMED));
    }
    text
}

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;
