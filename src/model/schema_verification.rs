//! The result of restoring everything except rows while the snapshot is taken (`create --verify schema`).
//!
//! Invariant: the outcome is `verified` only if our own restore engine created the whole schema. Objects that were not
//! tried are listed and never count as good; if nothing was tried, a sentence gives the reason.

use serde::{Deserialize, Serialize};

/// The outcome of the verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaOutcome {
    Verified,
    /// It ran to the end; objects that could not be created are among the snapshot's gaps.
    Gaps,
    NotVerified,
}

/// An object that the throw-away cluster cannot test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotTried {
    pub what: String,
    pub why: String,
}

/// The verification's record in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaVerification {
    pub outcome: SchemaOutcome,
    /// The user asked for it explicitly; otherwise it ran by default.
    pub requested: bool,
    /// Version of the throw-away cluster, e.g. `17.10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// From the end of the dump to the result: the extra time the snapshot took.
    pub duration_ms: u64,
    /// Number of inventory objects that were compared.
    pub objects: u64,
    /// Why it was not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_tried: Vec<NotTried>,
}

impl SchemaVerification {
    /// A record for a verification that did not run.
    pub fn not_verified(requested: bool, reason: impl Into<String>) -> Self {
        Self {
            outcome: SchemaOutcome::NotVerified,
            requested,
            server_version: None,
            duration_ms: 0,
            objects: 0,
            reason: Some(reason.into()),
            not_tried: Vec::new(),
        }
    }

    /// Whether it was requested and has no result.
    pub fn is_missed(&self) -> bool {
        self.requested && self.outcome == SchemaOutcome::NotVerified
    }

    /// One line for people.
    pub fn sentence(&self) -> String {
        if self.outcome == SchemaOutcome::NotVerified {
            return format!("schema not verified: {}", self.reason.as_deref().unwrap_or("the reason is unknown"));
        }
        let version = self.server_version.as_deref().unwrap_or("of an unknown version");
        let (seconds, tenths) = (self.duration_ms / 1000, self.duration_ms % 1000 / 100);
        let not_tried = match self.not_tried.len() {
            0 => String::new(),
            1 => "; 1 thing could not be tried".to_string(),
            n => format!("; {n} things could not be tried"),
        };
        let (verdict, but) = match self.outcome {
            SchemaOutcome::Gaps => ("restored", " except for the listed gaps"),
            _ => ("verified", ""),
        };
        format!("schema {verdict} on PostgreSQL {version} in {seconds}.{tenths} s{but}{not_tried}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_where_and_how_long_or_why_not() {
        let mut found = SchemaVerification::not_verified(false, "switched off");
        assert_eq!(found.sentence(), "schema not verified: switched off");
        assert!(!found.is_missed() && SchemaVerification { requested: true, ..found.clone() }.is_missed());
        found.outcome = SchemaOutcome::Verified;
        found.server_version = Some("17.10".into());
        found.duration_ms = 2_345;
        assert_eq!(found.sentence(), "schema verified on PostgreSQL 17.10 in 2.3 s");
        found.not_tried.push(NotTried { what: "extension x".into(), why: "y".into() });
        assert!(found.sentence().ends_with("; 1 thing could not be tried"));
        found.outcome = SchemaOutcome::Gaps;
        assert!(found.sentence().contains("except for the listed gaps") && !found.is_missed());
        assert!(!found.sentence().contains("verified"), "verified is reserved for the whole schema");
    }
}
