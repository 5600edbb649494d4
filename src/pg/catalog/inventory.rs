//! Reads every object by kind, identity and definition: the database apart from its rows.
//!
//! Invariant (trap 22): the same database restored elsewhere gives the same rows, regardless of OIDs and attribute
//! numbers; definitions never contain a password, token or key; function bodies come from the snapshot's own `pg_proc`,
//! never from `pg_get_functiondef` (trap 5). A role that may not read password verifiers gets everything else.

use futures_util::future::try_join_all;
use tokio_postgres::Row;

use super::{NO_JIT, get, query, tables};
use crate::model::failure::Result;
use crate::model::identity::of_any_major;
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::model::name::QualifiedName;
use crate::model::object_kind::ObjectKind;
use crate::pg::session::Session;

const QUERIES: &[&str] = &[
    include_str!("../sql/inventory_schemas.sql"),
    include_str!("../sql/inventory_extensions.sql"),
    include_str!("../sql/inventory_tables.sql"),
    include_str!("../sql/inventory_table_parts.sql"),
    include_str!("../sql/inventory_views.sql"),
    include_str!("../sql/inventory_sequences.sql"),
    include_str!("../sql/inventory_indexes.sql"),
    include_str!("../sql/inventory_constraints.sql"),
    include_str!("../sql/inventory_triggers.sql"),
    include_str!("../sql/inventory_rules.sql"),
    include_str!("../sql/inventory_policies.sql"),
    include_str!("../sql/inventory_functions.sql"),
    include_str!("../sql/inventory_types.sql"),
    include_str!("../sql/inventory_operators.sql"),
    include_str!("../sql/inventory_text.sql"),
    include_str!("../sql/inventory_foreign.sql"),
    include_str!("../sql/inventory_replication.sql"),
    include_str!("../sql/inventory_statistics.sql"),
    include_str!("../sql/inventory_acl.sql"),
    include_str!("../sql/inventory_default_acl.sql"),
    include_str!("../sql/inventory_comments.sql"),
    include_str!("../sql/inventory_large_objects.sql"),
];
const ROLES: &str = include_str!("../sql/inventory_roles.sql");
const SEQUENCES: &str = include_str!("../sql/sequence_values.sql");
/// `'pg_class'::regclass::oid`, a constant.
const PG_CLASS: u32 = 1259;
/// Limited because planning time grows with the square of the number of branches.
const SEQUENCES_PER_QUERY: usize = 50;

/// All objects of the database, sorted by kind, schema and identity, and its tables.
pub async fn inventory(session: &Session) -> Result<Inventory> {
    let tables = tables::tables(session).await?;
    let objects = objects(session).await?;
    Ok(Inventory {
        objects,
        tables,
        written_acls: None,
        rls_view: None,
        tells_index_state: true,
        tells_replication: true,
    })
}

/// Only the objects, without the tables.
pub(super) async fn objects(session: &Session) -> Result<Vec<CatalogObject>> {
    session.execute(NO_JIT).await?;
    let roles = roles_query(session).await?;
    // The queries are pipelined: one connection, few round trips.
    let queries = QUERIES.iter().copied().chain([roles.as_str()]);
    let results = try_join_all(queries.map(|sql| query(session, sql))).await?;
    let mut objects = Vec::with_capacity(results.iter().map(Vec::len).sum());
    for row in results.iter().flatten() {
        objects.push(CatalogObject {
            kind: ObjectKind::of(get(row, 0)?),
            schema: get(row, 1)?,
            identity: of_any_major(get::<Option<String>>(row, 2)?.unwrap_or_default()),
            definition: get::<Option<String>>(row, 3)?.unwrap_or_default(),
            owner: get(row, 4)?,
            extension: get(row, 5)?,
            address: address(row)?,
        });
    }
    objects.extend(sequence_values(session).await?);
    objects.sort();
    Ok(objects)
}

/// Columns 7 to 9: class and OID as in pg_dump's TOC entry for the object, and the column number.
fn address(row: &Row) -> Result<Option<Address>> {
    let (class, oid): (Option<u32>, Option<u32>) = (get(row, 6)?, get(row, 7)?);
    let sub = get(row, 8)?;
    Ok(class.zip(oid).map(|(class, oid)| Address { class, oid, sub }))
}

/// Password verifiers are represented by their sha256, if this role may read them.
async fn roles_query(session: &Session) -> Result<String> {
    let sql = "SELECT has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')";
    let readable: bool = get(&session.one(sql, &[]).await?, 0)?;
    let (roles, password) = if readable {
        ("pg_authid", "'PASSWORD sha256:' || encode(sha256(convert_to(a.rolpassword, 'UTF8')), 'hex')")
    } else {
        ("pg_roles", "'PASSWORD not readable'")
    };
    Ok(ROLES.replace("{roles}", roles).replace("{password}", password))
}

/// One object per sequence: `last_value, is_called`. Sequences are not transactional: this is the current value.
async fn sequence_values(session: &Session) -> Result<Vec<CatalogObject>> {
    let mut found = Vec::new();
    let mut unread = Vec::new();
    for row in query(session, SEQUENCES).await? {
        let name = QualifiedName::new(get::<String>(&row, 0)?, get::<String>(&row, 1)?);
        let readable: bool = get(&row, 2)?;
        let value: Option<String> = get(&row, 3)?;
        let object = CatalogObject {
            kind: ObjectKind::SequenceSet,
            schema: Some(name.schema.clone()),
            identity: get(&row, 4)?,
            definition: value.clone().unwrap_or_else(|| "not readable".to_string()),
            owner: None,
            extension: get(&row, 5)?,
            address: Some(Address { class: PG_CLASS, oid: get(&row, 6)?, sub: 0 }),
        };
        if value.is_none() && readable { unread.push((name, object)) } else { found.push(object) }
    }
    let results = try_join_all(unread.chunks(SEQUENCES_PER_QUERY).map(|chunk| values_of(session, chunk))).await?;
    found.extend(results.into_iter().flatten());
    Ok(found)
}

/// The values of sequences that have to be selected one by one, in one query.
async fn values_of(session: &Session, chunk: &[(QualifiedName, CatalogObject)]) -> Result<Vec<CatalogObject>> {
    let branches: Vec<String> = chunk
        .iter()
        .enumerate()
        .map(|(n, (name, _))| format!("SELECT {n}::int4 AS n, last_value, is_called FROM {}", name.sql()))
        .collect();
    let rows = session.rows(&branches.join(" UNION ALL "), &[]).await?;
    let mut objects: Vec<CatalogObject> = chunk.iter().map(|(_, object)| object.clone()).collect();
    for row in rows {
        let (last, called): (i64, bool) = (get(&row, 1)?, get(&row, 2)?);
        if let Some(object) = objects.get_mut(get::<i32>(&row, 0)?.unsigned_abs() as usize) {
            object.definition = format!("{last}, {called}");
        }
    }
    Ok(objects)
}
