//! The kinds of objects in a database and of entries in an archive, and the properties of each kind.
//!
//! Invariant: a kind's word is pg_dump's TOC word if there is one. It is written to `inventory.json`, plans and
//! records, and never changes. An unknown kind keeps its word: a newer minor version of the format may have written it.
//! A row of the table below does not compile without its properties.

mod properties;

use std::collections::BTreeSet;
use std::sync::Mutex;

pub use properties::InArchive;
use properties::Sql;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! kinds {
    ($($kind:ident => $word:literal, $place:ident, $sql:ident$(($other:literal))?;)+) => {
        /// The kind of an object, or of an archive entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ObjectKind {
            $($kind,)+
            /// A kind that only a newer version knows.
            Other(&'static str),
        }

        impl ObjectKind {
            /// Every kind that this version knows.
            pub const ALL: &'static [ObjectKind] = &[$(ObjectKind::$kind,)+];

            /// The word in pg_dump's output, inventories and messages.
            pub fn word(self) -> &'static str {
                match self {
                    $(ObjectKind::$kind => $word,)+
                    ObjectKind::Other(word) => word,
                }
            }

            /// The kind with this word; `Other` if it is unknown.
            pub fn of(word: &str) -> Self {
                match word {
                    $($word => ObjectKind::$kind,)+
                    other => ObjectKind::Other(kept(other)),
                }
            }

            pub fn in_archive(self) -> InArchive {
                match self {
                    $(ObjectKind::$kind => InArchive::$place,)+
                    ObjectKind::Other(_) => InArchive::Unknown,
                }
            }

            fn sql(self) -> Sql {
                match self {
                    $(ObjectKind::$kind => Sql::$sql$(($other))?,)+
                    ObjectKind::Other(_) => Sql::None,
                }
            }
        }
    };
}

// The kind, its word, where pg_dump keeps it, and its word in `DROP`, `ALTER` and `COMMENT ON` if the identity alone is
// enough there.
kinds! {
    AccessMethod => "ACCESS METHOD", Object, Own;
    Acl => "ACL", Part, None;
    Aggregate => "AGGREGATE", Object, Own;
    Blob => "BLOB", Object, None;
    BlobMetadata => "BLOB METADATA", Object, None;
    Blobs => "BLOBS", Data, None;
    Cast => "CAST", Object, Own;
    CheckConstraint => "CHECK CONSTRAINT", Object, None;
    Collation => "COLLATION", Object, Own;
    Comment => "COMMENT", Part, None;
    Constraint => "CONSTRAINT", Object, None;
    Conversion => "CONVERSION", Object, Own;
    CronJob => "CRON JOB", Nowhere, None;
    Database => "DATABASE", Preamble, None;
    DatabaseProperties => "DATABASE PROPERTIES", Preamble, None;
    DatabaseSetting => "DATABASE SETTING", Nowhere, None;
    Default => "DEFAULT", Part, None;
    DefaultAcl => "DEFAULT ACL", Object, None;
    Domain => "DOMAIN", Object, Own;
    Encoding => "ENCODING", Preamble, None;
    EventTrigger => "EVENT TRIGGER", Object, Own;
    Extension => "EXTENSION", Object, Own;
    FkConstraint => "FK CONSTRAINT", Object, None;
    ForeignDataWrapper => "FOREIGN DATA WRAPPER", Object, Own;
    File => "FILE", Nowhere, None;
    ForeignTable => "FOREIGN TABLE", Object, Own;
    Function => "FUNCTION", Object, Own;
    Index => "INDEX", Object, Own;
    IndexAttach => "INDEX ATTACH", Part, None;
    MaterializedView => "MATERIALIZED VIEW", Object, Own;
    MaterializedViewData => "MATERIALIZED VIEW DATA", Data, None;
    NotNullConstraint => "NOT NULL CONSTRAINT", Nowhere, None;
    Operator => "OPERATOR", Object, Own;
    OperatorClass => "OPERATOR CLASS", Object, Own;
    OperatorFamily => "OPERATOR FAMILY", Object, Own;
    Policy => "POLICY", Object, None;
    ProceduralLanguage => "PROCEDURAL LANGUAGE", Object, Word("LANGUAGE");
    Procedure => "PROCEDURE", Object, Own;
    Publication => "PUBLICATION", Object, Own;
    PublicationTable => "PUBLICATION TABLE", Object, None;
    PublicationTablesInSchema => "PUBLICATION TABLES IN SCHEMA", Object, None;
    ReplicationSlot => "REPLICATION SLOT", Nowhere, None;
    Queue => "QUEUE", Nowhere, None;
    Role => "ROLE", Nowhere, Own;
    RoleMembership => "ROLE MEMBERSHIP", Nowhere, None;
    RoleSetting => "ROLE SETTING", Nowhere, None;
    RowSecurity => "ROW SECURITY", Part, None;
    Rule => "RULE", Part, None;
    Schema => "SCHEMA", Object, Own;
    SearchPath => "SEARCHPATH", Preamble, None;
    SecurityLabel => "SECURITY LABEL", Part, None;
    Sequence => "SEQUENCE", Object, Own;
    SequenceOwnedBy => "SEQUENCE OWNED BY", Part, None;
    SequenceSet => "SEQUENCE SET", Data, None;
    Server => "SERVER", Object, Own;
    ShellType => "SHELL TYPE", Part, None;
    Statistics => "STATISTICS", Object, Own;
    StatisticsData => "STATISTICS DATA", Data, None;
    StdStrings => "STDSTRINGS", Preamble, None;
    Subscription => "SUBSCRIPTION", Object, None;
    SubscriptionTable => "SUBSCRIPTION TABLE", Nowhere, None;
    Table => "TABLE", Object, Own;
    TableAttach => "TABLE ATTACH", Part, None;
    TableData => "TABLE DATA", Data, None;
    TextSearchConfiguration => "TEXT SEARCH CONFIGURATION", Object, Own;
    TextSearchDictionary => "TEXT SEARCH DICTIONARY", Object, Own;
    TextSearchParser => "TEXT SEARCH PARSER", Object, Own;
    TextSearchTemplate => "TEXT SEARCH TEMPLATE", Object, Own;
    Transform => "TRANSFORM", Object, None;
    Trigger => "TRIGGER", Object, None;
    Type => "TYPE", Object, Own;
    UserMapping => "USER MAPPING", Object, None;
    VaultSecret => "VAULT SECRET", Nowhere, None;
    View => "VIEW", Object, Own;
}

/// Interns an unknown word for the life of the process: there are few, and `ObjectKind` stays `Copy`.
fn kept(word: &str) -> &'static str {
    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut words = WORDS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = words.get(word) {
        return known;
    }
    let word: &'static str = Box::leak(word.to_string().into_boxed_str());
    words.insert(word);
    word
}

impl std::fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// Ordered by word, the order used in files.
impl Ord for ObjectKind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.word().cmp(other.word())
    }
}

impl PartialOrd for ObjectKind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for ObjectKind {
    fn from(word: &str) -> Self {
        Self::of(word)
    }
}

impl Serialize for ObjectKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}

impl<'d> Deserialize<'d> for ObjectKind {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|word| Self::of(&word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_the_word_of_one_kind_and_stays_in_files() {
        for kind in ObjectKind::ALL {
            assert_eq!(ObjectKind::of(kind.word()), *kind);
            let written = serde_json::to_string(kind).unwrap();
            assert_eq!(written, format!("\"{}\"", kind.word()));
            assert_eq!(serde_json::from_str::<ObjectKind>(&written).unwrap(), *kind);
        }
        let newer = ObjectKind::of("PROPERTY GRAPH");
        assert_eq!((newer, newer.word()), (ObjectKind::of("PROPERTY GRAPH"), "PROPERTY GRAPH"));
        assert_eq!(newer.in_archive(), InArchive::Unknown);
    }
}
