//! Tables, unique keys, foreign keys and policies, as far as ownership of rows is decided by them.
//!
//! Invariant: three queries for any number of tables, under the transaction that the caller holds. Partitions stand for
//! their table: a foreign key that only a partition has is not there.

use std::collections::HashMap;

use super::{get, query};
use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::model::relations::{ForeignKey, PolicyText, Relation, RelationColumn, Relations, UniqueKey};
use crate::pg::session::Session;

/// Reads them all.
pub async fn relations(session: &Session) -> Result<Relations> {
    let mut tables = tables(session).await?;
    let index: HashMap<u32, usize> = tables.iter().enumerate().map(|(n, table)| (table.oid, n)).collect();
    for row in query(session, include_str!("../sql/relations_keys.sql")).await? {
        if let Some(n) = index.get(&get(&row, 0)?) {
            tables[*n].keys.push(UniqueKey { primary: get(&row, 1)?, columns: get(&row, 2)? });
        }
    }
    let name_of = |oid: u32| index.get(&oid).map(|n| tables[*n].name.clone());
    let mut foreign_keys = Vec::new();
    for row in query(session, include_str!("../sql/relations_foreign_keys.sql")).await? {
        let (Some(child), Some(parent)) = (name_of(get(&row, 1)?), name_of(get(&row, 2)?)) else { continue };
        foreign_keys.push(ForeignKey {
            name: get(&row, 0)?,
            child,
            columns: get(&row, 5)?,
            parent,
            parent_columns: get(&row, 6)?,
            operators: get(&row, 7)?,
            on_delete_cascade: get(&row, 3)?,
            trusted: get(&row, 4)?,
        });
    }
    let mut policies = Vec::new();
    for row in query(session, include_str!("../sql/relations_policies.sql")).await? {
        if let Some(table) = name_of(get(&row, 0)?) {
            policies.push(PolicyText { table, expression: get(&row, 1)? });
        }
    }
    Ok(Relations { tables, foreign_keys, policies })
}

async fn tables(session: &Session) -> Result<Vec<Relation>> {
    let rows = query(session, include_str!("../sql/relations_tables.sql")).await?;
    rows.iter()
        .map(|row| {
            let names: Vec<String> = get::<Option<_>>(row, 5)?.unwrap_or_default();
            let types: Vec<Option<String>> = get::<Option<_>>(row, 6)?.unwrap_or_default();
            let not_nulls: Vec<bool> = get::<Option<_>>(row, 7)?.unwrap_or_default();
            let families: Vec<Option<String>> = get::<Option<_>>(row, 8)?.unwrap_or_default();
            let columns = names.into_iter().zip(types).zip(not_nulls).zip(families);
            Ok(Relation {
                oid: get(row, 0)?,
                name: QualifiedName::new(get::<String>(row, 1)?, get::<String>(row, 2)?),
                partitioned: get(row, 3)?,
                columns: columns
                    .map(|(((name, type_name), not_null), text_family)| RelationColumn {
                        name,
                        type_name: type_name.unwrap_or_default(),
                        not_null,
                        text_family,
                    })
                    .collect(),
                keys: Vec::new(),
                extension: get(row, 4)?,
            })
        })
        .collect()
}

/// Tables that the role cannot read whole: it lacks a privilege, or row security would hide rows from it.
pub async fn not_readable(session: &Session, oids: &[u32]) -> Result<Vec<(QualifiedName, Unreadable)>> {
    let sql = "SELECT n.nspname::text, c.relname::text, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = ANY ($1) AND (NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid))
        ORDER BY 1, 2";
    let rows = session.rows(sql, &[&oids]).await?;
    rows.iter()
        .map(|row| {
            let why = if get(row, 2)? { Unreadable::RowSecurity } else { Unreadable::Privilege };
            Ok((QualifiedName::new(get::<String>(row, 0)?, get::<String>(row, 1)?), why))
        })
        .collect()
}

/// Why a table cannot be read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    Privilege,
    RowSecurity,
}
