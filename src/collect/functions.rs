//! `rpc_functions_complete.sql`: every function, procedure, aggregate and window function in the database's own
//! schemas.
//!
//! Invariant (trap 5): bodies are the snapshot's, even if other sessions replace them meanwhile. Members of extensions
//! are not included, because CREATE EXTENSION creates them. Each function has its owner, its comment and its complete
//! ACL.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::acl::AclState;
use super::aggregate_def::AggregateRow;
use super::context::{CollectFuture, Collected, Collector, Context, Stage};
use super::function_def::FunctionRow;
use super::setting::quoted;
use super::sql_file::SqlFile;
use crate::model::category::Category;
use crate::model::count::Count;
use crate::model::failure::Result;
use crate::model::gap::Gap;
use crate::model::name::{dollar_quoted, ident};
use crate::model::platform::is_managed_schema;
use crate::snapshot::layout::FUNCTIONS_SQL;

pub const COLLECTOR: Collector =
    Collector { name: "functions", category: Category::Functions, stage: Stage::Catalogs, run };

/// All functions of the snapshot, in an order in which they can be created.
pub struct Functions {
    pub rows: Vec<FunctionRow>,
    pub aggregates: HashMap<u32, AggregateRow>,
    /// Functions with an SQL-standard body that were replaced while they were read: their text is newer than the
    /// snapshot.
    pub changed: BTreeSet<u32>,
    /// The functions that each function depends on.
    pub needs: HashMap<u32, Vec<u32>>,
}

impl Functions {
    /// Writes the statements that recreate one function, without its ACL.
    pub fn write(&self, row: &FunctionRow, file: &mut SqlFile) {
        let (definition, drop_in) = match self.aggregates.get(&row.oid) {
            Some(aggregate) => (aggregate.definition(row), false),
            None => (row.definition(), is_managed_schema(&row.schema)),
        };
        let signature = row.signature();
        let owner = format!("ALTER ROUTINE {signature} OWNER TO {}", ident(&row.owner));
        if drop_in {
            // A function of the platform: the restoring role may not own it, so it is changed only if it differs.
            file.statement(&unless_equal(&signature, &definition, &row.owner, &owner));
        } else {
            file.statement(&definition);
            file.statement(&owner);
        }
        let comment = row.comment.as_deref().map_or("NULL".to_string(), quoted);
        let set_comment = format!("COMMENT ON ROUTINE {signature} IS {comment}");
        if !drop_in {
            file.statement(&set_comment);
        } else if row.comment.is_some() {
            let check = format!(
                "BEGIN IF obj_description(to_regprocedure({}), 'pg_proc') IS DISTINCT FROM {comment} THEN\n\
                 {set_comment};\nEND IF; END",
                quoted(&signature)
            );
            file.statement(&format!("DO {}", dollar_quoted(&check)));
        }
        file.blank();
    }
}

/// Creates a function only if it is missing or different.
fn unless_equal(signature: &str, definition: &str, owner: &str, set_owner: &str) -> String {
    let body = format!(
        "\nDECLARE definition text := {};\nBEGIN\n\
         IF to_regprocedure({sig}) IS NULL OR pg_get_functiondef(to_regprocedure({sig})) <> definition THEN\n    EXECUTE definition;\nEND IF;\n\
         IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_roles r ON r.oid = p.proowner\n               \
         WHERE p.oid = to_regprocedure({sig}) AND r.rolname = {}) THEN\n    EXECUTE {};\nEND IF;\nEND\n",
        dollar_quoted(definition),
        quoted(owner),
        quoted(set_owner),
        sig = quoted(signature),
    );
    format!("DO {}", dollar_quoted(&body))
}

fn run<'a>(ctx: &'a Context<'a>) -> CollectFuture<'a> {
    Box::pin(collect(ctx))
}

async fn collect(ctx: &Context<'_>) -> Result<Collected> {
    let functions = read(ctx).await?;
    let mut collected = Collected::default();
    let mut acl = AclState::default();
    let mut file = SqlFile::new(&[
        "Functions, procedures, aggregates and window functions with owner, grants, settings and comment.",
        "Run it after the roles and the schema. Members of extensions come with CREATE EXTENSION and are not here.",
    ]);
    for row in &functions.rows {
        if functions.changed.contains(&row.oid) {
            collected.gap(changed_gap(row));
            continue;
        }
        functions.write(row, &mut file);
        acl.add("routine", &[row.signature()], row.acl.clone())?;
    }
    if !functions.rows.is_empty() {
        file.statement(&acl.statement(ctx.session.version_num)?);
    }
    ctx.sink.write(FUNCTIONS_SQL, Category::Functions, file.finish().as_bytes())?;
    let written = functions.rows.iter().filter(|row| !functions.changed.contains(&row.oid));
    collected.count(Count::Functions, written.clone().count() as u64);
    collected.count(Count::FunctionsOwn, written.filter(|row| !is_managed_schema(&row.schema)).count() as u64);
    Ok(collected)
}

pub fn changed_gap(row: &FunctionRow) -> Gap {
    Gap::new(
        "function_changed_while_read",
        row.signature(),
        "its body is in SQL-standard form and was replaced by another session while it was read",
        "take the snapshot again when no migration is running; the archive may hold the newer body as well",
    )
}

/// Reads all functions.
pub async fn read(ctx: &Context<'_>) -> Result<Functions> {
    let sql_body = if ctx.session.version_num >= 140_000 {
        "CASE WHEN p.prosqlbody IS NOT NULL THEN pg_catalog.pg_get_function_sqlbody(p.oid) END"
    } else {
        "NULL::text"
    };
    let query = include_str!("sql/functions.sql").replace("/*SQLBODY*/", sql_body);
    let rows: Vec<FunctionRow> = ctx.session.rows(&query, &[]).await?.iter().map(FunctionRow::read).collect();
    let oids =
        |keep: &dyn Fn(&FunctionRow) -> bool| -> Vec<u32> { rows.iter().filter(|r| keep(r)).map(|r| r.oid).collect() };
    let (standard, aggregate) = (oids(&|r| r.sql_body.is_some()), oids(&|r| r.kind == "a"));
    let changed = ctx.session.rows(include_str!("sql/functions_changed.sql"), &[&standard]).await?;
    let aggregates = ctx.session.rows(include_str!("sql/aggregates.sql"), &[&aggregate]).await?;
    let mut needs: HashMap<u32, Vec<u32>> = HashMap::new();
    for row in ctx.session.rows(include_str!("sql/function_order.sql"), &[]).await? {
        needs.entry(row.get("function")).or_default().push(row.get("needs"));
    }
    Ok(Functions {
        rows: in_order(rows, &needs),
        aggregates: aggregates.iter().map(|row| (row.get("oid"), AggregateRow::read(row))).collect(),
        changed: changed.iter().map(|row| row.get(0)).collect(),
        needs,
    })
}

/// Keeps the given order, except that the dependencies of a function come first. A cycle is cut where it is found.
fn in_order(rows: Vec<FunctionRow>, needs: &HashMap<u32, Vec<u32>>) -> Vec<FunctionRow> {
    let position: HashMap<u32, usize> = rows.iter().enumerate().map(|(i, row)| (row.oid, i)).collect();
    let mut order: BTreeMap<usize, usize> = BTreeMap::new();
    let mut entered = vec![false; rows.len()];
    for start in 0..rows.len() {
        // A stack of (function, dependencies pushed): no recursion, however deep the chain.
        let mut stack = vec![(start, false)];
        while let Some((i, needs_done)) = stack.pop() {
            if needs_done {
                let next = order.len();
                order.insert(next, i);
                continue;
            }
            if std::mem::replace(&mut entered[i], true) {
                continue;
            }
            stack.push((i, true));
            let mut before: Vec<usize> =
                needs.get(&rows[i].oid).into_iter().flatten().filter_map(|oid| position.get(oid).copied()).collect();
            before.sort_unstable_by(|a, b| b.cmp(a));
            stack.extend(before.into_iter().map(|j| (j, false)));
        }
    }
    let mut slots: Vec<Option<FunctionRow>> = rows.into_iter().map(Some).collect();
    order.into_values().filter_map(|i| slots[i].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first() {
        let row = |oid| FunctionRow { oid, ..FunctionRow::default() };
        let needs = HashMap::from([(1, vec![3]), (3, vec![4, 9]), (4, vec![1])]);
        let order: Vec<u32> =
            in_order(vec![row(1), row(2), row(3), row(4)], &needs).into_iter().map(|r| r.oid).collect();
        assert_eq!(order, [4, 3, 1, 2]);
    }
}
