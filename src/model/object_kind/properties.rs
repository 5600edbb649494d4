//! What follows from the kind of an object alone, wherever it is asked.
//!
//! Invariant: every match names every kind, so a new one does not compile until its properties are decided.

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

impl ObjectKind {
    pub fn in_archive(self) -> InArchive {
        match self {
            AccessMethod
            | Aggregate
            | Blob
            | BlobMetadata
            | Cast
            | CheckConstraint
            | Collation
            | Constraint
            | Conversion
            | DefaultAcl
            | Domain
            | EventTrigger
            | Extension
            | FkConstraint
            | ForeignDataWrapper
            | ForeignTable
            | Function
            | Index
            | MaterializedView
            | Operator
            | OperatorClass
            | OperatorFamily
            | Policy
            | ProceduralLanguage
            | Procedure
            | Publication
            | PublicationTable
            | PublicationTablesInSchema
            | Schema
            | Sequence
            | Server
            | Statistics
            | Subscription
            | Table
            | TextSearchConfiguration
            | TextSearchDictionary
            | TextSearchParser
            | TextSearchTemplate
            | Transform
            | Trigger
            | Type
            | UserMapping
            | View => InArchive::Object,
            Acl | Comment | Default | IndexAttach | RowSecurity | Rule | SecurityLabel | SequenceOwnedBy
            | ShellType | TableAttach => InArchive::Part,
            Blobs | MaterializedViewData | SequenceSet | StatisticsData | TableData => InArchive::Data,
            Database | DatabaseProperties | Encoding | SearchPath | StdStrings => InArchive::Preamble,
            CronJob | DatabaseSetting | File | NotNullConstraint | Queue | ReplicationSlot | Role | RoleMembership
            | RoleSetting | SubscriptionTable | VaultSecret => InArchive::Nowhere,
            Other(_) => InArchive::Unknown,
        }
    }

    /// Its word in `DROP`, `ALTER` and `COMMENT ON`, for kinds that their identity alone names there.
    pub fn sql_word(self) -> Option<&'static str> {
        match self {
            ProceduralLanguage => Some("LANGUAGE"),
            AccessMethod
            | Aggregate
            | Cast
            | Collation
            | Conversion
            | Domain
            | EventTrigger
            | Extension
            | ForeignDataWrapper
            | ForeignTable
            | Function
            | Index
            | MaterializedView
            | Operator
            | OperatorClass
            | OperatorFamily
            | Procedure
            | Publication
            | Role
            | Schema
            | Sequence
            | Server
            | Statistics
            | Table
            | TextSearchConfiguration
            | TextSearchDictionary
            | TextSearchParser
            | TextSearchTemplate
            | Type
            | View => Some(self.word()),
            CronJob
            | VaultSecret
            | Acl
            | Blob
            | BlobMetadata
            | Blobs
            | CheckConstraint
            | Comment
            | Constraint
            | Database
            | DatabaseProperties
            | DatabaseSetting
            | Default
            | DefaultAcl
            | Encoding
            | File
            | FkConstraint
            | IndexAttach
            | MaterializedViewData
            | NotNullConstraint
            | Policy
            | PublicationTable
            | PublicationTablesInSchema
            | Queue
            | ReplicationSlot
            | RoleMembership
            | RoleSetting
            | RowSecurity
            | Rule
            | SearchPath
            | SecurityLabel
            | SequenceOwnedBy
            | SequenceSet
            | ShellType
            | StatisticsData
            | StdStrings
            | Subscription
            | SubscriptionTable
            | TableAttach
            | TableData
            | Transform
            | Trigger
            | UserMapping
            | Other(_) => None,
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
