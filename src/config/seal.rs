//! The setting that says whom secrets are sealed for.

use super::secret::SecretRef;

/// The recipients that vault secrets are sealed for (age).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealSetting {
    /// `age1…` public keys.
    Recipients(Vec<String>),
    Passphrase(SecretRef),
}
