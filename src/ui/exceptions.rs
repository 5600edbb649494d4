//! What is not there, or not as it was, for a person.
//!
//! Invariant: what has one reason is told once, with the names of all that it is about or their number; names cannot
//! steer a terminal.

use super::text::line;
use crate::model::left_out::LeftOut;
use crate::model::restore::Exception;

/// How many names of one reason are shown.
const NAMES_MAX: usize = 4;
/// How many reasons are shown before the list is folded.
const FOLD_MAX: usize = 20;

/// The list under its title, and an empty line.
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

/// Those with the same reason together, in the order in which the first of each came.
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

/// What is less protected than in the source, or differs for no reason that anybody knows: it decides the exit code.
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

/// Steps for a person, and an empty line.
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
