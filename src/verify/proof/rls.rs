//! Compares what row security showed in the source with what it shows in the target.
//!
//! Invariant: pure. Tables that one side could not read in time, or did not probe, are left out and named.

use std::collections::BTreeSet;

use crate::model::name::visible;
use crate::model::restore::{ProbeOutcome, ProofFinding};
use crate::model::rls_view::{ROWS_MAX, RlsSeen, RlsView};

/// The outcome of the probe if there is nothing to compare with.
pub fn outcome(view: &RlsView) -> ProbeOutcome {
    let name = "rls_with_claims".to_string();
    if view.seen.is_empty() {
        let detail = "no table with row security that anon or authenticated may read".to_string();
        return ProbeOutcome { name, passed: None, detail };
    }
    let (mut rows, mut refused, mut slow) = (0, Vec::new(), 0);
    for (what, seen) in &view.seen {
        match seen {
            RlsSeen::Rows(n) => rows += n,
            RlsSeen::Refused(_) => refused.push(visible(what)),
            RlsSeen::TooSlow => slow += 1,
        }
    }
    let mut detail = format!("{} tables probed, {rows} rows visible", view.seen.len());
    if !refused.is_empty() {
        detail.push_str(&format!(", refused: {}", refused.join(", ")));
    }
    if slow > 0 {
        detail.push_str(&format!(", {slow} took too long"));
    }
    ProbeOutcome { name, passed: Some(true), detail }
}

/// A comparison of two views.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RlsComparison {
    /// How many pairs of role and table were compared.
    pub compared: u64,
    /// The differences, with the plain name of the table.
    pub differences: Vec<(String, ProofFinding)>,
    /// Pairs that were not compared, by key: a probe took too long, the user differs, or `wanted` returned false.
    pub left_out: Vec<String>,
}

/// Finds tables that show more, fewer or other rows than in the source to the same user. `wanted` gets the plain name
/// of each table.
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
            let (what, expected) = (format!("as {role}: {}", visible(table)), shown(was));
            let finding = ProofFinding { code: "rls_differs".to_string(), what, expected, found: shown(is) };
            found.differences.push((table.to_string(), finding));
        }
    }
    found
}

fn shown(seen: Option<&RlsSeen>) -> String {
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
