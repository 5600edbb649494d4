//! `doc/rules.md` and the code name the same rules: what is cited is defined there, and the tests of a rule are listed.

use std::collections::{BTreeMap, BTreeSet};

use super::{assert_none, package, quoted, walk};

const DOCUMENT: &str = "doc/rules.md";

/// A rule's name (`R7`, `trap 5`, `threat 5`) and the tests that the document lists for it.
fn defined() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(package().join(DOCUMENT)).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")).map(|row| row.split(" | ").collect::<Vec<_>>());
    let rows = rows.filter(|cells| cells.len() == 3 && cells[0].ends_with(|c: char| c.is_ascii_digit()));
    rows.map(|cells| (cells[0].to_string(), quoted(cells[2]))).collect()
}

/// Everything that may cite a rule, by path. This file speaks of rules without citing one.
fn citing() -> Vec<(String, String)> {
    let folders = ["src", "tests", "templates", "scripts"].into_iter().flat_map(walk);
    let files = folders.filter(|path| !path.ends_with("architecture/rules.rs"));
    files.filter_map(|path| Some((path.clone(), std::fs::read_to_string(package().join(path)).ok()?))).collect()
}

fn leading_number(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0 && end <= 2).then(|| &text[..end])
}

/// `R7`, and every number of `trap 5`, `traps 5, 9 and 18`, `threat 5`.
fn cited(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices('R') {
        let begins = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let number = leading_number(&text[at + 1..]);
        if let Some(number) = number.filter(|n| begins && !text[at + 1 + n.len()..].starts_with(char::is_alphanumeric))
        {
            found.insert(format!("R{number}"));
        }
    }
    for word in ["trap", "threat"] {
        for (at, _) in text.match_indices(word) {
            let mut rest = text[at + word.len()..].trim_start_matches('s');
            while let Some((number, after)) = ["\u{20}", ", ", " and "].into_iter().find_map(|between| {
                let after = rest.strip_prefix(between)?;
                leading_number(after).map(|number| (number, &after[number.len()..]))
            }) {
                found.insert(format!("{word} {number}"));
                rest = after;
            }
        }
    }
    found
}

/// Names of test functions that begin with a rule's, with that rule: `trap_5_…` holds `trap 5`.
fn named_after_rules(text: &str) -> Vec<(String, String)> {
    let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
    let rule = |name: &str| {
        let (word, rest) = name.split_once('_').unwrap_or((name, ""));
        match word {
            "trap" | "threat" => leading_number(rest).map(|number| format!("{word} {number}")),
            _ => word.strip_prefix('r').filter(|n| leading_number(n) == Some(n)).map(|number| format!("R{number}")),
        }
    };
    names.filter_map(|name| Some((rule(name)?, name.to_string()))).collect()
}

#[test]
fn every_rule_that_is_cited_is_defined_and_lists_its_tests() {
    let (defined, mut broken) = (defined(), Vec::new());
    assert!(defined.len() > 80, "{DOCUMENT} has {} rules", defined.len());
    let files = citing();
    for (path, text) in &files {
        let missing = cited(text).into_iter().filter(|rule| !defined.contains_key(rule));
        broken.extend(missing.map(|rule| format!("{path} cites {rule}, which {DOCUMENT} does not define")));
        for (rule, test) in named_after_rules(text) {
            if !defined.get(&rule).is_some_and(|tests| tests.contains(&test)) {
                broken.push(format!("{path}: {test} holds {rule}, where {DOCUMENT} does not list it"));
            }
        }
    }
    let code: String = files.into_iter().map(|(_, text)| text).collect();
    for (rule, tests) in &defined {
        if tests.is_empty() {
            broken.push(format!("{DOCUMENT}: no test holds {rule}"));
        }
        let absent = tests.iter().filter(|test| !code.contains(&format!("fn {test}(")));
        broken.extend(absent.map(|test| format!("{DOCUMENT}: {rule} lists {test}, which does not exist")));
    }
    assert_none("Rules and tests name each other.", &broken);
}

#[test]
fn citations_are_found() {
    let rules = cited("(R1, trap 6) traps 5, 9 and 18; threats 3 and 4: R32. ROW 5, TR5, trapped, R123, R7x, trap_8_x");
    let expected = ["R1", "R32", "threat 3", "threat 4", "trap 18", "trap 5", "trap 6", "trap 9"];
    assert_eq!(rules.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let tests = named_after_rules("fn r13_a() fn trap_5_b(x) async fn threat_2_c<T>() fn read_14() fn rows()");
    assert_eq!(tests.iter().map(|(rule, _)| rule.as_str()).collect::<Vec<_>>(), ["R13", "trap 5", "threat 2"]);
}
