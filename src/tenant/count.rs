//! How many rows of each table have an owner, which tenant has how many, and why the others have none.
//!
//! Invariant: one pass a table with its owners, whatever the number of tenants, and a plain count beside it: both have to
//! agree, else the labelling is wrong and that is an error. What was read is one instant: the caller's transaction.

use serde::Serialize;

use super::sql::{Labelled, OwnerSql};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, ident, visible};
use crate::model::relations::{Relation, Relations};
use crate::model::tenancy::{Class, Tenancy};
use crate::pg::session::{Row, Session};

/// Rows without an owner, by the cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unowned {
    /// What would say the owner is empty.
    pub null_reference: u64,
    /// It names a row that is not there.
    pub dangling: u64,
    /// It names a row that has no owner itself.
    pub parent_unowned: u64,
    /// It names a tenant that is not there.
    pub unknown_tenant: u64,
}

impl Unowned {
    pub fn sum(self) -> u64 {
        self.null_reference + self.dangling + self.parent_unowned + self.unknown_tenant
    }
}

/// One table in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableCount {
    pub table: QualifiedName,
    pub class: Class,
    pub total: u64,
    pub owned: u64,
    pub unowned: Unowned,
    /// How many tenants have rows in it.
    pub tenants: u64,
    /// Rows that go round a circle to several tenants: they belong to the first in the order of bytes.
    pub conflicts: u64,
    /// Rows that point into another tenant, by the number of the reference in `Tenancy::references`.
    #[serde(skip)]
    pub leaks: Vec<(usize, u64)>,
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    pub id: String,
    pub label: Option<String>,
}

/// The query that lists tenants: `id`, `label`, as texts. None: every value of the tenant columns is one.
pub async fn tenants_sql(session: &Session, tenancy: &Tenancy, tenants_query: Option<&str>) -> Result<Option<String>> {
    let root = &tenancy.root;
    if let (Some(table), Some(key)) = (&root.table, &root.key) {
        let label = root.label.as_ref().map_or_else(|| "NULL".to_string(), |label| format!("t.{}", ident(label)));
        let from = tenancy.table(table).map_or_else(|| table.sql(), |t| t.table.sql());
        return Ok(Some(format!(
            "SELECT t.{}::pg_catalog.text AS id, {label}::pg_catalog.text AS label FROM {from} t",
            ident(key)
        )));
    }
    let Some(query) = tenants_query.map(|query| query.trim().trim_end_matches(';')) else { return Ok(None) };
    // Prepared alone: what holds several statements is refused there.
    let columns = match session.client().prepare(query).await {
        Ok(statement) => statement.columns().len(),
        Err(error) => {
            let failure = session.failure(error, query).context("tenants_query cannot be run");
            return Err(Failure { kind: FailureKind::Configuration, ..failure }
                .hint("write one SELECT of id and label, with schemas: select id, name from public.clients"));
        }
    };
    let names = match columns {
        1 => "(id)",
        2 => "(id, label)",
        _ => {
            let text = format!("tenants_query gives {columns} columns");
            return Err(Failure::msg(FailureKind::Configuration, text)
                .hint("select the id, and the label after it if there is one"));
        }
    };
    let label = if columns == 2 { "max(q.label::pg_catalog.text)" } else { "NULL::pg_catalog.text" };
    Ok(Some(format!(
        "SELECT q.id::pg_catalog.text AS id, {label} AS label FROM ({query}\n) q {names} WHERE q.id IS NOT NULL GROUP BY q.id::pg_catalog.text"
    )))
}

/// Counts one table.
pub async fn count(
    session: &Session,
    relations: &Relations,
    tenancy: &Tenancy,
    table: &QualifiedName,
    tenants: Option<&str>,
) -> Result<TableCount> {
    let (Some(relation), Some(decided)) = (relations.table(table), tenancy.table(table)) else {
        return Err(Failure::msg(FailureKind::Failed, format!("there is no table {}", visible(&table.plain()))));
    };
    let total = session.one(&format!("SELECT count(*) FROM {} t", relation.from_sql()), &[]).await?;
    let mut found = TableCount {
        table: table.clone(),
        class: decided.class,
        total: number(&total, 0)?,
        owned: 0,
        unowned: Unowned::default(),
        tenants: 0,
        conflicts: 0,
        leaks: Vec::new(),
    };
    let Some(labelled) = OwnerSql::of(relations, tenancy, table) else { return Ok(found) };
    let checked: Vec<usize> = labelled.joined.iter().filter(|j| j.checked).map(|j| j.reference).collect();
    let row = session.one(&count_sql(&labelled, tenants), &[]).await?;
    found.owned = number(&row, 0)?;
    found.tenants = number(&row, 1)?;
    found.unowned.unknown_tenant = number(&row, 2)?;
    found.unowned.dangling = number(&row, 3)?;
    found.unowned.parent_unowned = number(&row, 4)?;
    found.unowned.null_reference = number(&row, 5)?;
    found.conflicts = number(&row, 6)?;
    for (at, reference) in checked.into_iter().enumerate() {
        let rows = number(&row, 7 + at)?;
        if rows > 0 {
            found.leaks.push((reference, rows));
        }
    }
    prove(&found)?;
    Ok(found)
}

/// The sum of all tenants and what has no owner is the table.
fn prove(found: &TableCount) -> Result<()> {
    let counted = found.owned + found.unowned.sum();
    if counted == found.total {
        return Ok(());
    }
    let text = format!(
        "{} has {} rows, and {counted} were counted with their owners: its references do not lead to one row each",
        visible(&found.table.plain()),
        found.total
    );
    Err(Failure::msg(FailureKind::Integrity, text)
        .hint("a unique index may be damaged: REINDEX the tables that it refers to"))
}

fn number(row: &Row, at: usize) -> Result<u64> {
    let value: i64 = row.try_get(at).map_err(anyhow::Error::new)?;
    Ok(value.unsigned_abs())
}

/// Each row's owner, and what is wrong with it.
fn rows_sql(labelled: &Labelled) -> String {
    let deciding: Vec<_> = labelled.joined.iter().filter(|j| j.decides).collect();
    let any = |parts: Vec<String>| if parts.is_empty() { "false".to_string() } else { parts.join(" OR ") };
    let dangling = any(deciding.iter().map(|j| format!("({} AND {}.hit IS NULL)", j.filled, j.alias)).collect());
    let hit = any(deciding.iter().map(|j| format!("{}.hit", j.alias)).collect());
    let conflict = labelled.conflict.as_deref().unwrap_or("false");
    let checks = labelled.joined.iter().filter(|j| j.checked);
    let leaks: String = checks.map(|j| format!(", {}.own AS f{}", j.alias, j.reference)).collect();
    format!(
        "SELECT {} AS own, ({dangling}) AS dangling, ({hit}) AS hit, {conflict} AS several{leaks} FROM {}",
        labelled.owner, labelled.from
    )
}

fn count_sql(labelled: &Labelled, tenants: Option<&str>) -> String {
    let checked: Vec<usize> = labelled.joined.iter().filter(|j| j.checked).map(|j| j.reference).collect();
    let inner: String = checked.iter().map(|r| format!(", count(*) FILTER (WHERE q.f{r} <> q.own) AS f{r}")).collect();
    let outer: String = checked.iter().map(|r| format!(", coalesce(sum(g.f{r}), 0)::pg_catalog.int8")).collect();
    let (known, join) = match tenants {
        Some(query) => ("n.id IS NOT NULL", format!(" LEFT JOIN ({query}) n ON n.id = g.own")),
        None => ("g.own IS NOT NULL", String::new()),
    };
    let sum = |what: &str, filter: &str| format!("coalesce(sum(g.{what}) FILTER (WHERE {filter}), 0)::pg_catalog.int8");
    format!(
        "{with}SELECT {owned}, count(*) FILTER (WHERE {known}), {unknown}, {dangling}, {parent}, {empty}, {several}{outer} FROM (\
         SELECT q.own, count(*) AS n, count(*) FILTER (WHERE q.dangling) AS dangling, \
         count(*) FILTER (WHERE q.hit AND q.dangling IS NOT TRUE) AS parent, \
         count(*) FILTER (WHERE q.hit IS NOT TRUE AND q.dangling IS NOT TRUE) AS empty, count(*) FILTER (WHERE q.several) AS several{inner} \
         FROM ({rows}) q GROUP BY q.own) g{join}",
        with = labelled.with,
        owned = sum("n", known),
        unknown = sum("n", &format!("g.own IS NOT NULL AND NOT ({known})")),
        dangling = sum("dangling", "g.own IS NULL"),
        parent = sum("parent", "g.own IS NULL"),
        empty = sum("empty", "g.own IS NULL"),
        several = sum("several", "true"),
        rows = rows_sql(labelled),
    )
}

/// Rows of one table by owner. The owners that are no tenants are among them.
pub async fn rows_by_owner(
    session: &Session,
    relations: &Relations,
    tenancy: &Tenancy,
    table: &QualifiedName,
) -> Result<Vec<(String, u64)>> {
    let Some(labelled) = OwnerSql::of(relations, tenancy, table) else { return Ok(Vec::new()) };
    let sql = format!(
        "{}SELECT q.own, count(*) FROM (SELECT {} AS own FROM {}) q WHERE q.own IS NOT NULL GROUP BY q.own",
        labelled.with, labelled.owner, labelled.from
    );
    let rows = session.rows(&sql, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0).map_err(anyhow::Error::new)?, number(row, 1)?))).collect()
}

/// Every row of a table: what names it, and its owner.
pub async fn labels(
    session: &Session,
    relations: &Relations,
    tenancy: &Tenancy,
    table: &Relation,
) -> Result<Vec<(Vec<Option<String>>, Option<String>)>> {
    let Some(labelled) = OwnerSql::of(relations, tenancy, &table.name) else { return Ok(Vec::new()) };
    let sql = format!("{}SELECT {}, {} FROM {}", labelled.with, table.row_key_sql("t"), labelled.owner, labelled.from);
    let rows = session.rows(&sql, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0).map_err(anyhow::Error::new)?, row.try_get(1).map_err(anyhow::Error::new)?)))
        .collect()
}

/// All tenants, by id.
pub async fn tenants(session: &Session, query: &str) -> Result<Vec<Tenant>> {
    let sql =
        format!("SELECT q.id, q.label FROM ({query}) q WHERE q.id IS NOT NULL ORDER BY q.id COLLATE pg_catalog.\"C\"");
    let rows = session.rows(&sql, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Tenant {
                id: row.try_get(0).map_err(anyhow::Error::new)?,
                label: row.try_get(1).map_err(anyhow::Error::new)?,
            })
        })
        .collect()
}
