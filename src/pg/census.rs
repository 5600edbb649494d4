//! The security census: tables without row security, and SECURITY DEFINER functions and tables that `anon` can reach.
//!
//! Invariant: read from the catalogs only, set-based and sorted, names quoted as in SQL; it never writes and never
//! calls a function of the user. Without a role `anon` nothing is exposed to it. It reports exposure, not whether it is
//! intended.

use std::collections::{BTreeMap, BTreeSet};

use super::session::{Row, Session};
use crate::model::failure::Result;
use crate::model::platform::MANAGED_SCHEMAS;
use crate::model::restore::{ProofFinding, SecurityCensus};

/// The code of every finding of [`compare`].
pub const CENSUS_WORSE: &str = "census_worse";

/// Takes the census of the session's database.
pub async fn census(session: &Session) -> Result<SecurityCensus> {
    let managed: &[&str] = &MANAGED_SCHEMAS;
    Ok(SecurityCensus {
        tables_rls_off: texts(&session.rows(include_str!("sql/census_rls_off.sql"), &[&managed]).await?)?,
        definer_functions_anon: texts(&session.rows(include_str!("sql/census_definer.sql"), &[]).await?)?,
        tables_anon: texts(&session.rows(include_str!("sql/census_tables_anon.sql"), &[]).await?)?,
    })
}

/// The first column, in byte order.
fn texts(rows: &[Row]) -> Result<Vec<String>> {
    let mut found: Vec<String> =
        rows.iter().map(|row| row.try_get(0).map_err(anyhow::Error::new)).collect::<Result<_, _>>()?;
    found.sort();
    Ok(found)
}

/// Everything exposed in `after` that was not exposed in `before` (the earlier state, or the source): one finding per
/// object. Reduced exposure is no finding.
pub fn compare(before: &SecurityCensus, after: &SecurityCensus) -> Vec<ProofFinding> {
    let mut findings = Vec::new();
    for table in added(&before.tables_rls_off, &after.tables_rls_off) {
        findings.push(finding(table, "row security on, or no such table", "row security off"));
    }
    for function in added(&before.definer_functions_anon, &after.definer_functions_anon) {
        findings.push(finding(function, "not callable by anon", "SECURITY DEFINER, callable by anon"));
    }
    let known: BTreeMap<String, Access> = before.tables_anon.iter().map(|line| access(line)).collect();
    for line in &after.tables_anon {
        let (table, now) = access(line);
        let was = known.get(&table).cloned().unwrap_or_default();
        if now.is_wider_than(&was) {
            findings.push(finding(&table, &was.said(), &now.said()));
        }
    }
    findings.sort();
    findings
}

fn added<'a>(before: &[String], after: &'a [String]) -> impl Iterator<Item = &'a str> {
    let before: BTreeSet<String> = before.iter().cloned().collect();
    after.iter().filter(move |name| !before.contains(*name)).map(String::as_str)
}

fn finding(what: &str, expected: &str, found: &str) -> ProofFinding {
    ProofFinding {
        code: CENSUS_WORSE.to_string(),
        what: what.to_string(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

/// The privileges in one line of `tables_anon`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Access {
    /// `SELECT`, or `SELECT(column)`.
    rights: BTreeSet<String>,
    guard: String,
}

impl Access {
    fn is_wider_than(&self, was: &Self) -> bool {
        let new_right = |right: &String| {
            // A privilege on the whole table includes every column.
            let whole = right.split('(').next().unwrap_or(right);
            !was.rights.contains(right) && !was.rights.contains(whole)
        };
        let unguarded = !matches!(self.guard.as_str(), "row security on" | "view as its caller");
        self.rights.iter().any(new_right) || (unguarded && self.guard != was.guard)
    }

    fn said(&self) -> String {
        if self.rights.is_empty() {
            return "nothing for anon".to_string();
        }
        let rights: Vec<&str> = self.rights.iter().map(String::as_str).collect();
        format!("anon: {}; {}", rights.join(", "), self.guard)
    }
}

/// Parses `name: RIGHT, RIGHT(column); guard` as the query writes it. Quoted names may contain any character.
fn access(line: &str) -> (String, Access) {
    let (name, rest) = split_unquoted(line, ": ").unwrap_or((line, ""));
    let (mut rights, guard) = split_unquoted(rest, "; ").unwrap_or((rest, ""));
    let mut found = BTreeSet::new();
    while let Some((right, more)) = split_unquoted(rights, ", ") {
        found.insert(right.to_string());
        rights = more;
    }
    found.insert(rights.to_string());
    (name.to_string(), Access { rights: found, guard: guard.to_string() })
}

/// Splits at the first `separator` outside double quotes.
fn split_unquoted<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if !quoted && text[at..].starts_with(separator) {
            return Some((&text[..at], &text[at + separator.len()..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::ident;
    use proptest::prelude::*;

    fn of(off: &[&str], functions: &[&str], tables: &[&str]) -> SecurityCensus {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_string()).collect();
        SecurityCensus {
            tables_rls_off: owned(off),
            definer_functions_anon: owned(functions),
            tables_anon: owned(tables),
        }
    }

    fn worse(before: &[&str], after: &[&str]) -> bool {
        !compare(&of(&[], &[], before), &of(&[], &[], after)).is_empty()
    }

    #[test]
    fn what_is_newly_open_is_named() {
        let found = compare(&of(&["a.b"], &["f()"], &[]), &of(&["a.b", "a.c"], &["f()", "g()"], &[]));
        let named: Vec<&str> = found.iter().map(|f| f.what.as_str()).collect();
        assert_eq!(named, ["a.c", "g()"]);
        assert!(found.iter().all(|f| f.code == CENSUS_WORSE));
    }

    #[test]
    fn only_a_wider_right_is_worse() {
        let on = "p.t: SELECT, INSERT; row security on";
        assert!(!worse(&[on], &[on]) && !worse(&[on], &[]) && worse(&[], &[on]));
        assert!(!worse(&[on], &["p.t: SELECT; row security on"]));
        assert!(worse(&["p.t: SELECT; row security on"], &[on]));
        assert!(worse(&[on], &["p.t: SELECT, INSERT; row security off"]));
        assert!(!worse(&["p.t: SELECT, INSERT; row security off"], &[on]));
        assert!(worse(&["p.t: SELECT(a); row security on"], &["p.t: SELECT(a), SELECT(b); row security on"]));
        assert!(worse(&["p.t: SELECT(a); row security on"], &["p.t: SELECT; row security on"]));
        assert!(!worse(&["p.t: SELECT; row security on"], &["p.t: SELECT(a); row security on"]));
        assert!(worse(&["p.v: SELECT; view as its caller"], &["p.v: SELECT; view"]));
    }

    proptest! {
        #[test]
        fn any_name_survives_its_line(schema in "\\PC{1,12}", table in "\\PC{1,12}", column in "\\PC{1,12}") {
            let name = format!("{}.{}", ident(&schema), ident(&table));
            let right = format!("SELECT({})", ident(&column));
            let (found, access) = access(&format!("{name}: INSERT, {right}; row security on"));
            prop_assert_eq!(found, name);
            prop_assert!(access.rights.contains(&right) && access.rights.len() == 2);
            prop_assert_eq!(access.guard, "row security on");
        }
    }
}
