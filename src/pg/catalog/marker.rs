//! Did anything change since the last snapshot? Three witnesses: transaction ids, catalogs, write counters.
//!
//! Invariant: `Unchanged` is said only when no change can have gone unseen; whatever cannot be told is `Unsure`, and
//! then a snapshot is taken. Order matters for the marker that is kept: counters are read BEFORE the snapshot is
//! exported, the horizon is the snapshot's own, and the inventory (with the sequences' values, which are not
//! transactional) is read before pg_dump starts. So a change in between makes a false alarm, never a silence.

use sha2::{Digest, Sha256};

use super::{NO_JIT, get, inventory, query};
use crate::model::failure::Result;
use crate::model::hex::hex;
use crate::model::inventory::CatalogObject;
use crate::model::manifest::ChangeMarker;
use crate::pg::session::Session;

/// What the witnesses say. The reason is for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Unchanged,
    /// Transactions ended since, perhaps in another database, and none that counts what it writes wrote here. Who may do so
    /// can switch the counting off for a session: the rows' own transaction ids tell the rest (`row_ages`).
    Uncounted,
    Changed(String),
    /// Cannot be told: take the snapshot.
    Unsure(String),
}

/// The marker of now, on a plain session. `files` and `settings` are the caller's own hashes.
pub async fn marker(session: &Session, files_sha256: String, settings_sha256: String) -> Result<ChangeMarker> {
    let counters_sha256 = counters(session).await?;
    let transaction_horizon = horizon(session).await?;
    let objects = inventory::objects(session).await?;
    let catalogs_sha256 = catalogs(session, &objects).await?;
    Ok(ChangeMarker {
        transaction_horizon,
        catalogs_sha256,
        counters_sha256,
        files_sha256,
        settings_sha256,
        counted_since: None,
    })
}

/// `pg_current_snapshot()`: `xmin:xmax:in-progress`. For the marker that is kept use the exported snapshot's own.
pub async fn horizon(session: &Session) -> Result<String> {
    let function = if session.version_num >= 130_000 { "pg_current_snapshot" } else { "txid_current_snapshot" };
    get(&session.one(&format!("SELECT pg_catalog.{function}()::text"), &[]).await?, 0)
}

/// Hash over the write counters of every table and where their rows are. Reads the newest ones, whatever the snapshot.
pub async fn counters(session: &Session) -> Result<String> {
    session.execute(&format!("{NO_JIT}; SELECT pg_catalog.pg_stat_clear_snapshot()")).await?;
    get(&session.one(include_str!("../sql/marker_counters.sql"), &[]).await?, 0)
}

/// Hash over every object of an inventory and over which server it is.
pub async fn catalogs(session: &Session, objects: &[CatalogObject]) -> Result<String> {
    let row = session.one(include_str!("../sql/marker_identity.sql"), &[]).await?;
    let (how, started, database): (String, String, String) = (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
    let server: String = if how == "control" {
        let sql = "SELECT concat_ws(' ', s.system_identifier, c.timeline_id) \
                   FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c";
        get(&session.one(sql, &[]).await?, 0)?
    } else {
        started
    };
    let mut hash = Sha256::new();
    // Lengths keep two fields from running into one another.
    let mut field = |text: Option<&str>| {
        hash.update(text.map_or(u64::MAX, |t| t.len() as u64).to_le_bytes());
        hash.update(text.unwrap_or_default());
    };
    field(Some(&server));
    field(Some(&database));
    for object in objects {
        field(Some(object.kind.word()));
        field(object.schema.as_deref());
        field(Some(&object.identity));
        field(Some(&object.definition));
        field(object.owner.as_deref());
        field(object.extension.as_deref());
    }
    Ok(hex(&hash.finalize()))
}

/// Compares the marker of a snapshot with the marker of now, on a plain session (outside any transaction).
pub async fn unchanged(session: &Session, old: &ChangeMarker, new: &ChangeMarker) -> Result<Verdict> {
    if let Some(reason) = differs(old, new) {
        return Ok(Verdict::Changed(reason.to_string()));
    }
    if nothing_committed(&old.transaction_horizon, &new.transaction_horizon) {
        return Ok(Verdict::Unchanged);
    }
    // Transactions ended since, perhaps in another database. Who is busy is asked first, the counters after it.
    let doubt = distrust(session).await?;
    if counters(session).await? != old.counters_sha256 {
        return Ok(Verdict::Changed("rows were written, or a table was truncated or rewritten".to_string()));
    }
    Ok(doubt.map_or(Verdict::Uncounted, Verdict::Unsure))
}

fn differs(old: &ChangeMarker, new: &ChangeMarker) -> Option<&'static str> {
    if old.settings_sha256 != new.settings_sha256 {
        return Some("the settings of the snapshot are different");
    }
    if old.files_sha256 != new.files_sha256 {
        return Some("files of the project or of the storage are different");
    }
    (old.catalogs_sha256 != new.catalogs_sha256)
        .then_some("an object, a privilege, a role, a setting or a sequence is different")
}

/// No transaction has ended since `old`, in any database of the server: every id below `xmax` had ended already.
pub fn nothing_committed(old: &str, new: &str) -> bool {
    match (bounds(old), bounds(new)) {
        (Some((old_min, old_max)), Some((_, new_max))) => old_min == old_max && old_max == new_max,
        _ => false,
    }
}

/// The oldest transaction that had not ended at a horizon, and the next one to come.
pub(super) fn bounds(horizon: &str) -> Option<(u64, u64)> {
    let mut parts = horizon.splitn(3, ':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Why equal counters would prove nothing, if they would not.
async fn distrust(session: &Session) -> Result<Option<String>> {
    let trust = trust(session).await?;
    Ok(trust.doubt.or_else(|| others(trust.busy)))
}

/// The same about tables that have a mark: the launcher of pg_cron writes to none of them.
pub(super) async fn distrust_of_marked(session: &Session) -> Result<Option<String>> {
    let trust = trust(session).await?;
    Ok(trust.doubt.or_else(|| others(trust.busy - trust.launchers)))
}

fn others(busy: i64) -> Option<String> {
    let why = "other sessions are busy, were so within 11 seconds, or cannot be seen by this role";
    (busy > 0).then(|| format!("{busy} {why}"))
}

/// Why this server's counters do not tell every write, if they do not; whoever may be writing.
pub(super) async fn counting(session: &Session) -> Result<Option<String>> {
    Ok(trust(session).await?.doubt)
}

struct Trust {
    /// Why this server's counters do not tell every write.
    doubt: Option<String>,
    /// Sessions that may hold counts back.
    busy: i64,
    /// Those of them that are launchers of pg_cron.
    launchers: i64,
}

async fn trust(session: &Session) -> Result<Trust> {
    session.execute("SELECT pg_catalog.pg_stat_clear_snapshot()").await?;
    let rows = query(session, include_str!("../sql/marker_trust.sql")).await?;
    let Some(row) = rows.first() else {
        return Ok(Trust { doubt: Some("the server does not tell its state".to_string()), busy: 0, launchers: 0 });
    };
    let (standby, counting): (bool, bool) = (get(row, 0)?, get(row, 1)?);
    let doubt = if session.version_num < 150_000 {
        Some("before PostgreSQL 15 write counters arrive late")
    } else if standby {
        Some("a standby does not count what it replays")
    } else if !counting {
        Some("track_counts is off somewhere")
    } else {
        None
    };
    Ok(Trust { doubt: doubt.map(str::to_string), busy: get(row, 2)?, launchers: get(row, 3)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_proves_only_with_nothing_in_progress() {
        assert!(nothing_committed("100:100:", "100:100:"));
        // 100 began after the first look and has not ended: nothing of it can be seen.
        assert!(nothing_committed("100:100:", "100:100:"));
        assert!(!nothing_committed("98:100:98", "100:100:"));
        assert!(!nothing_committed("98:100:98", "98:100:98"));
        assert!(!nothing_committed("100:100:", "101:101:"));
        assert!(!nothing_committed("", ""));
        assert!(!nothing_committed("nonsense", "nonsense"));
    }
}
