//! Facts about the tables whose rows are written as SQL: columns, the key that identifies a row, foreign keys,
//! sequences.
//!
//! Invariant: everything is read from the catalogs under the exported snapshot, never guessed. A failed query leaves
//! the session's transaction usable.

use crate::model::failure::Result;
use crate::model::name::QualifiedName;
use crate::pg::session::{Row, Session};

/// One column as the catalog has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnMeta {
    pub name: String,
    /// `format_type` under an empty search_path.
    pub type_name: String,
    pub not_null: bool,
    /// GENERATED ALWAYS AS IDENTITY: cannot be updated; INSERT needs OVERRIDING SYSTEM VALUE.
    pub identity_always: bool,
    pub generated: bool,
}

/// One table with rows of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMeta {
    pub oid: u32,
    pub name: QualifiedName,
    /// The topmost partitioned table of a partition; the table itself otherwise.
    pub root: QualifiedName,
    pub root_oid: u32,
    pub columns: Vec<ColumnMeta>,
    /// Columns of the primary key, or of another unique key without NULLs that ON CONFLICT can use.
    pub key: Option<Vec<String>>,
    /// OIDs of the tables that its foreign keys reference.
    pub parents: Vec<u32>,
}

impl TableMeta {
    /// Does a foreign key of `child` reference this table, or the partitioned table that it belongs to?
    pub fn is_parent_of(&self, child: &TableMeta) -> bool {
        child.parents.contains(&self.oid) || child.parents.contains(&self.root_oid)
    }

    pub fn column(&self, name: &str) -> Option<&ColumnMeta> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// A sequence of a column and its last value; `None` when it was never used or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceMeta {
    pub name: QualifiedName,
    pub ascending: bool,
    pub last_value: Option<i64>,
}

const LIST: &str = "SELECT c.oid, n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text, r.oid \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid)::oid, c.oid) \
    JOIN pg_namespace rn ON rn.oid = r.relnamespace \
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') \
    ORDER BY 2, 3";

const FACTS: &str = "SELECT c.oid, a.names, a.types, a.not_null, a.always, a.generated, k.key, \
      (SELECT coalesce(array_agg(DISTINCT f.confrelid), '{}') FROM pg_constraint f \
        WHERE f.contype = 'f' AND f.conrelid = c.oid AND f.confrelid <> c.oid) AS parents \
    FROM pg_class c, LATERAL (SELECT array_agg(x.attname::text ORDER BY x.attnum) AS names, \
        array_agg(format_type(x.atttypid, x.atttypmod) ORDER BY x.attnum) AS types, \
        array_agg(x.attnotnull ORDER BY x.attnum) AS not_null, \
        array_agg(x.attidentity = 'a' ORDER BY x.attnum) AS always, \
        array_agg(x.attgenerated <> '' ORDER BY x.attnum) AS generated \
      FROM pg_attribute x WHERE x.attrelid = c.oid AND x.attnum > 0 AND NOT x.attisdropped) a \
    LEFT JOIN LATERAL (SELECT array(SELECT y.attname::text \
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, ord) \
          JOIN pg_attribute y ON y.attrelid = c.oid AND y.attnum = u.attnum WHERE u.ord <= i.indnkeyatts ORDER BY u.ord) AS key \
      FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid \
        AND i.indpred IS NULL AND i.indexprs IS NULL \
        AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY u(attnum, ord) \
          JOIN pg_attribute y ON y.attrelid = c.oid AND y.attnum = u.attnum WHERE u.ord <= i.indnkeyatts AND NOT y.attnotnull) \
      ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1) k ON true \
    WHERE c.oid = ANY ($1)";

const SEQUENCES: &str = "SELECT DISTINCT n.nspname::text, s.relname::text, q.seqincrement > 0, \
      CASE WHEN has_sequence_privilege(s.oid, 'USAGE') OR has_sequence_privilege(s.oid, 'SELECT') \
           THEN pg_sequence_last_value(s.oid) END \
    FROM (SELECT d.objid AS seq FROM pg_depend d \
          WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
            AND d.deptype IN ('a', 'i') AND d.refobjid = ANY ($1) \
          UNION SELECT d.refobjid FROM pg_attrdef f JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass \
            AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass WHERE f.adrelid = ANY ($1)) x \
    JOIN pg_class s ON s.oid = x.seq AND s.relkind = 'S' JOIN pg_sequence q ON q.seqrelid = s.oid \
    JOIN pg_namespace n ON n.oid = s.relnamespace ORDER BY 1, 2";

/// Every ordinary table and leaf partition that is not a member of an extension: names only, no columns yet.
pub async fn list(session: &Session) -> Result<Vec<TableMeta>> {
    let rows = session.rows(LIST, &[]).await?;
    let meta = |row: &Row| TableMeta {
        oid: row.get(0),
        name: QualifiedName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
        root: QualifiedName::new(row.get::<_, String>(3), row.get::<_, String>(4)),
        root_oid: row.get(5),
        columns: Vec::new(),
        key: None,
        parents: Vec::new(),
    };
    Ok(rows.iter().map(meta).collect())
}

/// Fills in columns, key and foreign keys, and sorts parents before children.
pub async fn describe(session: &Session, mut tables: Vec<TableMeta>) -> Result<Vec<TableMeta>> {
    let oids: Vec<u32> = tables.iter().map(|t| t.oid).collect();
    for row in session.rows(FACTS, &[&oids]).await? {
        let oid: u32 = row.get(0);
        let Some(table) = tables.iter_mut().find(|t| t.oid == oid) else { continue };
        let names = row.get::<_, Option<Vec<String>>>(1).unwrap_or_default();
        let types = row.get::<_, Option<Vec<String>>>(2).unwrap_or_default();
        let flags = |i: usize| row.get::<_, Option<Vec<bool>>>(i).unwrap_or_default();
        let (not_null, always, generated) = (flags(3), flags(4), flags(5));
        let at = |list: &[bool], i: usize| list.get(i).copied().unwrap_or(false);
        table.columns = names
            .into_iter()
            .zip(types)
            .enumerate()
            .map(|(i, (name, type_name))| ColumnMeta {
                name,
                type_name,
                not_null: at(&not_null, i),
                identity_always: at(&always, i),
                generated: at(&generated, i),
            })
            .collect();
        table.key = row.get::<_, Option<Vec<String>>>(6).filter(|key| !key.is_empty());
        table.parents = row.get(7);
    }
    Ok(parents_first(tables))
}

/// The sequences of columns of `tables`. If one was dropped meanwhile, the query fails but the session stays usable.
pub async fn sequences(session: &Session, tables: &[TableMeta]) -> Result<Vec<SequenceMeta>> {
    let oids: Vec<u32> = tables.iter().flat_map(|t| [t.oid, t.root_oid]).collect();
    session.execute("SAVEPOINT stacksnap_sequences").await?;
    let answer = session.rows(SEQUENCES, &[&oids]).await;
    if answer.is_err() {
        session.execute("ROLLBACK TO SAVEPOINT stacksnap_sequences").await?;
    }
    session.execute("RELEASE SAVEPOINT stacksnap_sequences").await?;
    let sequence = |row: &Row| SequenceMeta {
        name: QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
        ascending: row.get(2),
        last_value: row.get(3),
    };
    Ok(answer?.iter().map(sequence).collect())
}

/// Parents before children, else by name. Tables in a cycle of foreign keys are ordered by name.
pub fn parents_first(mut tables: Vec<TableMeta>) -> Vec<TableMeta> {
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    let mut ordered: Vec<TableMeta> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |t: &TableMeta| tables.iter().any(|p| p.root_oid != t.root_oid && p.is_parent_of(t));
        let next = tables.iter().position(|t| !waits(t)).unwrap_or(0);
        ordered.push(tables.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(oid: u32, name: &str, parents: &[u32]) -> TableMeta {
        let name = QualifiedName::new("auth", name);
        TableMeta {
            oid,
            root: name.clone(),
            root_oid: oid,
            name,
            columns: Vec::new(),
            key: None,
            parents: parents.to_vec(),
        }
    }

    fn order(tables: Vec<TableMeta>) -> Vec<String> {
        parents_first(tables).into_iter().map(|t| t.name.name).collect()
    }

    #[test]
    fn parents_come_first() {
        let tables = vec![table(1, "a_amr", &[2]), table(2, "sessions", &[3, 9]), table(3, "users", &[3])];
        assert_eq!(order(tables), ["users", "sessions", "a_amr"]);
    }

    #[test]
    fn a_circle_of_foreign_keys_ends() {
        let tables = vec![table(1, "b", &[2]), table(2, "a", &[1]), table(3, "c", &[1])];
        assert_eq!(order(tables), ["a", "b", "c"]);
    }
}
