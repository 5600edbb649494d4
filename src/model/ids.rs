//! Names of snapshots and labels: the text that becomes part of a path.
//!
//! Invariant: values of these types contain only characters that are safe in a path on every system, so user input
//! can never escape the root folder.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub const PREFIX: &str = "comprehensive_backup_";
pub const LATEST: &str = "comprehensive_backup_LATEST";

/// `comprehensive_backup_YYYYMMDD_HHMMSS` (UTC), with `_2`, `_3` … if the timestamp is already used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotName(String);

impl SnapshotName {
    /// The name for a moment; attempt 1 has no suffix.
    pub fn at(moment: Timestamp, attempt: u32) -> Self {
        let stamp = moment.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d_%H%M%S").to_string();
        if attempt <= 1 { Self(format!("{PREFIX}{stamp}")) } else { Self(format!("{PREFIX}{stamp}_{attempt}")) }
    }

    /// Parses a folder name; `None` if it is not a snapshot name (links and partial folders are not).
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let mut parts = rest.split('_');
        let digits = |part: Option<&str>, len: usize| {
            part.is_some_and(|p| p.len() == len && p.bytes().all(|b| b.is_ascii_digit()))
        };
        if !digits(parts.next(), 8) || !digits(parts.next(), 6) {
            return None;
        }
        match (parts.next(), parts.next()) {
            (None, _) => Some(Self(text.to_string())),
            (Some(n), None) if !n.is_empty() && n.len() <= 6 && n.bytes().all(|b| b.is_ascii_digit()) => {
                Some(Self(text.to_string()))
            }
            _ => None,
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A label such as `BEFORE_MIGRATION`: letters, digits, `_`, `-`, `.`; at most 64; not `LATEST`, not a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(String);

impl Label {
    /// Validates a label; the error is a sentence for the user.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.is_empty() || text.len() > 64 || !text.chars().all(fine) || text.starts_with(['.', '-']) {
            return Err("a label is 1 to 64 letters, digits, '_', '-' or '.', and starts with a letter or digit".into());
        }
        if text.eq_ignore_ascii_case("latest") {
            return Err("the label LATEST is reserved for the newest complete snapshot".into());
        }
        if SnapshotName::parse(&format!("{PREFIX}{text}")).is_some() || text.ends_with(".partial") {
            return Err(format!("the label '{text}' looks like the name of a snapshot"));
        }
        Ok(Self(text.to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the label's link in the root folder.
    pub fn link_name(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_utc_and_read_back() {
        let moment: Timestamp = "2026-01-30T12:00:05Z".parse().unwrap();
        let name = SnapshotName::at(moment, 1);
        assert_eq!(name.as_str(), "comprehensive_backup_20260130_120005");
        assert_eq!(SnapshotName::parse(name.as_str()), Some(name.clone()));
        let second = SnapshotName::at(moment, 2);
        assert_eq!(SnapshotName::parse(second.as_str()), Some(second.clone()));
        assert!(name < second);
    }

    #[test]
    fn other_folders_are_no_snapshots() {
        for text in [
            "comprehensive_backup_LATEST",
            "comprehensive_backup_20260130_120005.partial",
            "x",
            "comprehensive_backup_../x",
        ] {
            assert_eq!(SnapshotName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn labels_cannot_leave_the_folder() {
        assert!(Label::parse("BEFORE_MIGRATION").is_ok());
        for text in ["", "../x", "a/b", "LATEST", "latest", ".hidden", "-x", "a b", "20260130_120005", "x\n"] {
            assert!(Label::parse(text).is_err(), "{text:?}");
        }
    }
}
