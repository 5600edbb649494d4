//! Rows that row security shows to an anonymous and to a signed-in user, per table: source compared with target.
//!
//! Invariant: it never holds a row, only row counts. `verify/proof/rls` compares two of them: a probe that timed out is
//! not compared, and a probe that the source did not run is no difference. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Counting stops at this number: it is only a probe.
pub const ROWS_MAX: u64 = 1000;

/// What one role saw in one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RlsSeen {
    /// At most [`ROWS_MAX`].
    Rows(u64),
    /// The server's error message.
    Refused(String),
    TooSlow,
}

/// The results of all probes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RlsView {
    /// The user whose JWT claims were set. `None`: there is no user, or `auth.users` is not readable.
    pub user: Option<String>,
    /// Why no probe ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
    /// The roles that were probed.
    pub roles: BTreeSet<String>,
    /// Key: role, blank, plain table name, e.g. `anon public.t`.
    pub seen: BTreeMap<String, RlsSeen>,
}

impl RlsSeen {
    /// Error messages differ between servers and languages: two refusals count as equal.
    pub fn is_as(&self, other: &Self) -> bool {
        self == other || matches!((self, other), (Self::Refused(_), Self::Refused(_)))
    }
}
