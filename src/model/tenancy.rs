//! Who owns the rows of which table: the decision, as classes, references and paths.
//!
//! Invariant: every row has one owner or none. A path goes from a child to at most one parent row, so following it changes
//! no count; a reference whose parent side is not unique is in no path. Plain values: a manifest can carry them.

use serde::{Deserialize, Serialize};

use super::name::QualifiedName;
use super::tenant_settings::{Condition, StorageRule};

/// What the rows of a table are to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Its rows are the tenants.
    Root,
    /// A column of its own says the tenant.
    Direct,
    /// Its rows belong to whom the rows belong that they refer to.
    Derived,
    /// The people who belong to tenants, and what hangs on them alone.
    Member,
    /// No way leads to a tenant.
    Shared,
    /// Several ways lead to tenants and none is better, or one that is not declared: a person has to say.
    Ambiguous,
    /// Belongs to the platform or to an extension.
    Excluded,
}

impl Class {
    pub const ALL: [Self; 7] =
        [Self::Root, Self::Direct, Self::Derived, Self::Member, Self::Shared, Self::Ambiguous, Self::Excluded];

    pub fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Direct => "direct",
            Self::Derived => "derived",
            Self::Member => "member",
            Self::Shared => "shared",
            Self::Ambiguous => "ambiguous",
            Self::Excluded => "excluded",
        }
    }

    /// Have its rows owners?
    pub fn is_owned(self) -> bool {
        matches!(self, Self::Root | Self::Direct | Self::Derived)
    }
}

/// Where the tenants are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// None: there is no such table, and tenants are what `tenants_query` gives, or the values of the columns.
    pub table: Option<QualifiedName>,
    /// The column by which a tenant is named.
    pub key: Option<String>,
    /// The column with its name for people.
    pub label: Option<String>,
    /// Who belongs to a tenant.
    pub membership: Option<QualifiedName>,
    /// The people that `membership` names.
    pub members: Option<QualifiedName>,
    /// It stands in the configuration. Else it was found, and a restore does not believe it.
    pub confirmed: bool,
}

/// One pair of columns of a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinColumn {
    pub child: String,
    pub parent: String,
    /// What compares the parent's value with the child's, as SQL made of catalog facts.
    pub operator: String,
    /// Compared as texts, whatever their types are.
    pub child_as_text: bool,
    pub parent_as_text: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceKind {
    ForeignKey,
    /// From the configuration.
    Virtual,
}

/// A child's columns that name a row of a parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub kind: ReferenceKind,
    /// The constraint; `virtual` for one of the configuration.
    pub name: String,
    pub child: QualifiedName,
    pub parent: QualifiedName,
    pub columns: Vec<JoinColumn>,
    /// It holds for rows that meet all of these.
    pub when: Vec<Condition>,
    /// No column of the child may be NULL, and it holds for all rows.
    pub not_null: bool,
    pub on_delete_cascade: bool,
    /// Its columns are part of the child's primary key.
    pub identifying: bool,
    /// The server sees to it that the parent is there.
    pub trusted: bool,
    /// Followed again and again until nothing changes: it closes a circle.
    pub recursive: bool,
}

/// A tenant column of the table itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnColumn {
    pub name: String,
    /// Foreign keys say that it names a tenant. Else its name and type do, or the configuration.
    pub verified: bool,
    pub not_null: bool,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTenancy {
    pub table: QualifiedName,
    pub class: Class,
    /// Why it has this class, in a sentence.
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<OwnColumn>,
    /// Rules for the files of buckets, by bucket.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<(String, StorageRule)>,
    /// References by their number in [`Tenancy::references`]: the first decides, the next ones where it leads nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<usize>,
    /// References to owned tables that must lead to the same tenant: what does not is a leak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<usize>,
    /// The tables that share a circle of references have the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<usize>,
    /// How many steps to a tenant column.
    pub level: usize,
    /// The server sees to it that every row has an owner.
    pub certain: bool,
}

/// The whole decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenancy {
    pub root: Root,
    /// Sorted by schema and name.
    pub tables: Vec<TableTenancy>,
    /// Between owned tables.
    pub references: Vec<Reference>,
    /// What the configuration could say where something is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
}

/// A line for the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    pub table: QualifiedName,
    pub what: String,
}

impl Tenancy {
    pub fn table(&self, name: &QualifiedName) -> Option<&TableTenancy> {
        self.tables.iter().find(|t| &t.table == name)
    }

    pub fn of_class(&self, class: Class) -> impl Iterator<Item = &TableTenancy> {
        self.tables.iter().filter(move |t| t.class == class)
    }

    pub fn is_owned(&self, name: &QualifiedName) -> bool {
        self.table(name).is_some_and(|t| t.class.is_owned())
    }

    /// The steps from a table to a tenant, as people write them: `rental_id -> public.rentals.org_id`.
    pub fn path_text(&self, table: &TableTenancy) -> String {
        let mut ways = Vec::new();
        if let Some(column) = &table.column {
            ways.push(column.name.clone());
        }
        ways.extend(table.storage.iter().map(|(bucket, rule)| format!("{bucket}: {}", rule.text())));
        ways.extend(table.paths.iter().map(|n| self.way_text(*n)));
        if table.circle.is_some() && !table.certain {
            let recursive = self.references.iter().filter(|r| r.recursive && r.child == table.table);
            ways.extend(recursive.map(|r| format!("{} -> {} ..", columns_text(r), r.parent.plain())));
        }
        ways.join(", else ")
    }

    fn way_text(&self, reference: usize) -> String {
        let mut text = String::new();
        let mut next = self.references.get(reference);
        // Levels fall with each step; the bound is for a value that came from a file.
        for _ in 0..=self.tables.len() {
            let Some(step) = next else { break };
            text.push_str(&format!("{} -> {}", columns_text(step), step.parent.plain()));
            let Some(parent) = self.table(&step.parent) else { break };
            if let Some(column) = &parent.column {
                text.push_str(&format!(".{}", column.name));
                break;
            }
            next = parent.paths.first().and_then(|n| self.references.get(*n));
            if next.is_some() {
                text.push('.');
            }
        }
        text
    }
}

/// `a`, or `(a, b)`.
pub fn columns_text(reference: &Reference) -> String {
    let names: Vec<&str> = reference.columns.iter().map(|c| c.child.as_str()).collect();
    if let [only] = names.as_slice() { (*only).to_string() } else { format!("({})", names.join(", ")) }
}
