//! Seals secrets with age, to public keys or a passphrase, and opens them with a key file or that passphrase.
//!
//! Invariant: plain text goes in and out only as a [`Secret`]; no message ever repeats it, a passphrase or a line of a
//! key file. Without a matching kind of key, the file stays closed; with a wrong key it is an error.

use std::io::{Read, Write};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::secret::Secret;

/// 2^16: 64 MiB of memory for a moment. More would exceed our memory limit. A passphrase of several random words needs
/// no more, and keys (recipients) do not use scrypt.
const SCRYPT_WORK_FACTOR: u8 = 16;
/// Limit when opening a file: enough for what other age programs choose, too little for a forger to block us.
const SCRYPT_WORK_FACTOR_MAX: u8 = 18;

/// The recipients that can open the secrets (age).
#[derive(Debug, Clone)]
pub enum SealTo {
    /// `age1…` public keys.
    Recipients(Vec<String>),
    Passphrase(Secret),
}

/// The keys that may open a sealed file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// The passphrase from the configuration.
    pub passphrase: Option<Secret>,
    /// The text of a key file, as written by age-keygen.
    pub identity: Option<Secret>,
}

impl Keys {
    /// Fails early with `Configuration` if the key file has no valid key.
    pub fn check(&self) -> Result<()> {
        self.identity.as_ref().map_or(Ok(()), |text| identities(text).map(|_| ()))
    }
}

/// Returns a binary age file. `Configuration` for an invalid recipient.
pub fn seal(seal: &SealTo, plain: &Secret) -> Result<Vec<u8>> {
    let wrong = |what: String| {
        Failure::msg(FailureKind::Configuration, what).hint("enter recipients as age-keygen prints them: age1…")
    };
    let encryptor = match seal {
        SealTo::Passphrase(passphrase) => {
            let mut recipient = age::scrypt::Recipient::new(passphrase.reveal().to_string().into());
            recipient.set_work_factor(SCRYPT_WORK_FACTOR);
            age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
        }
        SealTo::Recipients(keys) => {
            let parse = |key: &String| {
                key.parse::<age::x25519::Recipient>().map_err(|e| wrong(format!("not an age recipient: {key}: {e}")))
            };
            let recipients = keys.iter().map(parse).collect::<Result<Vec<_>>>()?;
            age::Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient))
        }
    }
    .map_err(|e| wrong(format!("cannot seal the secrets: {e}")))?;
    let mut out = Vec::new();
    let mut writer = encryptor.wrap_output(&mut out)?;
    writer.write_all(plain.reveal().as_bytes())?;
    writer.finish()?;
    Ok(out)
}

/// The content of a sealed file. `None` if `keys` has no key of the kind it needs.
///
/// # Errors
/// `Configuration` for a wrong key, `Integrity` for an invalid or truncated age file.
pub fn open(sealed: &[u8], keys: &Keys) -> Result<Option<Secret>> {
    let decryptor = age::Decryptor::new(sealed).map_err(|e| damaged(&e))?;
    let opened = if decryptor.is_scrypt() {
        let Some(passphrase) = &keys.passphrase else { return Ok(None) };
        let mut identity = age::scrypt::Identity::new(passphrase.reveal().to_string().into());
        identity.set_max_work_factor(SCRYPT_WORK_FACTOR_MAX);
        decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity))
    } else {
        let Some(text) = &keys.identity else { return Ok(None) };
        let identities = identities(text)?;
        decryptor.decrypt(identities.iter().map(|i| i as &dyn age::Identity))
    };
    let mut reader = opened.map_err(|e| refused(&e))?;
    let mut plain = String::new();
    reader.read_to_string(&mut plain).map_err(|e| damaged(&e.kind()))?;
    Ok(Some(Secret::new(plain)))
}

/// The keys in a file written by age-keygen: one per line, `#` starts a comment.
fn identities(text: &Secret) -> Result<Vec<age::x25519::Identity>> {
    let wrong = |what: &str| {
        Failure::msg(FailureKind::Configuration, what.to_string())
            .hint("use the file that age-keygen wrote, with a line AGE-SECRET-KEY-1…")
            .hint("if the key file itself is encrypted, decrypt it first: age -d")
    };
    let lines = text.reveal().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parse = |line: &str| {
        line.parse::<age::x25519::Identity>().map_err(|_| wrong("a line of the key file is not an age key"))
    };
    let found = lines.map(parse).collect::<Result<Vec<_>>>()?;
    if found.is_empty() { Err(wrong("the key file contains no key")) } else { Ok(found) }
}

fn refused(error: &age::DecryptError) -> Failure {
    match error {
        age::DecryptError::NoMatchingKeys
        | age::DecryptError::DecryptionFailed
        | age::DecryptError::KeyDecryptionFailed => {
            Failure::msg(FailureKind::Configuration, "the key does not match: the secrets were sealed for another key")
        }
        other => damaged(other),
    }
}

fn damaged(error: &(impl std::fmt::Debug + ?Sized)) -> Failure {
    Failure::msg(FailureKind::Integrity, format!("the sealed file cannot be read: {error:?}"))
        .hint("check the snapshot: stacksnap verify SNAPSHOT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Keys {
        Keys { passphrase: Some(Secret::new(text)), identity: None }
    }

    fn identity(text: impl Into<String>) -> Keys {
        Keys { passphrase: None, identity: Some(Secret::new(text)) }
    }

    fn key_file(key: &age::x25519::Identity) -> String {
        use age::secrecy::ExposeSecret;
        format!("# created: today\n# public key: {}\n\n{}\n", key.to_public(), key.to_string().expose_secret())
    }

    #[test]
    fn r13_what_is_sealed_opens_with_its_key_and_with_no_other() {
        let (key, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let plain = Secret::new("canary");
        let to_key = seal(&SealTo::Recipients(vec![key.to_public().to_string()]), &plain).unwrap();
        let to_words = seal(&SealTo::Passphrase(Secret::new("correct horse")), &plain).unwrap();
        for sealed in [&to_key, &to_words] {
            assert!(!sealed.windows(6).any(|w| w == b"canary"));
            assert_eq!(open(sealed, &Keys::default()).unwrap(), None);
        }
        assert_eq!(open(&to_key, &identity(key_file(&key))).unwrap(), Some(plain.clone()));
        assert_eq!(open(&to_key, &identity(key_file(&other) + &key_file(&key))).unwrap(), Some(plain.clone()));
        assert_eq!(open(&to_words, &passphrase("correct horse")).unwrap(), Some(plain));
        assert_eq!(open(&to_key, &passphrase("correct horse")).unwrap(), None, "a key of another kind");
        assert_eq!(open(&to_words, &identity(key_file(&key))).unwrap(), None, "a key of another kind");
        for wrong in [open(&to_key, &identity(key_file(&other))), open(&to_words, &passphrase("wrong horse"))] {
            assert_eq!(wrong.unwrap_err().kind, FailureKind::Configuration);
        }
        assert!(seal(&SealTo::Recipients(vec!["age1nonsense".into()]), &Secret::new("x")).is_err());
    }

    #[test]
    fn a_damaged_seal_and_a_file_without_a_key_are_errors_that_repeat_nothing() {
        let key = age::x25519::Identity::generate();
        let sealed = seal(&SealTo::Recipients(vec![key.to_public().to_string()]), &Secret::new("canary")).unwrap();
        let keys = identity(key_file(&key));
        for cut in [0, 10, sealed.len() - 1] {
            assert_eq!(open(&sealed[..cut], &keys).unwrap_err().kind, FailureKind::Integrity, "{cut}");
        }
        for text in ["", "# nothing\n", "hunter2\n", "age-encryption.org/v1\n-> scrypt hunter2\n"] {
            let failure = identity(text).check().unwrap_err();
            assert_eq!(failure.kind, FailureKind::Configuration);
            assert!(!format!("{failure:?} {:?}", failure.hints).contains("hunter2"));
        }
        assert!(Keys::default().check().is_ok() && keys.check().is_ok());
        assert!(!format!("{keys:?}").contains("SECRET"));
    }
}
