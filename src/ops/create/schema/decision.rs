//! Is the schema of a new snapshot verified, and by which server?
//!
//! Invariant: without a word of the user's it is done only where it can do no harm: as root, by a server of the source's
//! own major that runs as a user without rights. Whoever is not root cannot give such a server to somebody else; it would
//! run with all rights of theirs, so they are asked first.

use crate::config::Verify;
use crate::model::failure::{Failure, FailureKind};
use crate::model::manifest::SnapshotKind;
use crate::pgtools::client::SearchPlaces;
use crate::pgtools::cluster::{Prospect, servers};

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

/// The server that would do it.
pub enum Foreseen {
    Server(Prospect),
    /// There is one; it is started when somebody asks for it. The sentence says why.
    OnRequest(String),
    /// There is none, or it cannot run here.
    None(Failure),
}

/// Looks for one. `requested` takes what the default leaves alone.
pub fn foreseen(programs: &SearchPlaces, source_version_num: u32, requested: bool) -> Foreseen {
    let prospect = match Prospect::find(programs, source_version_num) {
        Ok(prospect) => prospect,
        Err(failure) => return Foreseen::None(failure),
    };
    let (source, server) = (source_version_num / 10_000, prospect.server.major);
    if requested || (server == source && prospect.is_without_rights()) {
        Foreseen::Server(prospect)
    } else if server == source {
        Foreseen::OnRequest(
            "a throw-away server cannot run as another user, without rights here: it is started on request \
             (--verify schema)"
                .to_string(),
        )
    } else {
        let text = format!(
            "no PostgreSQL {source} server is installed here, only {server}, which is taken on request (--verify schema)"
        );
        Foreseen::None(Failure::msg(FailureKind::NotProven, text).hint(servers::install(source)))
    }
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
}
