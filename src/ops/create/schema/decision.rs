//! Decides whether the schema of a new snapshot is verified, and by which server.
//!
//! Invariant: by default it is verified only where that is harmless: as root, by a server of the source's own major
//! that runs as a user without rights. Without root the server would run with all rights of the calling user, so the
//! user has to ask for it.

use crate::config::Verify;
use crate::model::failure::{Failure, FailureKind};
use crate::model::manifest::SnapshotKind;
use crate::pgtools::client::SearchPlaces;
use crate::pgtools::cluster::{Prospect, servers};

/// The decision that the settings and the kind of the snapshot make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    No(&'static str),
    /// Requested explicitly: a verification that cannot run is a failure.
    Asked,
    /// Not requested: verify if it is possible and harmless.
    WhereItCan,
}

pub fn wanted(verify: Option<Verify>, kind: SnapshotKind) -> Wanted {
    match verify {
        Some(Verify::Nothing) => Wanted::No("switched off (--verify none)"),
        Some(Verify::Restore) => Wanted::No("the whole snapshot is restored afterwards (--verify restore)"),
        _ if kind != SnapshotKind::Full => Wanted::No("only a full snapshot is restored whole"),
        Some(Verify::Schema) => Wanted::Asked,
        None => Wanted::WhereItCan,
    }
}

/// The server that would verify the schema.
pub enum Foreseen {
    Server(Prospect),
    /// A server exists, but it is started on request only. The sentence says why.
    OnRequest(String),
    /// No server is installed, or it cannot run here.
    None(Failure),
}

/// Looks for a server. `requested` also accepts servers that the default does not use.
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
            "a throw-away server cannot run as a user without rights here: it is started on request \
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
