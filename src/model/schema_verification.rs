//! What became of restoring everything but rows when the snapshot was taken (`create --verify schema`).
//!
//! Invariant: `verified` is said only when our own restore engine made the whole schema. What was not tried is listed
//! and never counted as good; why nothing was tried is said in a sentence.

use serde::{Deserialize, Serialize};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaOutcome {
    Verified,
    /// It was tried to the end, and what could not be made is among the gaps of the snapshot.
    Gaps,
    NotVerified,
}

/// An object of which a throw-away server here can say nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NotTried {
    pub what: String,
    pub why: String,
}

/// The record in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaVerification {
    pub outcome: SchemaOutcome,
    /// Somebody asked for it, in so many words; else it was the default.
    pub requested: bool,
    /// Of the throw-away server, e.g. `17.10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// From the end of the dump until the answer: what the snapshot waited for.
    pub duration_ms: u64,
    /// How many objects of the inventory were compared.
    pub objects: u64,
    /// Why it was not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_tried: Vec<NotTried>,
}

impl SchemaVerification {
    /// Nothing was tried.
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

    /// Was it asked for, and is there no answer?
    pub fn is_missed(&self) -> bool {
        self.requested && self.outcome == SchemaOutcome::NotVerified
    }

    /// One line for a person.
    pub fn sentence(&self) -> String {
        if self.outcome == SchemaOutcome::NotVerified {
            return format!("schema not verified: {}", self.reason.as_deref().unwrap_or("the reason is not known"));
        }
        let version = self.server_version.as_deref().unwrap_or("of an unknown version");
        let (seconds, tenths) = (self.duration_ms / 1000, self.duration_ms % 1000 / 100);
        let not_tried = match self.not_tried.len() {
            0 => String::new(),
            1 => "; 1 thing could not be tried".to_string(),
            n => format!("; {n} things could not be tried"),
        };
        let (verdict, but) = match self.outcome {
            SchemaOutcome::Gaps => ("restored", " but for what is among the gaps"),
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
        assert!(found.sentence().contains("but for what is among the gaps") && !found.is_missed());
        assert!(!found.sentence().contains("verified"), "that is said only of the whole");
    }
}
