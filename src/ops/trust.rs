//! May this snapshot run its code here? Restoring one means to run what it holds, with the rights of who restores.
//!
//! Invariant: after the checksums and before anything is planned. What this root did not seal is refused unless somebody
//! vouches for this very manifest, or asks for the fence of `--untrusted`. A doubt is a refusal (13).

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

/// What was asked about a snapshot that may be another's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `--vouch`: the first digits of the manifest's checksum.
    pub vouch: Option<&'a str>,
    /// `--untrusted`: it is fenced in anyway.
    pub untrusted: bool,
}

/// Refuses (`Integrity`) a snapshot that nobody answers for. `verification` is that of `place`, and good.
pub fn demand(place: &Path, root: &Path, verification: &Verification, asked: &Asked<'_>) -> Result<()> {
    let sha256 = verification.manifest_sha256.as_deref().unwrap_or_default();
    if let Some(vouch) = asked.vouch {
        return vouched(place, vouch, sha256);
    }
    let why = match &verification.seal {
        Some(SignedBy::Ours) => return Ok(()),
        _ if asked.untrusted => return Ok(()),
        Some(SignedBy::Foreign { key_id }) => format!("it has the signature of another one, {key_id}"),
        _ => "it has no signature".to_string(),
    };
    let text = format!("nothing was written: {} was not sealed with this root's key: {why}", name(place));
    let failure = Failure::msg(FailureKind::Integrity, text).hint(
        "a restore runs what a snapshot holds (functions, triggers, SQL files) with the rights of the role that restores: \
         whoever made it could take the server over",
    );
    Err(ways(failure, root, verification, sha256))
}

/// What somebody can do about it.
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
            "you know it: compare these digits with those that stacksnap show prints where it was taken, then say \
             --vouch {digits} (to restore or drill)"
        ))
        .hint(
            "you do not know it: stacksnap restore --untrusted brings tables and rows into an empty database as a role \
             without rights, and runs none of its files",
        )
}

/// The digits are those of this manifest.
fn vouched(place: &Path, vouch: &str, sha256: &str) -> Result<()> {
    if vouch.len() >= VOUCH_DIGITS_MIN && sha256.starts_with(&vouch.to_ascii_lowercase()) {
        return Ok(());
    }
    let text =
        format!("nothing was written: {} is not the snapshot that --vouch {} names", name(place), visible(vouch));
    let digits = sha256.get(..VOUCH_DIGITS_MIN).unwrap_or(sha256);
    Err(Failure::msg(FailureKind::Integrity, text)
        .hint(format!("its manifest_sha256 begins with {digits}: ask where it comes from before you vouch for that")))
}

fn name(place: &Path) -> String {
    visible(&place.file_name().unwrap_or(place.as_os_str()).to_string_lossy())
}

/// A file of rows that no checksum was verified of: it could be any file of this machine.
fn unlisted_rows(manifest: &Manifest) -> Option<&str> {
    let listed: BTreeSet<&str> = manifest.artifacts.iter().map(|a| a.path.as_str()).collect();
    manifest.tables.iter().filter_map(|t| t.data_file.as_deref()).find(|path| !listed.contains(path))
}

/// Opens the very snapshot that was verified.
pub fn open(place: &Path, verification: &Verification) -> Result<SnapshotSource> {
    let source = SnapshotSource::open(place)?;
    if let Some(path) = unlisted_rows(&source.manifest) {
        let text = format!(
            "nothing was written: the manifest says that rows are in {}, which it does not list",
            visible(path)
        );
        return Err(Failure::msg(FailureKind::Integrity, text).hint("do not restore from it: somebody made it by hand"));
    }
    if verification.manifest_sha256.as_ref() == Some(&source.manifest.manifest_sha256) {
        return Ok(source);
    }
    Err(Failure::msg(FailureKind::Integrity, "nothing was written: the snapshot was changed after it was verified")
        .hint("somebody else writes to its folder: copy it to where only you may write"))
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
        demand(Path::new("x/snap"), Path::new("root"), &verification(seal), &asked)
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
        // Nor is another one than the named one restored because it is ours.
        assert!(ask(Some(SignedBy::Ours), Asked { vouch: Some("ffffffffffff"), ..Asked::default() }).is_err());
    }
}
