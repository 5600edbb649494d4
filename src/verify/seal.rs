//! Turns the state of a snapshot's signature into a finding.

use super::Finding;
use crate::snapshot::layout::MANIFEST_SIG;
use crate::snapshot::signature::SignedBy;

/// `None` for a signature of our own key.
pub fn finding(seal: &SignedBy) -> Option<Finding> {
    let path = MANIFEST_SIG;
    match seal {
        SignedBy::Ours => None,
        SignedBy::Unsigned => {
            let what = "there is no signature: nothing shows who made this snapshot";
            Some(Finding::warning(path, "unsigned", what))
        }
        SignedBy::Foreign { key_id } => {
            let what = format!("it was signed with the key {key_id}, which this root folder does not have");
            Some(Finding::warning(path, "foreign_signature", what))
        }
        SignedBy::Wrong { why } => Some(Finding::damage(path, "wrong_signature", why)),
    }
}
