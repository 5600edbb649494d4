//! `cron_jobs.sql`: the jobs of pg_cron, with active flag, database and user. The history of their runs is not kept.
//!
//! Invariant (R14): if row security hides the jobs of other roles, the file holds the visible ones and a gap names the
//! rest.

use serde_json::{Value, json};

use super::super::context::{Collected, Context};
use super::super::do_block::do_block;
use super::super::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::gap::Gap;
use crate::model::name::visible;
use crate::pg::session::Row;
use crate::snapshot::layout::CRON_JOBS_SQL;

const WHY_ALL: &str = "take the snapshot as a superuser or a role with BYPASSRLS";

pub async fn collect(ctx: &Context<'_>, collected: &mut Collected) -> Result<()> {
    if !ctx.has_extension("pg_cron") {
        return Ok(());
    }
    let rights = ctx
        .session
        .rows(
            "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
                    pg_catalog.row_security_active(c.oid) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = 'cron' AND c.relname = 'job' AND c.relkind = 'r'",
            &[],
        )
        .await?;
    let Some(rights) = rights.first() else { return Ok(()) };
    let (readable, filtered): (bool, bool) = (rights.get(0), rights.get(1));
    if !readable {
        let what = "the jobs of pg_cron (table cron.job)";
        collected.gap(Gap::new("cron_jobs_unreadable", what, "this role may not read cron.job", WHY_ALL));
        return Ok(());
    }
    if filtered {
        let what = format!("jobs of pg_cron that do not belong to {}", visible(&ctx.abilities.user));
        let why = "row level security of cron.job shows a role only its own jobs";
        collected.gap(Gap::new("cron_jobs_of_others", what, why, WHY_ALL));
    }
    let jobs = jobs(ctx, filtered).await?;
    let mut file = SqlFile::new(&[
        "Jobs of pg_cron. A job that exists is changed only where it differs.",
        "Active jobs start as soon as they exist: run this file last.",
    ]);
    let state = json!({"database": ctx.abilities.database, "jobs": jobs, "last_jobid": last_number(ctx).await?});
    file.statement(&do_block(include_str!("../sql/cron_apply.sql"), &state));
    ctx.sink.write(CRON_JOBS_SQL, Category::ExtensionState, file.finish().as_bytes())?;
    if !jobs.is_empty() {
        collected.secret(CRON_JOBS_SQL, "commands of cron jobs, which may hold keys");
    }
    collected.count(Count::CronJobs, jobs.len() as u64);
    Ok(())
}

/// The last job id that was assigned, even if that job was deleted. `None`: this role may not read it.
async fn last_number(ctx: &Context<'_>) -> Result<Option<i64>> {
    let may = "SELECT pg_catalog.to_regclass('cron.jobid_seq') IS NOT NULL \
               AND pg_catalog.has_sequence_privilege('cron.jobid_seq', 'SELECT')";
    if !ctx.session.one(may, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    let last = "SELECT CASE WHEN is_called THEN last_value END FROM cron.jobid_seq";
    Ok(ctx.session.one(last, &[]).await?.get(0))
}

async fn jobs(ctx: &Context<'_>, filtered: bool) -> Result<Vec<Value>> {
    let see = |on: &'static str| ctx.session.execute(on);
    if filtered {
        see("SET LOCAL row_security = on").await?;
    }
    let rows = ctx.session.rows("SELECT to_jsonb(j)::text FROM cron.job j ORDER BY j.jobid", &[]).await?;
    if filtered {
        see("SET LOCAL row_security = off").await?;
    }
    let read = |row: &Row| serde_json::from_str::<Value>(row.get(0)).map_err(|e| Failure::new(FailureKind::Failed, e));
    rows.iter().map(read).collect()
}
