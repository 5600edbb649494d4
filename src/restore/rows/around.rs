//! Loads rows that a table's own expressions refuse: without the checks, without the generated columns, or not at all.
//!
//! Invariant: each attempt runs under a savepoint and is rolled back unless all rows are loaded. An expression that
//! accepts the rows stays. A dropped check is missing afterwards, so it is created again like other missing objects; as
//! NOT VALID only if rows violate it. Only tables that may lack something come here.

use super::load::{LoadTask, Loaded};
use super::merge;
use crate::model::failure::{Failure, Result};
use crate::model::name::{QualifiedName, ident, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::ObjectName;
use crate::restore::sql::runner::Runner;

/// The outcome.
pub enum Filled {
    /// The rows are loaded. Lists tables whose generated columns are ordinary columns now.
    Rows(Loaded, Vec<ObjectName>),
    /// No attempt worked.
    Nothing,
}

/// A stored generated column.
struct Generated {
    name: String,
    expression: String,
    /// The table that the column is inherited from, ready for SQL.
    root: String,
    /// That table and all tables that inherit the column from it.
    family: Vec<String>,
}

/// Statements that drop the checks of the table and of its columns' domains. Inherited ones are dropped on the parent.
const CHECKS: &str = "WITH RECURSIVE up AS (SELECT pg_catalog.to_regclass($1)::pg_catalog.oid AS oid \
        UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid), \
    domains AS (SELECT t.oid, t.typbasetype FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
            WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND t.typtype = 'd' \
        UNION SELECT t.oid, t.typbasetype FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype AND t.typtype = 'd') \
    SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::pg_catalog.regclass, k.conname) \
    FROM up JOIN pg_catalog.pg_constraint k ON k.conrelid = up.oid \
    WHERE k.contype = 'c' AND k.coninhcount = 0 AND (NOT k.connoinherit OR up.oid = pg_catalog.to_regclass($1)) \
    UNION ALL SELECT pg_catalog.format('ALTER DOMAIN %s DROP CONSTRAINT %I', d.oid::pg_catalog.regtype, k.conname) \
    FROM domains d JOIN pg_catalog.pg_constraint k ON k.contypid = d.oid WHERE k.contype = 'c'";

const GENERATED: &str = "WITH RECURSIVE up AS (SELECT pg_catalog.to_regclass($1)::pg_catalog.oid AS oid, 0 AS far \
        UNION SELECT i.inhparent, up.far + 1 FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid), \
    columns AS (SELECT a.attname, a.attnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression, \
            (SELECT up.oid FROM up JOIN pg_catalog.pg_attribute p ON p.attrelid = up.oid AND p.attname = a.attname \
             AND p.attgenerated = 's' ORDER BY up.far DESC LIMIT 1) AS root \
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
        WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attgenerated = 's'), \
    family AS (SELECT root, root AS oid FROM columns \
        UNION SELECT f.root, i.inhrelid FROM family f JOIN pg_catalog.pg_inherits i ON i.inhparent = f.oid) \
    SELECT c.attname::pg_catalog.text, c.expression, c.root::pg_catalog.regclass::pg_catalog.text, \
        (SELECT pg_catalog.array_agg(pg_catalog.format('%I.%I', n.nspname, t.relname)) FROM family f \
         JOIN pg_catalog.pg_class t ON t.oid = f.oid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
         WHERE f.root = c.root) \
    FROM columns c ORDER BY c.attnum";

/// Loads an empty table that refused its rows.
pub async fn fill(runner: &Runner<'_>, task: &LoadTask, progress: &(dyn Fn(u64) + Sync)) -> Result<Filled> {
    let table = visible(&task.table.plain());
    let checks = checks(runner, &task.table).await?;
    let without = |statements: Vec<String>| async move {
        let what = format!("rows of {table}");
        let work = async {
            for sql in &statements {
                runner.session.execute(sql).await?;
            }
            merge::fill(runner, task, progress).await
        };
        runner.attempt_all(&what, work).await
    };
    if !checks.is_empty()
        && let Ok(loaded) = without.clone()(checks.clone()).await?
    {
        return Ok(Filled::Rows(loaded, Vec::new()));
    }
    let columns = generated(runner, &task.table).await?;
    let failing = failing(runner, task, progress, &checks, &columns).await?;
    if failing.is_empty() {
        return Ok(Filled::Nothing);
    }
    let plain = failing.iter().flat_map(|column| drop_generation(column));
    // A check that accepts the rows once the columns are plain is kept.
    for checks in [Vec::new(), checks] {
        let statements: Vec<String> = checks.into_iter().chain(plain.clone()).collect();
        if let Ok(loaded) = without.clone()(statements).await? {
            let tables = failing.iter().flat_map(|column| column.family.iter());
            let names = tables.map(|table| ObjectName { kind: ObjectKind::Table, identity: table.clone() });
            return Ok(Filled::Rows(loaded, names.collect()));
        }
    }
    Ok(Filled::Nothing)
}

/// Did the server refuse the rows themselves, instead of lacking a resource or finding a damaged snapshot?
pub fn is_refusal(failure: &Failure) -> bool {
    failure.sqlstate.is_some_and(|sqlstate| !sqlstate.is_of_the_server())
}

async fn checks(runner: &Runner<'_>, table: &QualifiedName) -> Result<Vec<String>> {
    let rows = runner.session.rows(CHECKS, &[&table.sql()]).await?;
    rows.iter().map(|row| row.try_get(0).map_err(|e| anyhow::Error::new(e).into())).collect()
}

async fn generated(runner: &Runner<'_>, table: &QualifiedName) -> Result<Vec<Generated>> {
    let rows = runner.session.rows(GENERATED, &[&table.sql()]).await?;
    let column = |row: &crate::pg::session::Row| {
        Ok(Generated {
            name: row.try_get(0).map_err(anyhow::Error::new)?,
            expression: row.try_get(1).map_err(anyhow::Error::new)?,
            root: row.try_get(2).map_err(anyhow::Error::new)?,
            family: row.try_get::<_, Option<Vec<String>>>(3).map_err(anyhow::Error::new)?.unwrap_or_default(),
        })
    };
    rows.iter().map(column).collect()
}

fn drop_generation(column: &Generated) -> [String; 2] {
    let alter = format!("ALTER TABLE {} ALTER COLUMN {}", column.root, ident(&column.name));
    [format!("{alter} DROP EXPRESSION"), format!("{alter} DROP NOT NULL")]
}

/// The generated columns that fail on some row: loads the rows without any of them, evaluates each expression, and
/// rolls everything back.
async fn failing<'c>(
    runner: &Runner<'_>,
    task: &LoadTask,
    progress: &(dyn Fn(u64) + Sync),
    checks: &[String],
    columns: &'c [Generated],
) -> Result<Vec<&'c Generated>> {
    let mut found = Vec::new();
    if columns.is_empty() {
        return Ok(found);
    }
    runner.run("trial", "SAVEPOINT stacksnap_trial").await?;
    let plain = columns.iter().flat_map(drop_generation);
    let work = async {
        for sql in checks.iter().cloned().chain(plain) {
            runner.session.execute(&sql).await?;
        }
        merge::fill(runner, task, progress).await
    };
    if runner.attempt_all("trial of rows", work).await?.is_ok() {
        for column in columns {
            let sql = format!("SELECT pg_catalog.count({}) FROM ONLY {}", column.expression, task.table.sql());
            if runner.attempt("trial of a generated column", &sql).await?.is_some() {
                found.push(column);
            }
        }
    }
    runner.run("trial", "ROLLBACK TO SAVEPOINT stacksnap_trial; RELEASE SAVEPOINT stacksnap_trial").await?;
    Ok(found)
}
