//! The text of exceptions: what is missing or different after a restore.
//!
//! Invariant: exceptions with the same reason are grouped, with their names or their number; control characters in
//! names never reach the terminal.

use super::text::line;
use crate::model::left_out::LeftOut;
use crate::model::restore::Exception;

/// Maximum number of names shown per reason.
const NAMES_MAX: usize = 4;
/// Maximum number of reasons shown of a folded list.
const FOLD_MAX: usize = 20;

/// Appends the list under its title, and an empty line.
pub fn exceptions(out: &mut String, title: &str, exceptions: &[Exception], long: bool) {
    if exceptions.is_empty() {
        return;
    }
    out.push_str(&format!("{title}\n"));
    let groups = by_reason(exceptions);
    let shown = if long { groups.len() } else { groups.len().min(FOLD_MAX) };
    for group in &groups[..shown] {
        let first = group[0];
        let names_max = if long { group.len() } else { NAMES_MAX };
        let mut names: Vec<String> = group.iter().take(names_max).map(|e| line(&e.what)).collect();
        if group.len() > names_max {
            names.push(format!("and {} more", group.len() - names_max));
        }
        out.push_str(&format!("  - {}: {} ({})\n", names.join(", "), line(&first.why), line(&first.code)));
        if !first.todo.is_empty() {
            out.push_str(&format!("    what to do: {}\n", line(&first.todo)));
        }
    }
    if groups.len() > shown {
        out.push_str(&format!("  … and {} more, all in the record and with -o json\n", groups.len() - shown));
    }
    out.push('\n');
}

/// Groups exceptions by code, why and todo, in the order of their first occurrence.
fn by_reason(exceptions: &[Exception]) -> Vec<Vec<&Exception>> {
    let mut groups: Vec<Vec<&Exception>> = Vec::new();
    for exception in exceptions {
        let same = |group: &&mut Vec<&Exception>| {
            (&group[0].code, &group[0].why, &group[0].todo) == (&exception.code, &exception.why, &exception.todo)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(exception),
            None => groups.push(vec![exception]),
        }
    }
    groups
}

/// Appends what is less protected than in the source, or differs for an unknown reason: this gives exit code 13.
pub fn open(out: &mut String, left_out: &[LeftOut]) {
    let names: Vec<String> =
        left_out.iter().filter(|one| one.security || one.is_unexplained()).map(|one| line(&one.what())).collect();
    if !names.is_empty() {
        let (shown, more) = (names.iter().take(NAMES_MAX), names.len().saturating_sub(NAMES_MAX));
        let shown: Vec<&str> = shown.map(String::as_str).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        out.push_str(&format!("   ❌ not protected as in the snapshot: {}{more}\n", shown.join(", ")));
    }
}

/// Appends the manual steps under their title, and an empty line.
pub fn by_hand(out: &mut String, title: &str, manual: &[String]) {
    if manual.is_empty() {
        return;
    }
    out.push_str(&format!("{title}\n"));
    for step in manual {
        out.push_str(&format!("  - {}\n", line(step)));
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_is_told_once() {
        let one = |what: String, why: &str| Exception {
            code: "extension_missing".into(),
            what,
            why: why.into(),
            todo: "install pg_cron".into(),
        };
        let mut all: Vec<Exception> = (0..11).map(|n| one(format!("VIEW public.v{n}"), "left out")).collect();
        all.push(one("extension pg_cron".into(), "the server does not offer it"));
        let mut text = String::new();
        exceptions(&mut text, "not there:", &all, false);
        assert_eq!(
            text,
            "not there:\n  - VIEW public.v0, VIEW public.v1, VIEW public.v2, VIEW public.v3, and 7 more: left out \
             (extension_missing)\n    what to do: install pg_cron\n  \
             - extension pg_cron: the server does not offer it (extension_missing)\n    what to do: install pg_cron\n\n"
        );
        let mut text = String::new();
        exceptions(&mut text, "not there:", &all, true);
        assert!(text.contains("VIEW public.v10"), "{text}");
    }
}
