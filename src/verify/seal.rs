//! Whose seal a snapshot has, as a finding.

use super::Finding;
use crate::snapshot::layout::MANIFEST_SIG;
use crate::snapshot::signature::SignedBy;

/// None for our own.
pub fn finding(seal: &SignedBy) -> Option<Finding> {
    let path = MANIFEST_SIG;
    match seal {
        SignedBy::Ours => None,
        SignedBy::Unsigned => {
            let what = "there is none: who made this snapshot cannot be told";
            Some(Finding::warning(path, "unsigned", what))
        }
        SignedBy::Foreign { key_id } => {
            let what = format!("it was made with the key {key_id}, which this root folder does not have");
            Some(Finding::warning(path, "foreign_signature", what))
        }
        SignedBy::Wrong { why } => Some(Finding::damage(path, "wrong_signature", why)),
    }
}
