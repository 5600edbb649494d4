//! What row security showed a stranger and a signed-in user, table by table: taken of the source, compared with the target.
//!
//! Invariant: it holds numbers, never a row. What could not be seen in time is not compared, and what the source was not
//! asked is no difference; `verify/proof/rls` compares. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Counting stops there: it is a probe.
pub const ROWS_MAX: u64 = 1000;

/// What one role saw of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RlsSeen {
    /// At most [`ROWS_MAX`].
    Rows(u64),
    /// The server's words.
    Refused(String),
    TooSlow,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RlsView {
    /// The user whose claims were set. None: there is none, or `auth.users` is not readable.
    pub user: Option<String>,
    /// Why nobody looked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
    /// The roles as which somebody looked.
    pub roles: BTreeSet<String>,
    /// Key: the role, a blank, the plain name of the table, e.g. `anon public.t`.
    pub seen: BTreeMap<String, RlsSeen>,
}

impl RlsSeen {
    /// The words of a refusal differ between servers and languages; that it was refused does not.
    pub fn is_as(&self, other: &Self) -> bool {
        self == other || matches!((self, other), (Self::Refused(_), Self::Refused(_)))
    }
}
