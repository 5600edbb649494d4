//! Rows into a table that is there: emptied first, filled through a stage where columns differ, or merged.
//!
//! Invariant: nothing cascades and no trigger fires (the session is in replica role, R37 and R38); columns that the
//! target lacks may only be left out when the snapshot has nothing in them; generated columns are never written (R9).

use std::collections::BTreeSet;

use super::load::{LoadTask, Loaded};
use super::runner::Runner;
use super::tables::load_plain;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, ident, literal, visible};

const STAGE: &str = "stacksnap_stage";

/// Empties one table. `DELETE` where something refers to it: in replica role it takes nothing along.
pub async fn empty(runner: &Runner<'_>, table: &QualifiedName) -> Result<()> {
    let what = format!("empty {}", visible(&table.plain()));
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

/// Fills a table that is empty. Where the target lacks columns, through a stage.
pub async fn fill(runner: &Runner<'_>, task: &LoadTask, progress: &(dyn Fn(u64) + Sync)) -> Result<Loaded> {
    // R31: an empty table that this role may not write is no reason to fail.
    if task.rows == 0 {
        return Ok(Loaded::default());
    }
    let there = columns(runner, &task.table).await?;
    if task.columns.iter().all(|c| there.contains(c)) {
        return load_plain(runner, task, progress).await;
    }
    staged(runner, task, &there, "", progress).await
}

/// Adds the rows that the target does not have, and leaves its own as they are (R36).
pub async fn keep(runner: &Runner<'_>, task: &LoadTask, progress: &(dyn Fn(u64) + Sync)) -> Result<Loaded> {
    if task.rows == 0 {
        return Ok(Loaded::default());
    }
    let there = columns(runner, &task.table).await?;
    staged(runner, task, &there, " ON CONFLICT DO NOTHING", progress).await
}

/// Columns of a table that can be written.
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
) -> Result<Loaded> {
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
    load_plain(runner, &to_stage, progress).await?;
    for column in &unknown {
        let sql = format!("SELECT pg_catalog.count(*) FROM {stage} WHERE {} IS NOT NULL", ident(column));
        let filled: i64 = runner.session.one(&sql, &[]).await?.try_get(0).unwrap_or(1);
        if filled > 0 {
            let text = format!(
                "{name} of the target has no column {}, and {filled} rows of the snapshot fill it",
                visible(column)
            );
            return Err(Failure::msg(FailureKind::Failed, text)
                .hint("bring the platform's services on the target to the version of the source, then restore again"));
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
    runner.run(&format!("stage for {name}"), &format!("DROP TABLE {stage}")).await?;
    Ok(Loaded { rows: after.saturating_sub(before), bytes: task.bytes_raw })
}

async fn count(runner: &Runner<'_>, table: &QualifiedName) -> Result<u64> {
    let row = runner.session.one(&format!("SELECT pg_catalog.count(*) FROM ONLY {}", table.sql()), &[]).await?;
    Ok(row.try_get::<_, i64>(0).unwrap_or(0).unsigned_abs())
}
