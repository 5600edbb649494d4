//! What row security showed a stranger and a signed-in user, table by table: taken of the source, compared with the target.
//!
//! Invariant: it holds numbers, never a row. What could not be seen in time is not compared, and what the source was not
//! asked is no difference. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::name::visible;
use super::restore::{ProbeOutcome, ProofFinding};

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
    fn is_as(&self, other: &Self) -> bool {
        self == other || matches!((self, other), (Self::Refused(_), Self::Refused(_)))
    }
}

impl RlsView {
    /// The probe that stands for it where there is nothing to compare with.
    pub fn outcome(&self) -> ProbeOutcome {
        let name = "rls_with_claims".to_string();
        if self.seen.is_empty() {
            let detail = "no table with row security that anon or authenticated may read".to_string();
            return ProbeOutcome { name, passed: None, detail };
        }
        let (mut rows, mut refused, mut slow) = (0, Vec::new(), 0);
        for (what, seen) in &self.seen {
            match seen {
                RlsSeen::Rows(n) => rows += n,
                RlsSeen::Refused(_) => refused.push(visible(what)),
                RlsSeen::TooSlow => slow += 1,
            }
        }
        let mut detail = format!("{} tables looked at, {rows} rows seen", self.seen.len());
        if !refused.is_empty() {
            detail.push_str(&format!(", refused: {}", refused.join(", ")));
        }
        if slow > 0 {
            detail.push_str(&format!(", {slow} took too long"));
        }
        ProbeOutcome { name, passed: Some(true), detail }
    }
}

/// A comparison of two views.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RlsComparison {
    /// How many looks were compared.
    pub compared: u64,
    /// What differs, with the plain name of its table.
    pub differences: Vec<(String, ProofFinding)>,
    /// Looks that were not compared, by key: one of the two took too long, or `wanted` said no.
    pub left_out: Vec<String>,
}

/// What shows more, less or something else than it did, for the same user. `wanted` is asked for the plain name of
/// each table.
pub fn compare(source: &RlsView, target: &RlsView, wanted: impl Fn(&str) -> bool) -> RlsComparison {
    let mut found = RlsComparison::default();
    let keys: BTreeSet<&String> = source.seen.keys().chain(target.seen.keys()).collect();
    for key in keys {
        let Some((role, table)) = key.split_once(' ') else { continue };
        if !source.roles.contains(role) || !target.roles.contains(role) {
            continue;
        }
        let (was, is) = (source.seen.get(key), target.seen.get(key));
        let slow = [was, is].contains(&Some(&RlsSeen::TooSlow));
        let another_user = role == "authenticated" && source.user != target.user;
        if slow || another_user || !wanted(table) {
            found.left_out.push(key.clone());
            continue;
        }
        found.compared += 1;
        let same = match (was, is) {
            (Some(was), Some(is)) => was.is_as(is),
            (was, is) => was.is_none() && is.is_none(),
        };
        if !same {
            let (what, expected) = (format!("as {role}: {}", visible(table)), said(was));
            let finding = ProofFinding { code: "rls_differs".to_string(), what, expected, found: said(is) };
            found.differences.push((table.to_string(), finding));
        }
    }
    found
}

fn said(seen: Option<&RlsSeen>) -> String {
    match seen {
        None => "not readable".to_string(),
        Some(RlsSeen::Rows(ROWS_MAX)) => format!("{ROWS_MAX} rows or more"),
        Some(RlsSeen::Rows(rows)) => format!("{rows} rows"),
        Some(RlsSeen::Refused(why)) => why.clone(),
        Some(RlsSeen::TooSlow) => "took too long".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(seen: &[(&str, RlsSeen)]) -> RlsView {
        RlsView {
            user: Some("u".into()),
            not_asked: None,
            roles: ["anon".to_string(), "authenticated".to_string()].into(),
            seen: seen.iter().map(|(n, s)| ((*n).to_string(), s.clone())).collect(),
        }
    }

    fn whats(comparison: &RlsComparison) -> Vec<&str> {
        comparison.differences.iter().map(|(_, f)| f.what.as_str()).collect()
    }

    #[test]
    fn more_rows_and_tables_that_came_or_went_are_told() {
        let was =
            view(&[("anon p.a", RlsSeen::Rows(1)), ("anon p.b", RlsSeen::Rows(1)), ("anon p.c", RlsSeen::TooSlow)]);
        let is =
            view(&[("anon p.a", RlsSeen::Rows(2)), ("anon p.c", RlsSeen::Rows(9)), ("anon p.d", RlsSeen::Rows(0))]);
        let found = compare(&was, &is, |_| true);
        assert_eq!(whats(&found), ["as anon: p.a", "as anon: p.b", "as anon: p.d"]);
        assert_eq!((found.compared, found.left_out), (3, vec!["anon p.c".to_string()]));
        let same = compare(&was, &was, |_| true);
        assert_eq!((same.compared, same.differences), (2, vec![]));
    }

    #[test]
    fn what_was_not_asked_or_is_not_wanted_is_no_difference() {
        let was = view(&[("anon p.a", RlsSeen::Rows(1)), ("authenticated p.a", RlsSeen::Refused("Zugriff".into()))]);
        let is = view(&[("anon p.a", RlsSeen::Rows(2)), ("authenticated p.a", RlsSeen::Refused("denied".into()))]);
        assert_eq!(whats(&compare(&was, &is, |_| true)), ["as anon: p.a"]);
        assert!(compare(&was, &is, |table| table != "p.a").differences.is_empty());
        let not_asked = RlsView { roles: ["authenticated".to_string()].into(), ..was.clone() };
        assert!(compare(&not_asked, &is, |_| true).differences.is_empty());
        let another = RlsView { user: None, ..was };
        assert_eq!(compare(&another, &is, |_| true).left_out, ["authenticated p.a"]);
    }
}
