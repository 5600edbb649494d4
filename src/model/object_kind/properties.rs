//! The properties that follow from the kind of an object alone.
//!
//! Invariant: properties that every kind needs are columns of the table of kinds; properties of a few kinds are
//! functions here, defined once.

use super::ObjectKind::{self, *};

/// Where pg_dump keeps objects of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InArchive {
    /// An entry of its own.
    Object,
    /// An entry that is created together with another one: a grant, a comment, a default.
    Part,
    /// Rows, a sequence's value, contents of large objects, the refresh of a materialized view.
    Data,
    /// Settings for reading the archive, and the database itself.
    Preamble,
    /// No TOC entry: the snapshot has it in a separate file, or only lists it.
    Nowhere,
    /// This version does not know the kind.
    Unknown,
}

/// How SQL refers to an object of this kind by its identity.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sql {
    /// With the kind's own word.
    Own,
    /// With another word.
    Word(&'static str),
    /// Not possible: it is part of another object, or has a statement of its own.
    None,
}

impl ObjectKind {
    /// The word for `DROP`, `ALTER` and `COMMENT ON`, for kinds that SQL names by the identity alone.
    pub fn sql_word(self) -> Option<&'static str> {
        match self.sql() {
            Sql::Own => Some(self.word()),
            Sql::Word(word) => Some(word),
            Sql::None => None,
        }
    }

    /// The word for `ALTER … OWNER TO`, for kinds whose owner can be changed.
    pub fn owned_word(self) -> Option<&'static str> {
        match self {
            Blob => Some("LARGE OBJECT"),
            AccessMethod | Cast | Extension | Role | TextSearchParser | TextSearchTemplate => None,
            other => other.sql_word(),
        }
    }

    /// Defines who may do what: a difference has the severity `security`.
    pub fn is_about_rights(self) -> bool {
        matches!(self, Policy | RowSecurity | Acl | DefaultAcl | Role | RoleMembership | SecurityLabel)
    }

    /// Has a name in the namespace of `pg_class`.
    pub fn is_relation(self) -> bool {
        self == Index || self.is_table_like()
    }

    /// Can be used in place of a table in a query.
    pub fn is_table_like(self) -> bool {
        matches!(self, ForeignTable | MaterializedView | Sequence | Table | View)
    }

    /// Large objects, in any of the forms that an archive has for them.
    pub fn is_large_objects(self) -> bool {
        matches!(self, Blob | BlobMetadata | Blobs)
    }

    /// The kind used in GRANT: views and foreign tables are granted as tables.
    pub fn granted_as(self) -> Self {
        match self {
            View | MaterializedView | ForeignTable => Table,
            other => other,
        }
    }
}
