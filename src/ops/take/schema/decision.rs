//! Is the schema of a new snapshot verified, and by which server?
//!
//! Invariant: without a word of the user's it is done only where it can do no harm: as root, by a server of the source's
//! own major that runs as a user without rights. Whoever is not root cannot give such a server to somebody else; it would
//! run with all rights of theirs, so they are asked first.

use crate::config::Verify;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::manifest::SnapshotKind;
use crate::pgtools::client::SearchPlaces;
use crate::pgtools::cluster::Prospect;

/// What the settings and the kind of the snapshot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    No(&'static str),
    /// In so many words: then no answer is a failure.
    Asked,
    /// By default.
    WhereItCan,
}

pub fn wanted(verify: Option<Verify>, kind: SnapshotKind) -> Wanted {
    match verify {
        Some(Verify::Nothing) => Wanted::No("switched off (--verify none)"),
        Some(Verify::Restore) => Wanted::No("all of it is restored afterwards (--verify restore)"),
        _ if kind != SnapshotKind::Full => Wanted::No("only a full snapshot is restored whole"),
        Some(Verify::Schema) => Wanted::Asked,
        None => Wanted::WhereItCan,
    }
}

/// The server that would do it. `NotProven` says why there is none, or why it is not taken without being asked.
pub fn foreseen(programs: &SearchPlaces, source_version_num: u32, requested: bool) -> Result<Prospect> {
    let prospect = Prospect::find(programs, source_version_num)?;
    match refusal(source_version_num / 10_000, prospect.server.major, prospect.is_without_rights()) {
        Some(why) if !requested => Err(Failure::msg(FailureKind::NotProven, why)
            .hint("it is done when it is asked for: --verify schema, or verify = \"schema\" in stacksnap.toml")),
        _ => Ok(prospect),
    }
}

/// Why a server is not taken by default.
fn refusal(source: u32, server: u32, without_rights: bool) -> Option<String> {
    if server != source {
        return Some(format!(
            "no PostgreSQL {source} server is installed here, only {server}, which is taken on request (--verify schema)"
        ));
    }
    (!without_rights).then(|| {
        "a throw-away server could not run as another user without rights, so it is started on request only \
         (--verify schema)"
            .to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_before_the_default() {
        let full = |verify| wanted(verify, SnapshotKind::Full);
        assert_eq!(full(None), Wanted::WhereItCan);
        assert_eq!(full(Some(Verify::Schema)), Wanted::Asked);
        assert!(matches!(full(Some(Verify::Nothing)), Wanted::No(_)));
        assert!(matches!(full(Some(Verify::Restore)), Wanted::No(_)));
        assert!(matches!(wanted(Some(Verify::Schema), SnapshotKind::Partial), Wanted::No(_)));
    }

    #[test]
    fn by_default_only_the_own_major_as_a_user_without_rights() {
        assert_eq!(refusal(17, 17, true), None);
        assert!(refusal(17, 18, true).unwrap().contains("no PostgreSQL 17"));
        assert!(refusal(17, 17, false).unwrap().contains("without rights"));
    }
}
