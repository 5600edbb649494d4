//! The kinds of object that a database holds and an archive has entries of, and what follows from a kind alone.
//!
//! Invariant: the word of a kind is the one that pg_dump writes into its table of contents where there is one; it stands
//! in `inventory.json`, plans and records, and never changes. A kind that this version does not know keeps its word: a
//! newer minor of the format may hold one. Whoever adds a kind is asked by the compiler about each property below.

mod properties;

use std::collections::BTreeSet;
use std::sync::Mutex;

pub use properties::InArchive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! kinds {
    ($($kind:ident => $word:literal,)+) => {
        /// What an object is, or an entry of an archive.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ObjectKind {
            $($kind,)+
            /// A word of a newer version.
            Other(&'static str),
        }

        impl ObjectKind {
            /// Every kind that this version knows.
            pub const ALL: &'static [ObjectKind] = &[$(ObjectKind::$kind,)+];

            /// As pg_dump, inventories and messages write it.
            pub fn word(self) -> &'static str {
                match self {
                    $(ObjectKind::$kind => $word,)+
                    ObjectKind::Other(word) => word,
                }
            }

            /// The kind of a word, whoever wrote it.
            pub fn of(word: &str) -> Self {
                match word {
                    $($word => ObjectKind::$kind,)+
                    other => ObjectKind::Other(kept(other)),
                }
            }
        }
    };
}

kinds! {
    AccessMethod => "ACCESS METHOD",
    Acl => "ACL",
    Aggregate => "AGGREGATE",
    Blob => "BLOB",
    BlobMetadata => "BLOB METADATA",
    Blobs => "BLOBS",
    Cast => "CAST",
    CheckConstraint => "CHECK CONSTRAINT",
    Collation => "COLLATION",
    Comment => "COMMENT",
    Constraint => "CONSTRAINT",
    Conversion => "CONVERSION",
    CronJob => "CRON JOB",
    Database => "DATABASE",
    DatabaseProperties => "DATABASE PROPERTIES",
    DatabaseSetting => "DATABASE SETTING",
    Default => "DEFAULT",
    DefaultAcl => "DEFAULT ACL",
    Domain => "DOMAIN",
    Encoding => "ENCODING",
    EventTrigger => "EVENT TRIGGER",
    Extension => "EXTENSION",
    FkConstraint => "FK CONSTRAINT",
    ForeignDataWrapper => "FOREIGN DATA WRAPPER",
    File => "FILE",
    ForeignTable => "FOREIGN TABLE",
    Function => "FUNCTION",
    Index => "INDEX",
    IndexAttach => "INDEX ATTACH",
    MaterializedView => "MATERIALIZED VIEW",
    MaterializedViewData => "MATERIALIZED VIEW DATA",
    NotNullConstraint => "NOT NULL CONSTRAINT",
    Operator => "OPERATOR",
    OperatorClass => "OPERATOR CLASS",
    OperatorFamily => "OPERATOR FAMILY",
    Policy => "POLICY",
    ProceduralLanguage => "PROCEDURAL LANGUAGE",
    Procedure => "PROCEDURE",
    Publication => "PUBLICATION",
    PublicationTable => "PUBLICATION TABLE",
    PublicationTablesInSchema => "PUBLICATION TABLES IN SCHEMA",
    ReplicationSlot => "REPLICATION SLOT",
    Queue => "QUEUE",
    Role => "ROLE",
    RoleMembership => "ROLE MEMBERSHIP",
    RoleSetting => "ROLE SETTING",
    RowSecurity => "ROW SECURITY",
    Rule => "RULE",
    Schema => "SCHEMA",
    SearchPath => "SEARCHPATH",
    SecurityLabel => "SECURITY LABEL",
    Sequence => "SEQUENCE",
    SequenceOwnedBy => "SEQUENCE OWNED BY",
    SequenceSet => "SEQUENCE SET",
    Server => "SERVER",
    ShellType => "SHELL TYPE",
    Statistics => "STATISTICS",
    StatisticsData => "STATISTICS DATA",
    StdStrings => "STDSTRINGS",
    Subscription => "SUBSCRIPTION",
    SubscriptionTable => "SUBSCRIPTION TABLE",
    Table => "TABLE",
    TableAttach => "TABLE ATTACH",
    TableData => "TABLE DATA",
    TextSearchConfiguration => "TEXT SEARCH CONFIGURATION",
    TextSearchDictionary => "TEXT SEARCH DICTIONARY",
    TextSearchParser => "TEXT SEARCH PARSER",
    TextSearchTemplate => "TEXT SEARCH TEMPLATE",
    Transform => "TRANSFORM",
    Trigger => "TRIGGER",
    Type => "TYPE",
    UserMapping => "USER MAPPING",
    VaultSecret => "VAULT SECRET",
    View => "VIEW",
}

/// Words of newer versions live as long as the process: there are few, and a kind stays `Copy`.
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

/// By word, so that lists stand in the order that they have in files.
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
