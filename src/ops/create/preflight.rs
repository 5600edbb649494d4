//! Checks before anything is written: the server, the role's privileges, the client programs, free disk space.
//!
//! Invariant: nothing is written and nothing is locked. A full snapshot that cannot succeed fails here, with the name
//! of every missing privilege (R1, trap 6).

use std::time::Instant;

use rustix::fs::statvfs;

use super::pinned_dump::{PinnedDump, pinned_dump};
use super::selection::Selection;
use super::{Job, millis};
use crate::model::abilities::SourceAbilities;
use crate::model::bootstrap::BOOTSTRAP_OID;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::manifest::SourceFacts;
use crate::monitor::{Event, Phase};
use crate::pg::catalog::privileges::{MissingPrivilege, missing_privileges};
use crate::pg::catalog::source::{host_sha256, source};
use crate::pg::session::Session;
use crate::pgtools::client::{Client, SearchPlaces, choose, find};
use crate::snapshot::codec::Codec;

const NAMED_MAX: usize = 12;

/// The facts known before the first byte is written.
pub struct Preflight {
    pub facts: SourceFacts,
    pub abilities: SourceAbilities,
    pub client: Client,
    pub codec: Codec,
    /// Privileges whose absence costs a part of the snapshot, not the run.
    pub missing: Vec<MissingPrivilege>,
    pub dump: PinnedDump,
    /// The superuser that the source's initdb made.
    pub bootstrap_role: String,
}

/// Connects and checks.
pub async fn check(job: &Job<'_>, selection: &Selection) -> Result<Preflight> {
    let clock = Instant::now();
    job.monitor.event(Event::PhaseStarted { phase: Phase::Preflight, bytes_total: None });
    let session = Session::open(job.source, &job.application_name).await?;
    let (facts, abilities) = source(&session, host_sha256(job.source)).await?;
    let (client, codec) = client(job, facts.server_version_num)?;
    let missing = if selection.needs_archive() { missing_privileges(&session).await? } else { Vec::new() };
    if let Some(failure) = refused(&missing, job).filter(|_| selection.tables.is_empty()) {
        return Err(failure);
    }
    let dump = pinned_dump(job, &session).await?;
    let bootstrap_role = bootstrap_role(&session).await?;
    room(job, facts.database_bytes);
    let summary = format!(
        "{} on PostgreSQL {}, pg_dump {}, {}",
        facts.database,
        facts.server_version,
        client.version_short(),
        codec.word()
    );
    job.monitor.event(Event::PhaseEnded { phase: Phase::Preflight, summary, duration_ms: millis(clock.elapsed()) });
    let missing = missing.into_iter().filter(|m| !m.blocking).collect();
    Ok(Preflight { facts, abilities, client, codec, missing, dump, bootstrap_role })
}

/// Reads the name from `pg_roles`, which every role may read.
async fn bootstrap_role(session: &Session) -> Result<String> {
    let sql = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE oid = $1";
    let rows = session.rows(sql, &[&BOOTSTRAP_OID]).await?;
    Ok(rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_else(|| "postgres".to_string()))
}

fn client(job: &Job<'_>, server_version_num: u32) -> Result<(Client, Codec)> {
    let places = SearchPlaces { named: job.settings.pg_bin.clone(), path: job.settings.program_dirs.clone() };
    let client = choose(&find(&places), server_version_num)?;
    let codec = if client.has_zstd() { Codec::Zstd } else { Codec::Gzip };
    Ok((client, codec))
}

fn refused(missing: &[MissingPrivilege], job: &Job<'_>) -> Option<Failure> {
    let blocking: Vec<&MissingPrivilege> = missing.iter().filter(|m| m.blocking).collect();
    if blocking.is_empty() {
        return None;
    }
    let named: Vec<String> =
        blocking.iter().take(NAMED_MAX).map(|m| format!("{} on {}", m.privilege, m.what)).collect();
    let more = blocking.len().saturating_sub(NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    let text = format!("the role {} may not read everything: it lacks {}{more}", job.source.user, named.join(", "));
    let mut failure = Failure::msg(FailureKind::Denied, crate::model::name::visible(&text));
    for todo in blocking.iter().take(3).map(|m| m.todo.clone()) {
        failure = failure.hint(todo);
    }
    Some(failure.hint("every missing privilege: stacksnap doctor"))
}

/// Warns when the disk may be too small: archive, CSV and SQL together take two to four times the size of the tables.
fn room(job: &Job<'_>, database_bytes: u64) {
    let Ok(stat) = statvfs(&job.settings.root) else { return };
    let free_bytes = stat.f_bavail * stat.f_frsize;
    if free_bytes < database_bytes.saturating_mul(2) {
        let message = format!(
            "{} MB are free in the root folder, the database has {} MB",
            free_bytes / 1_000_000,
            database_bytes / 1_000_000
        );
        let hint = "if the disk fills up, the snapshot fails and leaves nothing; --formats dump needs the least space";
        job.monitor.warn("little_room", message, Some(hint.to_string()));
    }
}
