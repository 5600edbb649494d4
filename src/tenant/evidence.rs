//! What the rows say: do values of a column name tenants, does a folder of a bucket, does `X_type` name tables; and is the
//! parent's side of a reference unique where no index says so.
//!
//! Invariant: it looks at samples of bounded size, but for proofs, which count. It proposes and decides nothing.

use serde::Serialize;

use super::candidates::{Candidate, Hits};
use super::polymorphic::{Pair, pairs, table_of};
use super::references::unproved;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, ident, visible};
use crate::model::relations::{Relation, Relations};
use crate::model::tenancy::{Reference, Root};
use crate::model::tenant_settings::{Condition, Equality, Operand, Segment, StorageRule, VirtualReference};
use crate::pg::session::{Row, Session};

/// Rows of a sample.
const SAMPLE_ROWS: u32 = 100_000;
/// Folders that are looked at, from the left.
const FOLDERS_MAX: usize = 3;
/// What has no key to keep it in order dangles here and there: half of it is enough to propose it.
const PROPOSE_PERCENT: u64 = 50;
/// More values of `X_type` than a table has meanings.
const TYPES_MAX: usize = 50;

/// Looks at the values of columns without a foreign key. Tables in `hidden` cannot be read.
pub async fn measure(
    session: &Session,
    relations: &Relations,
    candidates: &mut [Candidate],
    hidden: &[QualifiedName],
) -> Result<()> {
    for candidate in candidates {
        let Some(root) = relations.table(&candidate.table).filter(|t| !hidden.contains(&t.name)) else { continue };
        for unlinked in candidate.unlinked.iter_mut().filter(|u| !hidden.contains(&u.table)) {
            let Some(table) = relations.table(&unlinked.table) else { continue };
            let sql = format!(
                "SELECT count(*), count(r.{key}) FROM (SELECT t.{column} AS v FROM {from} t WHERE t.{column} IS NOT NULL LIMIT {SAMPLE_ROWS}) s \
                 LEFT JOIN {root} r ON r.{key}::pg_catalog.text = s.v::pg_catalog.text",
                key = ident(&candidate.key),
                column = ident(&unlinked.column),
                from = table.from_sql(),
                root = root.from_sql(),
            );
            let found = hits(&session.one(&sql, &[]).await?)?;
            unlinked.values = (found.looked_at > 0).then_some(found);
        }
    }
    Ok(())
}

fn hits(row: &Row) -> Result<Hits> {
    let number = |at: usize| row.try_get::<_, i64>(at).map(i64::unsigned_abs).map_err(anyhow::Error::new);
    Ok(Hits { looked_at: number(0)?, found: number(1)? })
}

/// Has `storage.objects` rows that this role sees?
pub async fn stored_files(session: &Session, relations: &Relations, hidden: &[QualifiedName]) -> Result<bool> {
    let name = objects();
    if relations.table(&name).is_none() || hidden.contains(&name) {
        return Ok(false);
    }
    let row = session.one("SELECT EXISTS (SELECT FROM storage.objects)", &[]).await?;
    Ok(row.try_get(0).map_err(anyhow::Error::new)?)
}

fn objects() -> QualifiedName {
    QualifiedName::new("storage", "objects")
}

/// A folder of a bucket that names tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BucketGuess {
    pub bucket: String,
    /// As in the configuration.
    pub template: String,
    pub files: Hits,
    #[serde(skip)]
    pub rule: StorageRule,
}

/// Looks at the first folders of each bucket.
pub async fn buckets(
    session: &Session,
    relations: &Relations,
    root: &Root,
    hidden: &[QualifiedName],
) -> Result<Vec<BucketGuess>> {
    let (Some(table), Some(key)) = (root.table.as_ref().and_then(|t| relations.table(t)), &root.key) else {
        return Ok(Vec::new());
    };
    if !stored_files(session, relations, hidden).await? || hidden.contains(&table.name) {
        return Ok(Vec::new());
    }
    let mut found: Vec<BucketGuess> = Vec::new();
    for place in 1..=FOLDERS_MAX {
        let sql = format!(
            "SELECT count(*), count(r.{key}), s.bucket FROM (SELECT o.bucket_id::pg_catalog.text AS bucket, split_part(o.name, '/', {place}) AS folder \
               FROM (SELECT o.bucket_id, o.name FROM storage.objects o WHERE o.bucket_id IS NOT NULL LIMIT {SAMPLE_ROWS}) o \
               WHERE cardinality(string_to_array(o.name, '/')) > {place}) s \
             LEFT JOIN {from} r ON r.{key}::pg_catalog.text = s.folder GROUP BY s.bucket ORDER BY s.bucket COLLATE \"C\"",
            key = ident(key),
            from = table.from_sql(),
        );
        for row in session.rows(&sql, &[]).await? {
            let files = hits(&row)?;
            let bucket: String = row.try_get(2).map_err(anyhow::Error::new)?;
            let enough = files.found > 0 && files.found * 100 >= files.looked_at * PROPOSE_PERCENT;
            if enough && !found.iter().any(|g| g.bucket == bucket) {
                let mut segments = vec![Segment::Any; place - 1];
                segments.push(Segment::Tenant);
                let rule = StorageRule::Path(segments);
                found.push(BucketGuess { bucket, template: rule.text(), files, rule });
            }
        }
    }
    found.sort_by(|a, b| a.bucket.cmp(&b.bucket));
    Ok(found)
}

/// A reference that `X_type` and `X_id` look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReferenceGuess {
    pub table: QualifiedName,
    pub parent: QualifiedName,
    pub value: String,
    pub rows: Hits,
    /// Enough of its rows name one to write it down.
    pub likely: bool,
    #[serde(skip)]
    pub reference: VirtualReference,
}

/// Looks at the values of every such pair. `wanted` says which tables are of interest.
pub async fn polymorphic(
    session: &Session,
    relations: &Relations,
    hidden: &[QualifiedName],
    wanted: impl Fn(&QualifiedName) -> bool,
) -> Result<Vec<ReferenceGuess>> {
    let mut found = Vec::new();
    for table in relations.tables.iter().filter(|t| wanted(&t.name) && !hidden.contains(&t.name)) {
        for pair in pairs(relations, table) {
            let sql = format!(
                "SELECT DISTINCT s.v FROM (SELECT t.{kind}::pg_catalog.text AS v FROM {from} t WHERE t.{kind} IS NOT NULL LIMIT {SAMPLE_ROWS}) s \
                 ORDER BY s.v LIMIT {TYPES_MAX}",
                kind = ident(&pair.type_column),
                from = table.from_sql(),
            );
            for row in session.rows(&sql, &[]).await? {
                let value: String = row.try_get(0).map_err(anyhow::Error::new)?;
                let parent = table_of(relations, &table.name, &value).filter(|p| !hidden.contains(&p.name));
                let key = parent.and_then(|p| p.primary_key());
                let (Some(parent), Some([key])) = (parent, key.map(|k| k.columns.as_slice())) else { continue };
                found.push(guess(session, table, &pair, &value, parent, key).await?);
            }
        }
    }
    Ok(found)
}

async fn guess(
    session: &Session,
    table: &Relation,
    pair: &Pair,
    value: &str,
    parent: &Relation,
    key: &str,
) -> Result<ReferenceGuess> {
    let sql = format!(
        "SELECT count(*), count(p.{key}) FROM (SELECT t.{id}::pg_catalog.text AS v FROM {from} t \
         WHERE t.{kind}::pg_catalog.text = $1 AND t.{id} IS NOT NULL LIMIT {SAMPLE_ROWS}) s \
         LEFT JOIN {parent} p ON p.{key}::pg_catalog.text = s.v",
        key = ident(key),
        id = ident(&pair.id_column),
        kind = ident(&pair.type_column),
        from = table.from_sql(),
        parent = parent.from_sql(),
    );
    let rows = hits(&session.one(&sql, &[&value]).await?)?;
    let operand = |column: &str| Operand { column: column.to_string(), as_text: true };
    let reference = VirtualReference {
        table: table.name.clone(),
        parent: parent.name.clone(),
        when: vec![Condition { column: pair.type_column.clone(), values: vec![value.to_string()] }],
        on: vec![Equality { child: operand(&pair.id_column), parent: operand(key) }],
    };
    let likely = rows.found > 0 && rows.found * 100 >= rows.looked_at * PROPOSE_PERCENT;
    Ok(ReferenceGuess {
        table: table.name.clone(),
        parent: parent.name.clone(),
        value: value.to_string(),
        rows,
        likely,
        reference,
    })
}

/// Refuses a reference of the configuration whose parent's side is not unique: a row would be counted twice.
pub async fn prove(session: &Session, relations: &Relations, references: &[Reference]) -> Result<()> {
    for reference in unproved(relations, references) {
        let Some(parent) = relations.table(&reference.parent) else { continue };
        let columns: Vec<String> = reference
            .columns
            .iter()
            .map(|c| format!("p.{}{}", ident(&c.parent), if c.parent_as_text { "::pg_catalog.text" } else { "" }))
            .collect();
        let filled: Vec<String> = columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
        let sql = format!(
            "SELECT count(*), count(DISTINCT ({})) FROM {} p WHERE {}",
            columns.join(", "),
            parent.from_sql(),
            filled.join(" AND ")
        );
        let found = hits(&session.one(&sql, &[]).await?)?;
        if found.looked_at != found.found {
            let names: Vec<&str> = reference.columns.iter().map(|c| c.parent.as_str()).collect();
            let text = format!(
                "[projects.NAME.tenants] references: {} ({}) is not unique: {} rows, {} values",
                visible(&reference.parent.plain()),
                visible(&names.join(", ")),
                found.looked_at,
                found.found
            );
            return Err(Failure::msg(FailureKind::Configuration, text)
                .hint("a row would have several parents: refer to unique columns, or give the parent a unique index"));
        }
    }
    Ok(())
}
