//! Tables with their columns, unique keys and foreign keys, as ownership of rows is decided by them.
//!
//! Invariant: a table stands here once: its partitions are not listed, and a foreign key is the one that was declared, not
//! its copies on partitions. Columns of keys stand in the order of the key. Pure facts, no judgement.

use serde::{Deserialize, Serialize};

use super::name::{QualifiedName, ident};

/// Everything that ownership is decided by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relations {
    /// Sorted by schema and name.
    pub tables: Vec<Relation>,
    pub foreign_keys: Vec<ForeignKey>,
    pub policies: Vec<PolicyText>,
}

/// A table, or a partitioned table with all its partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    pub oid: u32,
    pub name: QualifiedName,
    pub partitioned: bool,
    pub columns: Vec<RelationColumn>,
    /// The primary key first. Without conditions and expressions.
    pub keys: Vec<UniqueKey>,
    /// The extension whose member it is.
    pub extension: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationColumn {
    pub name: String,
    pub type_name: String,
    pub not_null: bool,
    /// Two values of columns of one family are equal exactly when their texts are. None: that cannot be said of the type.
    pub text_family: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueKey {
    pub columns: Vec<String>,
    pub primary: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    pub child: QualifiedName,
    pub columns: Vec<String>,
    pub parent: QualifiedName,
    pub parent_columns: Vec<String>,
    /// What compares a parent's column with the child's, as SQL, e.g. `OPERATOR(pg_catalog.=)`.
    pub operators: Vec<String>,
    pub on_delete_cascade: bool,
    /// Validated and enforced: no child is without its parent.
    pub trusted: bool,
}

/// What a policy says, for evidence only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    pub table: QualifiedName,
    pub expression: String,
}

impl Relations {
    pub fn table(&self, name: &QualifiedName) -> Option<&Relation> {
        self.tables.iter().find(|table| &table.name == name)
    }

    /// The column of a table.
    pub fn column(&self, table: &QualifiedName, column: &str) -> Option<&RelationColumn> {
        self.table(table)?.column(column)
    }

    /// Have equal values of these two columns equal texts, and unequal ones unequal texts?
    pub fn same_texts(&self, a: (&QualifiedName, &str), b: (&QualifiedName, &str)) -> bool {
        let family = |(table, column)| self.column(table, column).and_then(|c| c.text_family.as_deref());
        family(a).is_some() && family(a) == family(b)
    }
}

impl Relation {
    pub fn column(&self, name: &str) -> Option<&RelationColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The number of a column, by which queries name it.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn primary_key(&self) -> Option<&UniqueKey> {
        self.keys.iter().find(|key| key.primary)
    }

    /// What names one row to a person: the primary key, else a unique key without NULL.
    pub fn row_key(&self) -> Option<&UniqueKey> {
        let fine = |key: &&UniqueKey| key.columns.iter().all(|c| self.column(c).is_some_and(|c| c.not_null));
        self.primary_key().or_else(|| self.keys.iter().find(fine))
    }

    /// Is at most one row to be found by these columns?
    pub fn is_unique(&self, columns: &[&str]) -> bool {
        self.keys.iter().any(|key| key.columns.iter().all(|column| columns.contains(&column.as_str())))
    }

    /// As it stands in FROM: its own rows, and those of its partitions.
    pub fn from_sql(&self) -> String {
        if self.partitioned { self.name.sql() } else { format!("ONLY {}", self.name.sql()) }
    }

    /// Parts of a row's key as an array of texts, for a person.
    pub fn row_key_sql(&self, alias: &str) -> String {
        match self.row_key() {
            Some(key) => {
                let columns: Vec<String> =
                    key.columns.iter().map(|c| format!("{alias}.{}::pg_catalog.text", ident(c))).collect();
                format!("ARRAY[{}]", columns.join(", "))
            }
            None => format!("ARRAY[{alias}.ctid::pg_catalog.text]"),
        }
    }

    /// The names of what [`Relation::row_key_sql`] gives.
    pub fn row_key_names(&self) -> Vec<String> {
        self.row_key().map_or_else(|| vec!["ctid".to_string()], |key| key.columns.clone())
    }
}
