//! What follows from the kind of an object alone, wherever it is asked.
//!
//! Invariant: what every kind must say stands in the table of kinds; what holds for a few is asked here, once.

use super::ObjectKind::{self, *};

/// Where pg_dump keeps what is of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InArchive {
    /// An entry with a life of its own.
    Object,
    /// An entry that is made with another one: a grant, a comment, a default.
    Part,
    /// Rows, a sequence's value, large objects' content, the refresh of a materialized view.
    Data,
    /// How to read the archive, and the database itself.
    Preamble,
    /// No entry: the snapshot has it in a file of its own, or only tells of it.
    Nowhere,
    /// This version does not know the kind.
    Unknown,
}

/// How SQL names it by its identity alone.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sql {
    /// By the kind's own word.
    Own,
    /// By another word.
    Word(&'static str),
    /// Not at all: it is a part of something, or has a statement of its own.
    None,
}

impl ObjectKind {
    /// Its word in `DROP`, `ALTER` and `COMMENT ON`, for kinds that their identity alone names there.
    pub fn sql_word(self) -> Option<&'static str> {
        match self.sql() {
            Sql::Own => Some(self.word()),
            Sql::Word(word) => Some(word),
            Sql::None => None,
        }
    }

    /// Its word in `ALTER … OWNER TO`, for kinds whose owner can be changed.
    pub fn owned_word(self) -> Option<&'static str> {
        match self {
            Blob => Some("LARGE OBJECT"),
            AccessMethod | Cast | Extension | Role | TextSearchParser | TextSearchTemplate => None,
            other => other.sql_word(),
        }
    }

    /// Says by itself who may do what: a difference is one of security.
    pub fn is_about_rights(self) -> bool {
        matches!(self, Policy | RowSecurity | Acl | DefaultAcl | Role | RoleMembership | SecurityLabel)
    }

    /// Has a name in the namespace of `pg_class`.
    pub fn is_relation(self) -> bool {
        self == Index || self.is_table_like()
    }

    /// Can be named where a query names a table.
    pub fn is_table_like(self) -> bool {
        matches!(self, ForeignTable | MaterializedView | Sequence | Table | View)
    }

    /// Large objects, whichever way the archive has them.
    pub fn is_large_objects(self) -> bool {
        matches!(self, Blob | BlobMetadata | Blobs)
    }

    /// The kind under which its grants are written: those on views and foreign tables as on tables.
    pub fn granted_as(self) -> Self {
        match self {
            View | MaterializedView | ForeignTable => Table,
            other => other,
        }
    }
}
