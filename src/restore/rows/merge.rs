//! Loads rows into an existing table: emptied first, loaded through a staging table where columns differ, or merged.
//!
//! Invariant: nothing cascades and no trigger fires (the session is in replica role, R37 and R38). A column that the
//! target lacks may be left out only if it is NULL in every row of the snapshot. Generated columns are never written
//! (R9).

use std::collections::BTreeSet;

use super::load::{LoadTask, Loaded, load_one};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, ident, literal, visible};
use crate::pg::catalog::own_rows;
use crate::restore::sql::runner::Runner;

const STAGE: &str = "stacksnap_stage";

/// Empties one table. Uses `DELETE` if a foreign key refers to it: in replica role it does not cascade. Rows that an
/// extension's script inserts stay: no snapshot has them.
pub async fn empty(runner: &Runner<'_>, table: &QualifiedName) -> Result<()> {
    let what = format!("empty {}", visible(&table.plain()));
    if let Some(condition) = own_rows::condition(runner.session, table).await? {
        return runner.run(&what, &format!("DELETE FROM ONLY {} {condition}", table.sql())).await;
    }
    let referred = format!(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = {}::pg_catalog.regclass \
         AND conrelid <> confrelid) OR NOT pg_catalog.has_table_privilege({}::pg_catalog.regclass, 'TRUNCATE')",
        literal(&table.sql()),
        literal(&table.sql())
    );
    let row = runner.session.one(&referred, &[]).await?;
    let referred: bool = row.try_get(0).unwrap_or(true);
    if !referred && runner.attempt(&what, &format!("TRUNCATE ONLY {}", table.sql())).await?.is_none() {
        return Ok(());
    }
    runner.run(&what, &format!("DELETE FROM ONLY {}", table.sql())).await
}

/// Loads an empty table; through a staging table if the target lacks columns.
pub async fn fill(runner: &Runner<'_>, task: &LoadTask, progress: &(dyn Fn(u64) + Sync)) -> Result<Loaded> {
    // R31: an empty table that this role may not write is no error.
    if task.rows == 0 {
        return Ok(Loaded::default());
    }
    let there = columns(runner, &task.table).await?;
    if task.columns.iter().all(|c| there.contains(c)) {
        return load_one(runner.session, task, runner.cancel, progress).await;
    }
    Ok(staged(runner, task, &there, "", progress).await?.0)
}

/// Adds the rows that the target does not have, and keeps the target's rows (R36). Also returns the number of snapshot
/// rows that were refused because a row with another key conflicts.
pub async fn keep(runner: &Runner<'_>, task: &LoadTask, progress: &(dyn Fn(u64) + Sync)) -> Result<(Loaded, u64)> {
    if task.rows == 0 {
        return Ok((Loaded::default(), 0));
    }
    let there = columns(runner, &task.table).await?;
    staged(runner, task, &there, " ON CONFLICT DO NOTHING", progress).await
}

/// Disables triggers that fire in replica role too, before rows are written (R37). Returns the statements that enable
/// them.
pub async fn silence(runner: &Runner<'_>, table: &QualifiedName) -> Result<Vec<String>> {
    let sql = "SELECT pg_catalog.quote_ident(tgname), tgenabled = 'A' FROM pg_catalog.pg_trigger \
               WHERE tgrelid = pg_catalog.to_regclass($1) AND NOT tgisinternal AND tgenabled IN ('A', 'R')";
    let mut wake = Vec::new();
    for row in runner.session.rows(sql, &[&table.sql()]).await? {
        let (name, always): (String, bool) =
            (row.try_get(0).map_err(anyhow::Error::new)?, row.try_get(1).map_err(anyhow::Error::new)?);
        let what = format!("trigger {} of {}", visible(&name), visible(&table.plain()));
        runner.run(&what, &format!("ALTER TABLE {} DISABLE TRIGGER {name}", table.sql())).await?;
        let word = if always { "ALWAYS" } else { "REPLICA" };
        wake.push(format!("ALTER TABLE {} ENABLE {word} TRIGGER {name}", table.sql()));
    }
    Ok(wake)
}

/// Enables the triggers in their old mode.
pub async fn wake(runner: &Runner<'_>, statements: &[String]) -> Result<()> {
    for sql in statements {
        runner.run("enable a trigger again", sql).await?;
    }
    Ok(())
}

/// Deletes rows of `auth` and `storage` whose parent was kept out: foreign keys are not checked while rows are loaded
/// (R30).
pub async fn drop_orphans(runner: &Runner<'_>) -> Result<()> {
    runner.run("rows without their parent", include_str!("../sql/drop_orphans.sql")).await
}

/// The writable columns of a table.
async fn columns(runner: &Runner<'_>, table: &QualifiedName) -> Result<BTreeSet<String>> {
    let sql = "SELECT attname::pg_catalog.text FROM pg_catalog.pg_attribute WHERE attrelid = \
               pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''";
    let rows = runner.session.rows(sql, &[&table.sql()]).await?;
    Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
}

async fn staged(
    runner: &Runner<'_>,
    task: &LoadTask,
    there: &BTreeSet<String>,
    conflict: &str,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Loaded, u64)> {
    let name = visible(&task.table.plain());
    let (known, unknown): (Vec<&String>, Vec<&String>) = task.columns.iter().partition(|c| there.contains(*c));
    let list = |columns: &[&String]| columns.iter().map(|c| ident(c)).collect::<Vec<_>>().join(", ");
    let stage = format!("pg_temp.{STAGE}");
    let typed: Vec<String> = unknown.iter().map(|c| format!("NULL::pg_catalog.text AS {}", ident(c))).collect();
    let select = [list(&known), typed.join(", ")].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ");
    let make = format!(
        "DROP TABLE IF EXISTS {stage}; CREATE TEMP TABLE {STAGE} ON COMMIT DROP AS SELECT {select} FROM ONLY {} WHERE false",
        task.table.sql()
    );
    runner.run(&format!("stage for {name}"), &make).await?;
    let to_stage = LoadTask { table: QualifiedName::new("pg_temp", STAGE), ..task.clone() };
    load_one(runner.session, &to_stage, runner.cancel, progress).await?;
    for column in &unknown {
        let sql = format!("SELECT pg_catalog.count(*) FROM {stage} WHERE {} IS NOT NULL", ident(column));
        let filled: i64 = runner.session.one(&sql, &[]).await?.try_get(0).unwrap_or(1);
        if filled > 0 {
            let text = format!(
                "{name} of the target has no column {}, and {filled} rows of the snapshot have a value for it",
                visible(column)
            );
            return Err(Failure::msg(FailureKind::Failed, text)
                .hint("update the platform's services on the target to the source's version, then restore again"));
        }
    }
    let insert = format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {stage}{conflict}",
        task.table.sql(),
        list(&known),
        list(&known)
    );
    let before = count(runner, &task.table).await?;
    runner.run(&format!("rows of {name}"), &insert).await?;
    let after = count(runner, &task.table).await?;
    let left = if conflict.is_empty() { 0 } else { kept_out(runner, task, &stage).await? };
    runner.run(&format!("stage for {name}"), &format!("DROP TABLE {stage}")).await?;
    Ok((Loaded { rows: after.saturating_sub(before), bytes: task.bytes_raw }, left))
}

/// Staged rows whose primary key the target does not have.
async fn kept_out(runner: &Runner<'_>, task: &LoadTask, stage: &str) -> Result<u64> {
    let sql = "SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a \
               ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
               WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisprimary";
    let rows = runner.session.rows(sql, &[&task.table.sql()]).await?;
    let key: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    if key.is_empty() {
        return Ok(0);
    }
    let equal: Vec<String> = key.iter().map(|c| format!("t.{0} = s.{0}", ident(c))).collect();
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM {stage} s WHERE NOT EXISTS (SELECT FROM ONLY {} t WHERE {})",
        task.table.sql(),
        equal.join(" AND ")
    );
    Ok(runner.session.one(&sql, &[]).await?.try_get::<_, i64>(0).unwrap_or(0).unsigned_abs())
}

async fn count(runner: &Runner<'_>, table: &QualifiedName) -> Result<u64> {
    let row = runner.session.one(&format!("SELECT pg_catalog.count(*) FROM ONLY {}", table.sql()), &[]).await?;
    Ok(row.try_get::<_, i64>(0).unwrap_or(0).unsigned_abs())
}
