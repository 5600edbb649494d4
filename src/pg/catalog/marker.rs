//! Detects whether anything changed since the last snapshot, from transaction IDs, catalogs and write counters.
//!
//! Invariant: it never says `Unchanged` if a change could have gone unnoticed; in doubt it says `Unsure`, and a
//! snapshot is taken. The stored marker depends on the order of reads: counters are read BEFORE the snapshot is
//! exported, the horizon is the snapshot's own, and the inventory (with the non-transactional sequence values) is read
//! before pg_dump starts. So a change in between causes a false alarm, but is never missed.

use sha2::{Digest, Sha256};

use super::{NO_JIT, get, inventory, query};
use crate::model::failure::Result;
use crate::model::hex::hex;
use crate::model::inventory::CatalogObject;
use crate::model::manifest::ChangeMarker;
use crate::pg::session::Session;

/// The result of comparing two markers. The reasons are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Unchanged,
    /// Transactions ended since then, perhaps in another database, and none that counts its writes wrote here. A
    /// superuser can switch the counting off for a session, so the transaction IDs of the rows must be checked too
    /// (`row_ages`).
    Uncounted,
    Changed(String),
    /// It cannot be determined: take the snapshot.
    Unsure(String),
}

/// The current marker, read on a plain session. `files_sha256` and `settings_sha256` are the caller's hashes.
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

/// `pg_current_snapshot()`: `xmin:xmax:in-progress`. For a marker that is stored, use the exported snapshot's own.
pub async fn horizon(session: &Session) -> Result<String> {
    let function = if session.version_num >= 130_000 { "pg_current_snapshot" } else { "txid_current_snapshot" };
    get(&session.one(&format!("SELECT pg_catalog.{function}()::text"), &[]).await?, 0)
}

/// Hash over the write counters and filenodes of all tables. Reads current values, regardless of the snapshot.
pub async fn counters(session: &Session) -> Result<String> {
    session.execute(&format!("{NO_JIT}; SELECT pg_catalog.pg_stat_clear_snapshot()")).await?;
    get(&session.one(include_str!("../sql/marker_counters.sql"), &[]).await?, 0)
}

/// Hash over all objects of an inventory and the identity of the server.
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
    // Length prefixes keep adjacent fields apart.
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

/// Compares a snapshot's marker with the current one, on a plain session (outside any transaction).
pub async fn unchanged(session: &Session, old: &ChangeMarker, new: &ChangeMarker) -> Result<Verdict> {
    if let Some(reason) = differs(old, new) {
        return Ok(Verdict::Changed(reason.to_string()));
    }
    if nothing_committed(&old.transaction_horizon, &new.transaction_horizon) {
        return Ok(Verdict::Unchanged);
    }
    // Transactions ended since then, perhaps in another database. Check for busy sessions first, then read the
    // counters.
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
        return Some("files of the project or of the storage folder are different");
    }
    (old.catalogs_sha256 != new.catalogs_sha256)
        .then_some("an object, a privilege, a role, a setting or a sequence is different")
}

/// True if no transaction has ended since `old` in any database of the server: all IDs below `xmax` had already ended.
pub fn nothing_committed(old: &str, new: &str) -> bool {
    match (bounds(old), bounds(new)) {
        (Some((old_min, old_max)), Some((_, new_max))) => old_min == old_max && old_max == new_max,
        _ => false,
    }
}

/// `xmin` and `xmax` of a horizon: the oldest transaction in progress, and the next ID to assign.
pub(super) fn bounds(horizon: &str) -> Option<(u64, u64)> {
    let mut parts = horizon.splitn(3, ':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Why equal counters would prove nothing, if so.
async fn distrust(session: &Session) -> Result<Option<String>> {
    let trust = trust(session).await?;
    Ok(trust.doubt.or_else(|| others(trust.busy)))
}

/// The same for tables that have a mark: the launcher of pg_cron does not write to any of them.
pub(super) async fn distrust_of_marked(session: &Session) -> Result<Option<String>> {
    let trust = trust(session).await?;
    Ok(trust.doubt.or_else(|| others(trust.busy - trust.launchers)))
}

fn others(busy: i64) -> Option<String> {
    let why = "other sessions are busy, were busy within the last 11 seconds, or are not visible to this role";
    (busy > 0).then(|| format!("{busy} {why}"))
}

/// Why this server's counters miss writes, if they do. Ignores which sessions are busy.
pub(super) async fn counting(session: &Session) -> Result<Option<String>> {
    Ok(trust(session).await?.doubt)
}

struct Trust {
    /// Why this server's counters miss writes, if they do.
    doubt: Option<String>,
    /// Sessions that may not have reported their counts yet.
    busy: i64,
    /// How many of them are launchers of pg_cron.
    launchers: i64,
}

async fn trust(session: &Session) -> Result<Trust> {
    session.execute("SELECT pg_catalog.pg_stat_clear_snapshot()").await?;
    let rows = query(session, include_str!("../sql/marker_trust.sql")).await?;
    let Some(row) = rows.first() else {
        return Ok(Trust { doubt: Some("the server does not report its state".to_string()), busy: 0, launchers: 0 });
    };
    let (standby, counting): (bool, bool) = (get(row, 0)?, get(row, 1)?);
    let doubt = if session.version_num < 150_000 {
        Some("before PostgreSQL 15 write counters are delayed")
    } else if standby {
        Some("a standby does not count replayed writes")
    } else if !counting {
        Some("track_counts is off for some role or database")
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
        // Transaction 100 may have started since, but it has not ended: its writes are not visible.
        assert!(nothing_committed("100:100:", "100:100:"));
        assert!(!nothing_committed("98:100:98", "100:100:"));
        assert!(!nothing_committed("98:100:98", "98:100:98"));
        assert!(!nothing_committed("100:100:", "101:101:"));
        assert!(!nothing_committed("", ""));
        assert!(!nothing_committed("nonsense", "nonsense"));
    }
}
