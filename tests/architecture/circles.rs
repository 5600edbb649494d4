//! No import circles between files: two files that need each other are one idea in the wrong places.
//!
//! A folder's own `mod.rs` (or `name.rs` beside `name/`) and the files below it may name each other: they are one room.

use std::collections::{BTreeMap, BTreeSet};

use super::{File, assert_none, sources};

type Module = Vec<String>;

/// Circles that are known, each with the files in it. A file that is in no circle any more has to leave this list.
const KNOWN: [(&str, &[&str]); 1] = [(
    // A restore's scope is decided from what the platform's services, another platform and users' objects are like, and
    // those are read within a scope. It has to become two types: what is asked for, and what may be touched.
    "restore/target/scope",
    &[
        "restore/failures/leave_out",
        "restore/failures/refusals",
        "restore/objects/converge",
        "restore/objects/delta",
        "restore/objects/members",
        "restore/objects/replace",
        "restore/objects/roles",
        "restore/parts/replication",
        "restore/rows/policy",
        "restore/rows/tables",
        "restore/target/built_on",
        "restore/target/libraries",
        "restore/target/other_platform",
        "restore/target/scope",
        "restore/target/services",
        "restore/target/state",
        "restore/target/versions",
    ],
)];

/// `pg/session` for `src/pg/session.rs`, `restore` for `src/restore/mod.rs`.
fn module_of(path: &str) -> Module {
    let below = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    below.split('/').map(str::to_string).collect()
}

/// The paths of a `use` without braces: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn flattened(tree: &str) -> Vec<String> {
    let Some(open) = tree.find('{') else { return vec![tree.to_string()] };
    let (prefix, inner) = (&tree[..open], &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())]);
    let (mut depth, mut start, mut found) = (0_i32, 0, Vec::new());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let item = inner[start..at].trim();
                if !item.is_empty() {
                    found.extend(flattened(&format!("{prefix}{item}")));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// Every path that begins with `crate` or `super`, in `use` and elsewhere.
fn paths_of(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let Some(at) = statement.rfind("use ") else { continue };
        let tree: String = statement[at + 4..].split_whitespace().collect::<Vec<_>>().join(" ");
        if ["crate::", "super::"].iter().any(|root| tree.starts_with(root)) {
            found.extend(flattened(&tree));
        }
    }
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let is_start = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            let end = code[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(0);
            if is_start {
                found.push(code[at..at + end].trim_end_matches(':').to_string());
            }
        }
    }
    found
}

/// The module that a path leads into, seen from `own`.
fn target(path: &str, own: &Module, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut at = own.clone();
    let mut segments = path.split("::").map(str::trim).peekable();
    while let Some(segment) = segments.next_if(|s| ["crate", "super"].contains(s)) {
        if segment == "crate" {
            at.clear();
        } else {
            at.pop();
        }
    }
    at.extend(segments.map(str::to_string));
    (1..=at.len()).rev().map(|length| at[..length].to_vec()).find(|part| modules.contains(part))
}

fn graph(files: &[File]) -> BTreeMap<Module, BTreeSet<Module>> {
    let working = || files.iter().filter(|f| !f.is_test() && !f.path.ends_with("/tests.rs"));
    let modules: BTreeSet<Module> = working().map(|f| module_of(&f.path)).collect();
    let edges = |file: &File| {
        let own = module_of(&file.path);
        let targets = paths_of(file.working_code()).into_iter().filter_map(|path| target(&path, &own, &modules));
        let one_room = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
        let targets = targets.filter(|t| !one_room(t, &own)).collect();
        (own, targets)
    };
    working().map(edges).collect()
}

/// Everything that can be reached from a module.
fn reached(from: &Module, graph: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<&Module> = graph[from].iter().collect();
    while let Some(module) = waiting.pop() {
        if found.insert(module.clone()) {
            waiting.extend(&graph[module]);
        }
    }
    found
}

#[test]
fn no_new_import_circles() {
    let graph = graph(&sources());
    let reached: BTreeMap<&Module, BTreeSet<Module>> = graph.keys().map(|m| (m, reached(m, &graph))).collect();
    let known: BTreeSet<String> = KNOWN.iter().flat_map(|(_, files)| files.iter().map(|f| (*f).to_string())).collect();
    let mut broken = Vec::new();
    let mut in_circles = BTreeSet::new();
    for (module, others) in reached.iter().filter(|(module, others)| others.contains(**module)) {
        let name = module.join("/");
        if !known.contains(&name) {
            let back = others.iter().filter(|other| reached[other].contains(*module)).map(|other| other.join("/"));
            broken.push(format!("{name}: in a circle with {}", back.collect::<Vec<_>>().join(", ")));
        }
        in_circles.insert(name);
    }
    broken.extend(known.difference(&in_circles).map(|name| format!("{name}: is in no circle any more")));
    assert_none("Two files do not import each other (doc/design.md, Circles).", &broken);
}

#[test]
fn paths_are_read_with_braces_and_without() {
    let code = "use crate::a::{b, c::{D, e}};\nuse super::x;\nfn f() { crate::g::h(); }";
    let found: BTreeSet<String> = paths_of(code).into_iter().collect();
    for path in ["crate::a::b", "crate::a::c::D", "crate::a::c::e", "super::x", "crate::g::h"] {
        assert!(found.contains(path), "{path}: {found:?}");
    }
    let modules = [vec!["a".to_string(), "c".to_string()], vec!["g".to_string()]].into();
    let own = vec!["a".to_string(), "z".to_string()];
    assert_eq!(target("crate::a::c::D", &own, &modules), Some(vec!["a".to_string(), "c".to_string()]));
    assert_eq!(target("super::c::e", &own, &modules), Some(vec!["a".to_string(), "c".to_string()]));
    assert_eq!(target("crate::other", &own, &modules), None);
}
