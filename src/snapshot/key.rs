//! The root folder's key: any program that can read it can seal snapshots that this root accepts as its own.
//!
//! Invariant: it is 32 random bytes in a separate file that only this user can read (0600). It is created once, and
//! never replaced, printed, or read through a link. Any other file in its place is an error, never a key.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::layout::ROOT_KEY;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::hex::hex;
use crate::model::name::visible;
use crate::ownership;
use crate::ownership::Last;

/// Separate contexts, so that the key's ID and the sealing key are independent of each other.
const ID_CONTEXT: &str = "stacksnap 2026-11 the name of a root's key";
const MAC_CONTEXT: &str = "stacksnap 2026-11 the seal of a manifest";
const KEY_BYTES: usize = 32;
const ID_DIGITS: usize = 16;

/// A key. The program never writes it into any output.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; KEY_BYTES]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

impl Key {
    #[cfg(test)]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// 16 hexadecimal digits that identify the key and reveal nothing about it.
    pub fn id(&self) -> String {
        let mut id = hex(&blake3::derive_key(ID_CONTEXT, &self.0));
        id.truncate(ID_DIGITS);
        id
    }

    /// The keyed BLAKE3 hash of a message.
    pub fn mac(&self, message: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&blake3::derive_key(MAC_CONTEXT, &self.0), message)
    }

    /// The key of a root folder; `None` if it has none. `Configuration` if the file cannot be used as a key.
    pub fn of(root: &Path) -> Result<Option<Self>> {
        read(&root.join(ROOT_KEY))
    }

    /// The key of a root folder, created if there is none. The caller holds the root's lock.
    pub fn own(root: &Path) -> Result<Self> {
        if let Some(key) = Self::of(root)? {
            return Ok(key);
        }
        let mut bytes = [0; KEY_BYTES];
        let made = getrandom::fill(&mut bytes)
            .map_err(|e| io::Error::other(e.to_string()))
            .and_then(|()| write_new(root, &bytes));
        match made {
            Ok(()) => Ok(Self(bytes)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::of(root)?
                .ok_or_else(|| Failure::msg(FailureKind::Failed, "the root's key was removed by another process")),
            Err(error) => {
                let place = visible(&root.join(ROOT_KEY).to_string_lossy());
                Err(Failure::from(error).context(format!("cannot create the root's key {place}")))
            }
        }
    }

    /// The root's key, and keys of other roots that were placed alongside it as `.stacksnap.key.NAME`.
    pub fn trusted(root: &Path) -> Result<Vec<Self>> {
        let mut keys: Vec<Self> = Self::of(root)?.into_iter().collect();
        let Ok(listing) = std::fs::read_dir(root) else { return Ok(keys) };
        let prefix = format!("{ROOT_KEY}.");
        let mut names: Vec<String> = listing.flatten().filter_map(|item| item.file_name().into_string().ok()).collect();
        names.retain(|name| name.starts_with(&prefix));
        names.sort();
        for name in names {
            keys.extend(read(&root.join(name))?);
        }
        Ok(keys)
    }
}

/// Atomic: written to a temporary file, synced, then renamed, never over an existing file.
fn write_new(root: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".stacksnap.").tempfile_in(root)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(root.join(ROOT_KEY)).map_err(|e| e.error)?;
    File::open(root)?.sync_all()
}

fn read(place: &Path) -> Result<Option<Key>> {
    let shown = visible(&place.to_string_lossy());
    let Some(file) = ownership::open(place, "the key", Last::NoLink)? else { return Ok(None) };
    let mode = file.metadata()?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(unusable(&shown, &format!("its mode is {mode:04o}: others may read or change it"))
            .hint(format!("if no other user can have read it, run: chmod 600 {shown}")));
    }
    let mut bytes = Vec::new();
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let length = bytes.len();
    match <[u8; KEY_BYTES]>::try_from(bytes) {
        Ok(bytes) => Ok(Some(Key(bytes))),
        Err(_) if length > KEY_BYTES => Err(unusable(&shown, "it is longer than 32 bytes")),
        Err(_) => Err(unusable(&shown, &format!("it has {length} bytes, a key has 32"))),
    }
}

fn unusable(shown: &str, why: &str) -> Failure {
    Failure::msg(FailureKind::Configuration, format!("the key {shown} cannot be used: {why}")).hint(
        "restore the right file from a copy; if there is none, move this one away: create makes a new key, and older \
         snapshots are then restored with --vouch",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_key_is_made_once_and_private() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Key::of(root.path()).unwrap(), None);
        let key = Key::own(root.path()).unwrap();
        assert_eq!(Key::own(root.path()).unwrap(), key);
        assert_eq!(Key::of(root.path()).unwrap(), Some(key.clone()));
        let place = root.path().join(ROOT_KEY);
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "nothing else is left");
        let secret = hex(&std::fs::read(&place).unwrap());
        assert!(!secret.contains(&key.id()) && !format!("{key:?}").contains(&secret[..8]));
    }

    #[test]
    fn what_is_no_private_file_of_32_bytes_is_no_key() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join(ROOT_KEY);
        Key::own(root.path()).unwrap();
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o640)).unwrap();
        let failure = Key::own(root.path()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Configuration);
        assert!(failure.to_string().contains("0640"), "{failure}");
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o600)).unwrap();
        for length in [0, 31, 33] {
            std::fs::write(&place, vec![7; length]).unwrap();
            assert_eq!(Key::own(root.path()).unwrap_err().kind, FailureKind::Configuration, "{length}");
        }
        std::fs::rename(&place, root.path().join("aside")).unwrap();
        symlink("aside", &place).unwrap();
        assert!(Key::of(root.path()).is_err());
    }

    #[test]
    fn keys_of_other_roots_lie_beside() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let theirs = Key::own(other.path()).unwrap();
        std::fs::copy(other.path().join(ROOT_KEY), one.path().join(".stacksnap.key.laptop")).unwrap();
        assert_eq!(Key::trusted(one.path()).unwrap(), std::slice::from_ref(&theirs));
        assert_eq!(Key::of(one.path()).unwrap(), None);
        let own = Key::own(one.path()).unwrap();
        assert_eq!(Key::trusted(one.path()).unwrap(), [own, theirs]);
        assert!(Key::trusted(&one.path().join("nowhere")).unwrap().is_empty());
    }
}
