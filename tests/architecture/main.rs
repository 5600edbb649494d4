//! The invariants of `doc/design.md`, held to the source on every run: directions, doors, sizes, words.
//!
//! Each test prints every place that breaks its rule, so one run shows all there is to mend. A rule that is in the way
//! is changed in `doc/design.md` first, with its reason.
#![allow(clippy::disallowed_methods)]

mod circles;
mod layout_doc;
mod rules;
mod source;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use source::{code_of, functions, without_tests};

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 70;

/// One file of `src`.
struct File {
    /// Below the package, `/` between parts.
    path: String,
    text: String,
    /// Without comments and strings.
    code: String,
}

impl File {
    /// `pg` for `src/pg/session.rs`, `monitor` for `src/monitor.rs`.
    fn module(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("_tests.rs")
    }

    /// What runs in production.
    fn working_code(&self) -> &str {
        if self.is_test() { "" } else { without_tests(&self.code) }
    }

    /// `path:line` of each line of working code that `wanted` accepts.
    fn lines_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = self.working_code().lines().enumerate();
        lines.filter(|(_, l)| wanted(l)).map(|(n, l)| format!("{}:{}: {}", self.path, n + 1, l.trim())).collect()
    }
}

fn package() -> PathBuf {
    support::repo("")
}

/// Every file below a folder of the package, sorted; links are not followed, build output is left out.
fn walk(folder: &str) -> Vec<String> {
    let top = package();
    let mut found = Vec::new();
    let mut waiting = vec![top.join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            let path = entry.path().strip_prefix(&top).unwrap().to_string_lossy().into_owned();
            if kind.is_dir() && !matches!(path.as_str(), "target" | ".git" | "supabase_backups") {
                waiting.push(entry.path());
            } else if kind.is_file() && path != ".git" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<File> {
    let read = |path: String| {
        let text = std::fs::read_to_string(package().join(&path)).unwrap();
        let code = code_of(&text);
        File { path, text, code }
    };
    walk("src").into_iter().filter(|p| p.ends_with(".rs")).map(read).collect()
}

fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n{} broken:\n  {}\n", broken.len(), broken.join("\n  "));
}

/// The ranks as `doc/design.md` draws them, lowest first: one line of names, `←` between ranks, `{a, b}` for equals.
fn ranks() -> BTreeMap<String, usize> {
    let design = std::fs::read_to_string(package().join("doc/design.md")).expect("doc/design.md");
    let line = design.lines().find(|l| l.starts_with("model ←")).expect("the line of ranks in doc/design.md");
    let names =
        |rank: &str| rank.trim().trim_matches(['{', '}']).split(',').map(|n| n.trim().to_string()).collect::<Vec<_>>();
    let numbered = line.split('←').enumerate();
    numbered.flat_map(|(n, rank)| names(rank).into_iter().map(move |name| (name, n))).collect()
}

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}

#[test]
fn directions() {
    let ranks = ranks();
    let mut broken = Vec::new();
    for file in sources() {
        let module = file.module();
        if module == "lib" {
            continue;
        }
        let Some(own) = ranks.get(module) else {
            broken.push(format!("{}: {module} has no rank in doc/design.md", file.path));
            continue;
        };
        for (n, line) in file.code.lines().enumerate() {
            for target in modules_named(line) {
                let allowed = target == module || ranks.get(&target).is_some_and(|rank| rank < own);
                if !allowed {
                    broken.push(format!("{}:{}: {module} names {target}", file.path, n + 1));
                }
            }
        }
    }
    assert_none("A module imports lower ranks only, never a sibling (doc/design.md, Direction).", &broken);
}

/// Every `crate::name` and `stacksnap::name` of a line; `crate::{a, b}` is not written in this project.
fn modules_named(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in ["crate::", "stacksnap::"] {
        for (at, _) in line.match_indices(path) {
            if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let rest = &line[at + path.len()..];
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

#[test]
fn every_rank_is_a_module_that_exists() {
    let files = sources();
    let missing: Vec<String> = ranks().into_keys().filter(|name| !files.iter().any(|f| f.module() == name)).collect();
    assert_none("doc/design.md draws what is there, not what will be.", &missing);
}

/// What may be named in one module only, and why.
const DOORS: [(&str, &[&str], &str); 9] = [
    ("proc", &["std::process", "process::Command", "duct"], "only proc/ starts programs and knows of processes"),
    ("config", &["env::var", "env::vars", "env::var_os", "env::vars_os"], "only config/ reads the environment"),
    ("config", &["env::current_dir", "env::home_dir", "env::temp_dir"], "places come from config/"),
    ("pg", &["tokio_postgres", "tokio_postgres_rustls", "rustls"], "only pg/ speaks the protocol"),
    ("render", &["handlebars"], "only render/ renders templates"),
    ("cli", &["clap", "clap_complete", "clap_mangen"], "only cli/ knows arguments"),
    (
        "cli",
        &["Timestamp::now", "SystemTime::now", "Zoned::now", "SystemTime::UNIX_EPOCH.elapsed"],
        "only cli/ reads the clock",
    ),
    ("ui", &["indicatif", "io::stdout", "io::stderr", "stdout()", "stderr()"], "only ui/ writes to the terminal"),
    ("ui", &["println!", "eprintln!", "print!", "eprint!", "dbg!"], "only ui/ prints"),
];

/// What a door lets through, with the reason. Nothing else is an exception.
const EXCEPTIONS: [(&str, &str); 1] = [
    // The type that `main` has to return.
    ("src/main.rs", "std::process::ExitCode"),
];

#[test]
fn doors() {
    let mut broken = Vec::new();
    for file in sources() {
        for (door, names, why) in DOORS {
            if file.module() == door {
                continue;
            }
            let through = |line: &str| EXCEPTIONS.iter().any(|(path, name)| *path == file.path && line.contains(name));
            let named = |line: &str| names.iter().any(|name| names_it(line, name)) && !through(line);
            broken.extend(file.lines_where(named).iter().map(|place| format!("{place}   ({why})")));
        }
    }
    assert_none("Each door has one room behind it (doc/design.md, Doors).", &broken);
}

/// Does the line hold the name, not as the part of a longer one?
fn names_it(line: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let open = name.ends_with(['(', ')', '!']) || !line[at + name.len()..].starts_with(part);
        open && !line[..at].ends_with(part) && !line[..at].ends_with('.')
    })
}

#[test]
fn no_code_is_unsafe_or_left_unfinished() {
    let names = ["todo!", "unimplemented!", "unsafe"];
    let broken: Vec<String> =
        sources().iter().flat_map(|f| f.lines_where(|l| names.iter().any(|n| names_it(l, n)))).collect();
    assert_none("No unsafe code, nothing that only pretends to be there.", &broken);
}

#[test]
fn sizes() {
    let mut broken = Vec::new();
    for file in sources() {
        let lines = file.text.lines().count();
        if lines > MAX_FILE_LINES {
            broken.push(format!("{}: {lines} lines (at most {MAX_FILE_LINES})", file.path));
        }
        for (name, line, length) in functions(&file.code) {
            if length > MAX_FUNCTION_LINES {
                broken.push(format!("{}:{line}: {name} has {length} lines (at most {MAX_FUNCTION_LINES})", file.path));
            }
        }
    }
    for path in walk("tests").into_iter().filter(|p| p.ends_with(".rs")) {
        let lines = std::fs::read_to_string(package().join(&path)).unwrap().lines().count();
        if lines > MAX_FILE_LINES {
            broken.push(format!("{path}: {lines} lines (at most {MAX_FILE_LINES})"));
        }
    }
    assert_none("A file fits in a head, a function on a screen.", &broken);
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> = sources().into_iter().filter(|f| !f.text.starts_with("//! ")).map(|f| f.path).collect();
    assert_none("Every file starts with `//!`: what it owns, its invariant, what it never does.", &silent);
}

/// Where somebody's machine would show. Put together here so that this file does not hold them.
fn machine_places() -> Vec<String> {
    ["work", "root", "Users", "farm"].iter().map(|name| format!("/{name}/")).collect()
}

#[test]
fn no_path_of_anybodys_machine() {
    let places = machine_places();
    let mut broken = Vec::new();
    for path in walk("") {
        // A file that is no text has no line to look at.
        let Ok(text) = std::fs::read_to_string(package().join(&path)) else { continue };
        let at = |line: &str| places.iter().any(|place| starts_a_path(line, place));
        let lines = text.lines().enumerate().filter(|(_, line)| at(line));
        broken.extend(lines.map(|(n, line)| format!("{path}:{}: {}", n + 1, line.trim())));
    }
    assert_none("The repository speaks of the project alone.", &broken);
}

/// At the beginning of a path, not inside a longer one.
fn starts_a_path(line: &str, place: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-}*)".contains(c);
    line.match_indices(place).any(|(at, _)| !line[..at].ends_with(inside))
}

/// Programs: those that start with `#!`.
fn programs() -> Vec<(String, String)> {
    let read = |path: String| std::fs::read_to_string(package().join(&path)).ok().map(|text| (path, text));
    walk("").into_iter().filter_map(read).filter(|(_, text)| text.starts_with("#!")).collect()
}

#[test]
fn programs_can_be_run_and_stop_at_errors() {
    use std::os::unix::fs::PermissionsExt;
    let mut broken = Vec::new();
    for (path, text) in programs() {
        // What tests pretend to be: fakes decide themselves how they fail.
        if path.starts_with("fixtures/") || path.ends_with(".hbs") {
            continue;
        }
        let mode = std::fs::metadata(package().join(&path)).unwrap().permissions().mode();
        if mode & 0o111 == 0 {
            broken.push(format!("{path}: is no program (chmod +x)"));
        }
        if !text.starts_with("#!/usr/bin/env bash\n") || !text.contains("\nset -euo pipefail\n") {
            broken.push(format!("{path}: bash with `set -euo pipefail`"));
        }
    }
    assert_none("A script is bash, can be run, and stops at the first error.", &broken);
}

#[test]
fn the_documents_are_there_and_link_to_what_exists() {
    let mut broken = Vec::new();
    for path in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "deny.toml", "docker-compose.yml"] {
        if !package().join(path).is_file() {
            broken.push(format!("{path} is missing"));
        }
    }
    let documents = walk("").into_iter().filter(|p| p.ends_with(".md") && !p.starts_with("fixtures/project/"));
    for path in documents {
        let text = std::fs::read_to_string(package().join(&path)).unwrap();
        let folder = Path::new(&path).parent().unwrap();
        for target in links(&text).filter(|t| !t.contains(':') && !t.starts_with('#')) {
            let file = target.split('#').next().unwrap_or(&target).to_string();
            if !package().join(folder).join(&file).exists() {
                broken.push(format!("{path}: links to {target}, which is not there"));
            }
        }
    }
    assert_none("Documents are part of the house.", &broken);
}

/// A document that says "this test holds it" is a promise.
#[test]
fn tests_that_documents_name_exist() {
    let mut code = String::new();
    for path in walk("src").into_iter().chain(walk("tests")).filter(|p| p.ends_with(".rs")) {
        code.push_str(&std::fs::read_to_string(package().join(path)).unwrap());
    }
    let mut broken = Vec::new();
    let threats = std::fs::read_to_string(package().join("doc/threat-model.md")).unwrap();
    let rows = threats.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| against"));
    let mut named: Vec<String> = rows.flat_map(|l| quoted(l.rsplit(" | ").next().unwrap_or_default())).collect();
    assert!(named.len() > 20, "the last column of doc/threat-model.md names tests");
    let design = std::fs::read_to_string(package().join("doc/design.md")).unwrap();
    named.extend(
        design.split('[').skip(1).filter(|t| t.starts_with('`')).flat_map(|t| quoted(t.split(']').next().unwrap())),
    );
    for name in named {
        if !code.contains(&format!("fn {name}(")) {
            broken.push(name);
        }
    }
    assert_none("Documents name tests that exist.", &broken);
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|t| !t.contains([' ', '\n', '{'])).map(str::to_string)
}
