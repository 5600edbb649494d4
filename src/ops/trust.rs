//! May this snapshot be restored here? A restore runs the snapshot's code with the rights of the restoring role.
//!
//! Invariant: it decides after the checksums and before the plan. A snapshot that this root's key did not sign is
//! refused, unless the user vouches for exactly this manifest or asks for the fence of `--untrusted`. In doubt it
//! refuses (13).

use std::collections::BTreeSet;
use std::path::Path;

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::manifest::Manifest;
use crate::model::name::visible;
use crate::restore::source::SnapshotSource;
use crate::snapshot::layout::ROOT_KEY;
use crate::snapshot::signature::SignedBy;
use crate::verify::Verification;

/// Digits of `manifest_sha256` that `--vouch` needs at least.
pub const VOUCH_DIGITS_MIN: usize = 12;

/// What the user said about the origin of the snapshot.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `--vouch`: the first digits of the manifest's checksum.
    pub vouch: Option<&'a str>,
    /// `--untrusted`: the restore is fenced in, whoever signed the snapshot.
    pub untrusted: bool,
}

/// Refuses (`Integrity`) a snapshot of unknown origin. `verification` is the good verification of `place`.
pub fn require_trusted_origin(place: &Path, root: &Path, verification: &Verification, asked: &Asked<'_>) -> Result<()> {
    let sha256 = verification.manifest_sha256.as_deref().unwrap_or_default();
    if let Some(vouch) = asked.vouch {
        return vouched(place, vouch, sha256);
    }
    let why = match &verification.seal {
        Some(SignedBy::Ours) => return Ok(()),
        _ if asked.untrusted => return Ok(()),
        Some(SignedBy::Foreign { key_id }) => format!("another key signed it: {key_id}"),
        _ => "it has no signature".to_string(),
    };
    let text = format!("nothing was written: {} was not signed with this root's key: {why}", name(place));
    let failure = Failure::msg(FailureKind::Integrity, text).hint(
        "a restore runs what a snapshot holds (functions, triggers, SQL files) with the rights of the restoring role: \
         its author could take over the server",
    );
    Err(ways(failure, root, verification, sha256))
}

/// Adds the user's options as hints.
fn ways(failure: Failure, root: &Path, verification: &Verification, sha256: &str) -> Failure {
    let mut failure = failure;
    if matches!(verification.seal, Some(SignedBy::Foreign { .. })) {
        let beside = visible(&root.join(format!("{ROOT_KEY}.OTHER")).to_string_lossy());
        failure = failure.hint(format!(
            "if the key is yours, from another machine: copy {ROOT_KEY} of the root folder there to {beside}, mode 0600, \
             over a private channel"
        ));
    }
    let digits = sha256.get(..VOUCH_DIGITS_MIN).unwrap_or(sha256);
    failure
        .hint(format!(
            "if you trust it: compare these digits with those of stacksnap show where it was taken, then give \
             --vouch {digits} (to restore or drill)"
        ))
        .hint(
            "if you do not: stacksnap restore --untrusted restores tables and rows into an empty database as a role \
             without rights, and runs none of its files",
        )
}

/// Checks that the digits match this manifest.
fn vouched(place: &Path, vouch: &str, sha256: &str) -> Result<()> {
    if vouch.len() >= VOUCH_DIGITS_MIN && sha256.starts_with(&vouch.to_ascii_lowercase()) {
        return Ok(());
    }
    let text =
        format!("nothing was written: {} is not the snapshot that --vouch {} names", name(place), visible(vouch));
    let digits = sha256.get(..VOUCH_DIGITS_MIN).unwrap_or(sha256);
    Err(Failure::msg(FailureKind::Integrity, text)
        .hint(format!("its manifest_sha256 begins with {digits}: check where it comes from before you vouch for it")))
}

fn name(place: &Path) -> String {
    visible(&place.file_name().unwrap_or(place.as_os_str()).to_string_lossy())
}

/// A data file that the manifest does not list: no checksum was verified, so it could be any file of this machine.
fn unlisted_rows(manifest: &Manifest) -> Option<&str> {
    let listed: BTreeSet<&str> = manifest.artifacts.iter().map(|a| a.path.as_str()).collect();
    manifest.tables.iter().filter_map(|t| t.data_file.as_deref()).find(|path| !listed.contains(path))
}

/// Opens the snapshot, and checks that it is the one that was verified.
pub fn open(place: &Path, verification: &Verification) -> Result<SnapshotSource> {
    let source = SnapshotSource::open(place)?;
    if let Some(path) = unlisted_rows(&source.manifest) {
        let text =
            format!("nothing was written: the manifest has rows in {}, a file that it does not list", visible(path));
        return Err(
            Failure::msg(FailureKind::Integrity, text).hint("do not restore from it: its manifest was edited by hand")
        );
    }
    if verification.manifest_sha256.as_ref() == Some(&source.manifest.manifest_sha256) {
        return Ok(source);
    }
    Err(Failure::msg(FailureKind::Integrity, "nothing was written: the snapshot was changed after it was verified")
        .hint("another user or program writes to its folder: copy it to a folder where only you may write"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Level, Verdict};

    fn verification(seal: Option<SignedBy>) -> Verification {
        Verification {
            level: Level::Checksum,
            verdict: Verdict::Good,
            findings: vec![],
            files: 1,
            bytes_total: 1,
            duration_ms: 1,
            seal,
            manifest_sha256: Some("0123456789abcdef".repeat(4)),
        }
    }

    fn ask(seal: Option<SignedBy>, asked: Asked<'_>) -> Result<()> {
        require_trusted_origin(Path::new("x/snap"), Path::new("root"), &verification(seal), &asked)
    }

    #[test]
    fn only_our_own_needs_nobodys_word() {
        let foreign = || Some(SignedBy::Foreign { key_id: "00".repeat(8) });
        assert!(ask(Some(SignedBy::Ours), Asked::default()).is_ok());
        for seal in [None, Some(SignedBy::Unsigned), foreign()] {
            let failure = ask(seal.clone(), Asked::default()).unwrap_err();
            assert_eq!(failure.kind.exit_code(), 13);
            assert!(ask(seal, Asked { untrusted: true, ..Asked::default() }).is_ok());
        }
        let all = ask(foreign(), Asked::default()).unwrap_err().hints.join("\n");
        assert!(all.contains("--vouch 0123456789ab") && all.contains("--untrusted") && all.contains(ROOT_KEY), "{all}");
    }

    #[test]
    fn a_word_holds_for_one_manifest_and_needs_enough_digits() {
        let vouch = |digits| ask(Some(SignedBy::Unsigned), Asked { vouch: Some(digits), ..Asked::default() });
        assert!(vouch("0123456789ab").is_ok() && vouch("0123456789ABCDEF").is_ok());
        for wrong in ["0123456789a", "0123456789ac", "", "1123456789ab"] {
            assert_eq!(vouch(wrong).unwrap_err().kind, FailureKind::Integrity, "{wrong}");
        }
        // `--vouch` is checked even for a snapshot of our own key: another one than the named one is refused.
        assert!(ask(Some(SignedBy::Ours), Asked { vouch: Some("ffffffffffff"), ..Asked::default() }).is_err());
    }
}
