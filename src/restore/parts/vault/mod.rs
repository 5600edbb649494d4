//! Secrets of the vault: what a snapshot has, what the target has, and how they are restored (R13, R35).
//!
//! Invariant: from the opened seal to the protocol's parameters a value is a [`Secret`]: it is in no statement, plan,
//! report, record or log. A secret that is not restored is an exception that names the next step. What is written is
//! read back decrypted and compared; a difference ends the restore.

mod compare;
mod live;
mod write;

use serde_json::{Map, Value};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, visible};
use crate::model::secret::Secret;
use crate::restore::source::SnapshotSource;
use crate::snapshot::age_file;
use crate::snapshot::age_file::Keys;
use crate::snapshot::layout;
use crate::snapshot::reader::{ArchiveData, DataFile};

pub use compare::{Predicted, predict};
pub use write::bring_back;

const EXTENSION: &str = "supabase_vault";

/// What a snapshot has of a vault.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    /// `None`: there is no vault, its secrets were not readable, or they are of no interest (a drill).
    secrets: Option<Vec<Held>>,
    seal: SecretValues,
}

/// Whether the snapshot has values, and whether they were decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum SecretValues {
    /// The snapshot has no values.
    #[default]
    None,
    Shut,
    Open,
}

/// One secret of the snapshot.
#[derive(Debug, Clone, Default)]
struct Held {
    id: String,
    name: Option<String>,
    description: String,
    /// From the opened seal.
    value: Option<Secret>,
    /// Its row in the archive: the ciphertext, which only a server with the same root key can decrypt.
    row: Option<Map<String, Value>>,
}

impl Held {
    /// Its name or id, as in a plan.
    fn identity(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// For a message.
    fn what(&self) -> String {
        match &self.name {
            Some(name) => format!("vault secret '{}'", visible(name)),
            None => format!("vault secret {}", visible(&self.id)),
        }
    }

    fn column(&self, name: &str) -> Option<&str> {
        self.row.as_ref()?.get(name)?.as_str()
    }
}

impl Vault {
    /// Reads the snapshot's secrets, and opens their seal if a key was given.
    ///
    /// # Errors
    /// `Configuration` for a wrong key, `Integrity` for a damaged file.
    pub fn read(source: &SnapshotSource, keys: &Keys) -> Result<Self> {
        keys.check()?;
        let Some(bytes) = file(source, layout::VAULT_SECRETS_JSON)? else { return Ok(Self::default()) };
        let mut held = listed(&bytes, layout::VAULT_SECRETS_JSON)?;
        let mut seal = SecretValues::None;
        if let Some(sealed) = file(source, layout::VAULT_SECRETS_SEALED)? {
            let opened = age_file::open(&sealed, keys).map_err(|failure| {
                let failure =
                    failure.context(format!("nothing was written: {} was not opened", layout::VAULT_SECRETS_SEALED));
                failure.hint("give the right key: seal_passphrase in the configuration, or --seal-identity FILE")
            })?;
            seal = if opened.is_some() { SecretValues::Open } else { SecretValues::Shut };
            if let Some(plain) = opened {
                let mut values = listed(plain.reveal().as_bytes(), layout::VAULT_SECRETS_SEALED)?;
                for secret in &mut held {
                    let own = values.iter_mut().find(|v| v.id == secret.id);
                    secret.value = own.and_then(|v| v.value.take());
                }
            }
        }
        rows(source, &mut held)?;
        Ok(Self { secrets: Some(held), seal })
    }

    /// Were values decrypted? Then the restore encrypts them again, and the rows differ from the archive's.
    pub fn is_open(&self) -> bool {
        self.seal == SecretValues::Open
    }
}

fn file(source: &SnapshotSource, name: &str) -> Result<Option<Vec<u8>>> {
    match std::fs::read(source.place.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure::from(e).context(format!("cannot read {name}"))),
    }
}

/// `{"secrets": [{id, name, description, secret?}]}`. An error never quotes the text: it may be a value.
fn listed(bytes: &[u8], name: &str) -> Result<Vec<Held>> {
    let damaged = || Failure::msg(FailureKind::Integrity, format!("{name} is not a valid list of secrets"));
    let document: Value = serde_json::from_slice(bytes).map_err(|_| damaged())?;
    let list = document["secrets"].as_array().ok_or_else(damaged)?;
    let text = |secret: &Value, key: &str| secret[key].as_str().map(str::to_string);
    let one = |secret: &Value| {
        Ok(Held {
            id: text(secret, "id").ok_or_else(damaged)?,
            name: text(secret, "name"),
            description: text(secret, "description").unwrap_or_default(),
            value: text(secret, "secret").map(Secret::new),
            row: None,
        })
    };
    list.iter().map(one).collect()
}

/// Adds the rows of the archive.
fn rows(source: &SnapshotSource, held: &mut [Held]) -> Result<()> {
    let table = QualifiedName::new("vault", "secrets");
    let record = source.manifest.tables.iter().find(|t| t.name == table);
    let Some(file) = record.and_then(DataFile::of) else { return Ok(()) };
    let archive = ArchiveData { folder: source.place.join(layout::DUMP_DIR), files: vec![file] };
    let read = archive.for_each_row(&table, |file, row| {
        let fields = row.texts().into_iter().map(|text| text.map_or(Value::Null, Value::String));
        let row: Map<String, Value> = file.columns.iter().cloned().zip(fields).collect();
        if let Some(own) = held.iter_mut().find(|h| row.get("id").and_then(Value::as_str) == Some(&h.id)) {
            own.row = Some(row);
        }
        Ok(())
    });
    read.map(|_| ()).map_err(|e| Failure::from(e).context("cannot read the secrets of the archive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_list_is_not_quoted() {
        let fine = br#"{"secrets":[{"id":"1","name":null,"description":"d","secret":"canary"},{"id":"2","name":"n"}]}"#;
        let held = listed(fine, "x").unwrap();
        assert_eq!((held[0].identity(), held[1].identity()), ("1", "n"));
        assert_eq!((held[0].what(), held[1].what()), ("vault secret 1".into(), "vault secret 'n'".into()));
        assert!(!format!("{held:?}").contains("canary"));
        for wrong in ["", "canary", r#"{"secrets":"canary"}"#, r#"{"secrets":[{"secret":"canary"}]}"#] {
            let failure = listed(wrong.as_bytes(), "x").unwrap_err();
            assert_eq!(failure.kind, FailureKind::Integrity);
            assert!(!format!("{failure:?}").contains("canary"), "{failure:?}");
        }
    }
}
