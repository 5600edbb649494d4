//! The SQLSTATE codes that stacksnap handles specially.
//!
//! Source: Appendix A of the PostgreSQL manual, "PostgreSQL Error Codes". Invariant: the handling of a server error
//! depends on its [`SqlState`], never on the message, which is translated into the server's language.

use std::fmt;

/// The five-character error code of a server error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// `None` if it is not five ASCII characters.
    pub fn parse(code: &str) -> Option<Self> {
        <[u8; 5]>::try_from(code.as_bytes()).ok().filter(|bytes| bytes.is_ascii()).map(Self)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub fn is(&self, code: &str) -> bool {
        self.as_str() == code
    }

    /// The first two characters: the error class.
    pub fn class(&self) -> &str {
        &self.as_str()[..2]
    }

    /// Whether the error is about the server's state (connections, memory, disk, files, locks, an administrator's
    /// command) rather than about the statement. The same statement may succeed later.
    pub fn is_of_the_server(&self) -> bool {
        matches!(self.class(), "08" | "40" | "53" | "57" | "58" | "XX") || self.is(LOCK_NOT_AVAILABLE)
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

pub const INVALID_PASSWORD: &str = "28P01";
pub const INVALID_AUTHORIZATION: &str = "28000";
pub const INVALID_CATALOG_NAME: &str = "3D000";
pub const INSUFFICIENT_PRIVILEGE: &str = "42501";
pub const LOCK_NOT_AVAILABLE: &str = "55P03";
pub const OUT_OF_MEMORY: &str = "53200";
pub const TOO_MANY_CONNECTIONS: &str = "53300";
pub const CANNOT_CONNECT_NOW: &str = "57P03";
pub const ADMIN_SHUTDOWN: &str = "57P01";
pub const UNDEFINED_TABLE: &str = "42P01";
pub const UNDEFINED_COLUMN: &str = "42703";
pub const UNDEFINED_OBJECT: &str = "42704";
pub const INVALID_OBJECT_DEFINITION: &str = "42P17";
pub const INTERNAL_ERROR: &str = "XX000";
pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
pub const FOREIGN_KEY_VIOLATION: &str = "23503";
pub const CHECK_VIOLATION: &str = "23514";
pub const QUERY_CANCELED: &str = "57014";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_five_characters_and_a_class() {
        let code = SqlState::parse(FOREIGN_KEY_VIOLATION).unwrap();
        assert_eq!((code.class(), code.to_string().as_str()), ("23", "23503"));
        assert!(code.is(FOREIGN_KEY_VIOLATION) && !code.is(CHECK_VIOLATION) && !code.is_of_the_server());
        assert!(SqlState::parse("53100").unwrap().is_of_the_server());
        for wrong in ["", "2350", "235033", "2350é"] {
            assert_eq!(SqlState::parse(wrong), None);
        }
    }
}
