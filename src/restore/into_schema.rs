//! Copies tables into a separate schema (`--into-schema`): to look at, to compare, to take rows from.
//!
//! Invariant: existing objects are not touched: a missing schema is created, an existing table is refused. A copy has
//! the snapshot's columns and rows, without defaults, keys, triggers and policies. Row security is enabled and only the
//! owner has privileges. One transaction, all or nothing.

use std::collections::BTreeSet;

use super::execute::BEGIN_PLAIN;
use super::objects::attributes::close;
use super::rows::load::{LoadTask, load_one};
use super::rows::tables::{load_task, relation_exists};
use super::sql::runner::Runner;
use super::target::state::{Examined, examine, refuse_changed};
use super::{Done, Engine};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::load_reason::LoadReason;
use crate::model::manifest::{FORMAT, TableRecord};
use crate::model::name::{QualifiedName, ident, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{ConfirmedPlan, ObjectName, RestorePlan, TableLoad};
use crate::monitor::{Event, Phase, millis};
use crate::pg::session::Session;

/// One copy: the snapshot's table, and the name of the copy.
pub struct Copy<'a> {
    pub record: &'a TableRecord,
    pub to: QualifiedName,
}

/// The requested copies.
///
/// # Errors
/// `NotFound`: the snapshot has no rows of a table. `Usage`: two tables would get the same name.
pub fn copies<'a>(engine: &Engine<'a>, schema: &str) -> Result<Vec<Copy<'a>>> {
    let mut names = BTreeSet::new();
    let mut copies = Vec::new();
    for table in &engine.request.tables {
        let record = engine.source.manifest.tables.iter().find(|t| t.name == *table && t.data_file.is_some());
        let Some(record) = record else {
            let text = format!("the snapshot does not hold the rows of {}", visible(&table.plain()));
            return Err(Failure::msg(FailureKind::NotFound, text)
                .hint("see its tables: stacksnap show SNAPSHOT; quote a name that contains a dot: '\"a.b\".t'"));
        };
        if !names.insert(&record.name.name) {
            let text = format!("two of the tables have the name {}: one schema cannot hold both", visible(&table.name));
            return Err(Failure::msg(FailureKind::Usage, text).hint("copy them one after the other, into two schemas"));
        }
        copies.push(Copy { record, to: QualifiedName::new(schema, &record.name.name) });
    }
    Ok(copies)
}

/// Makes the plan. Writes nothing.
pub async fn plan(engine: &Engine<'_>, schema: &str) -> Result<RestorePlan> {
    let clock = std::time::Instant::now();
    engine.monitor.event(Event::PhaseStarted { phase: Phase::Plan, bytes_total: None });
    let copies = copies(engine, schema)?;
    let (session, examined) = examine(engine).await?;
    let create = objects_to_create(&session, schema, &copies).await?;
    let load: Vec<TableLoad> = copies.iter().map(load_of).collect();
    let summary = format!("{} tables to copy", load.len());
    let plan = RestorePlan {
        format: FORMAT,
        snapshot: engine.source.manifest.id.to_string(),
        manifest_sha256: engine.source.manifest.manifest_sha256.clone(),
        one_transaction: true,
        only: Vec::new(),
        drop: Vec::new(),
        replace: Vec::new(),
        estimated_ms: 500 + load.iter().map(|l| l.bytes_raw / 40_000).sum::<u64>(),
        load,
        tables_equal: 0,
        tables_vouched: 0,
        leave_out: Vec::new(),
        exceptions: Vec::new(),
        manual: vec![format!("when you no longer need the copies: {}", removal(schema, &create))],
        create,
        digest: String::new(),
        target: examined.facts,
    };
    engine.monitor.event(Event::PhaseEnded { phase: Phase::Plan, summary, duration_ms: millis(clock.elapsed()) });
    Ok(plan.sealed())
}

/// The statement that removes the copies and nothing else. An existing schema may hold other tables.
fn removal(schema: &str, create: &[ObjectName]) -> String {
    if create.iter().any(|o| o.kind == ObjectKind::Schema) {
        return format!("DROP SCHEMA {} CASCADE", ident(schema));
    }
    let tables: Vec<&str> = create.iter().map(|o| o.identity.as_str()).collect();
    format!("DROP TABLE {}", tables.join(", "))
}

fn load_of(copy: &Copy<'_>) -> TableLoad {
    TableLoad {
        table: copy.to.clone(),
        rows: copy.record.rows,
        bytes_raw: copy.record.bytes_raw,
        reason: LoadReason::CopyOf { table: copy.record.name.plain() },
    }
}

/// What to create: the schema if it is missing, and the tables. An existing table is refused.
async fn objects_to_create(session: &Session, schema: &str, copies: &[Copy<'_>]) -> Result<Vec<ObjectName>> {
    let object = |kind: ObjectKind, identity: String| ObjectName { kind, identity };
    let mut make = Vec::new();
    let sql = "SELECT pg_catalog.to_regnamespace($1) IS NOT NULL";
    if !session.one(sql, &[&ident(schema)]).await?.try_get(0).unwrap_or(false) {
        make.push(object(ObjectKind::Schema, ident(schema)));
    }
    for copy in copies {
        if relation_exists(session, &copy.to).await? {
            let text = format!(
                "{} exists already, and --into-schema does not touch existing tables",
                visible(&copy.to.plain())
            );
            return Err(Failure::msg(FailureKind::NotConfirmed, text).hint("name another schema: --into-schema"));
        }
        make.push(object(ObjectKind::Table, copy.to.sql()));
    }
    Ok(make)
}

/// Creates and fills the copies.
pub async fn execute(engine: &Engine<'_>, confirmed: &ConfirmedPlan, schema: &str) -> Result<Done> {
    let copies = copies(engine, schema)?;
    let (session, examined) = examine(engine).await?;
    refuse_changed(&examined, confirmed.plan())?;
    let runner = Runner::new(&session, engine.cancel);
    runner.run("begin", BEGIN_PLAIN).await?;
    let worked = fill(engine, &runner, schema, &copies, &examined).await;
    let ended = if worked.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let closed = session.execute(ended).await;
    let (rows_loaded, bytes_loaded) =
        worked.map_err(|f| f.hint("the transaction was rolled back: nothing of it remains"))?;
    closed?;
    let statements = runner.statements();
    Ok(Done { statements, rows_loaded, bytes_loaded, scope: Some(examined.scope), ..Done::default() })
}

async fn fill(
    engine: &Engine<'_>,
    runner: &Runner<'_>,
    schema: &str,
    copies: &[Copy<'_>],
    examined: &Examined,
) -> Result<(u64, u64)> {
    let make = objects_to_create(runner.session, schema, copies).await?;
    if make.iter().any(|o| o.kind == ObjectKind::Schema) {
        runner.run("schema of the copies", &format!("CREATE SCHEMA {}", ident(schema))).await?;
    }
    let (mut rows, mut bytes) = (0, 0);
    for copy in copies {
        let what = format!("copy of {}", visible(&copy.record.name.plain()));
        runner.run(&what, &definition(engine, copy)?).await?;
        runner.run(&what, &close(&copy.to.sql())).await?;
        runner.run(&what, &format!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY", copy.to.sql())).await?;
        let task = LoadTask { table: copy.to.clone(), ..load_task(engine.source, copy.record) };
        let loaded = load_one(runner.session, &task, engine.cancel, &|_| {}).await?;
        (rows, bytes) = (rows + loaded.rows, bytes + loaded.bytes);
        let table = visible(&copy.to.plain());
        engine.monitor.event(Event::TableEnded { table, rows: loaded.rows, bytes: loaded.bytes });
    }
    engine.monitor.note(format!("{rows} rows copied into {}", visible(&examined.facts.database)));
    Ok((rows, bytes))
}

/// `CREATE TABLE` with the columns and types as the snapshot's server wrote them.
fn definition(engine: &Engine<'_>, copy: &Copy<'_>) -> Result<String> {
    let facts = engine.source.inventory.table(&copy.record.name);
    let columns = copy.record.columns.iter().map(|name| {
        let column = facts.and_then(|f| f.columns.iter().find(|c| c.name == *name));
        column.map(|c| format!("{} {}", ident(name), c.type_name))
    });
    let columns: Option<Vec<String>> = columns.collect();
    let columns = columns.ok_or_else(|| {
        let text = format!("the inventory has no columns of {}", visible(&copy.record.name.plain()));
        Failure::msg(FailureKind::Integrity, text).hint("check the snapshot: stacksnap verify")
    })?;
    Ok(format!("CREATE TABLE {} ({})", copy.to.sql(), columns.join(", ")))
}
