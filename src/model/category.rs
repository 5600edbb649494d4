//! The parts of a snapshot, as `--only` and `--skip` name them.
//!
//! Invariant: the words are a contract (command line, manifest, configuration); a new part gets a new word. Never
//! changes an existing word.

use serde::{Deserialize, Serialize};

/// One part of a snapshot. `Archive` is pg_dump's archive (schema and data); the other parts lie alongside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Archive,
    ReadableSql,
    Csv,
    Users,
    UserRoles,
    Policies,
    Functions,
    Encryption,
    Migrations,
    EdgeFunctions,
    DatabaseRoles,
    Grants,
    ManagedObjects,
    ExtensionState,
    Storage,
    Project,
    Report,
}

impl Category {
    /// Every category in the order of the manifest.
    pub const ALL: [Category; 17] = [
        Self::Archive,
        Self::ReadableSql,
        Self::Csv,
        Self::Users,
        Self::UserRoles,
        Self::Policies,
        Self::Functions,
        Self::Encryption,
        Self::Migrations,
        Self::EdgeFunctions,
        Self::DatabaseRoles,
        Self::Grants,
        Self::ManagedObjects,
        Self::ExtensionState,
        Self::Storage,
        Self::Project,
        Self::Report,
    ];

    /// The word used in flags, manifests and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::ReadableSql => "readable_sql",
            Self::Csv => "csv",
            Self::Users => "users",
            Self::UserRoles => "user_roles",
            Self::Policies => "policies",
            Self::Functions => "functions",
            Self::Encryption => "encryption",
            Self::Migrations => "migrations",
            Self::EdgeFunctions => "edge_functions",
            Self::DatabaseRoles => "database_roles",
            Self::Grants => "grants",
            Self::ManagedObjects => "managed_objects",
            Self::ExtensionState => "extension_state",
            Self::Storage => "storage",
            Self::Project => "project",
            Self::Report => "report",
        }
    }

    /// Parses a word of `--only`/`--skip`; `None` if there is no such part.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.word() == word || c.word().replace('_', "-") == word)
    }
}

#[cfg(test)]
mod tests {
    use super::Category;

    #[test]
    fn words_are_read_back() {
        for category in Category::ALL {
            assert_eq!(Category::parse(category.word()), Some(category));
            assert_eq!(serde_json::to_value(category).unwrap(), category.word());
        }
        assert_eq!(Category::parse("user-roles"), Some(Category::UserRoles));
        assert_eq!(Category::parse("everything"), None);
    }
}
