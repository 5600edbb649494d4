//! `doc/format.md` and the code name the same files, fields and findings.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use stacksnap::model::count::Count;
use stacksnap::model::ids::{LATEST, PREFIX};

fn read(path: &str) -> String {
    fs::read_to_string(crate::support::repo(path)).unwrap()
}

/// Names in the first column of the tables of one chapter of the page.
fn first_column(chapter: &str) -> BTreeSet<String> {
    let page = read("doc/format.md");
    let text = page.split(chapter).nth(1).expect("the chapter").split("\n#").next().unwrap();
    // The first name of each line, and further paths that the line explains.
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    lines
        .flat_map(|line| line.split('`').skip(1).step_by(2).enumerate())
        .filter(|(at, name)| *at == 0 || name.starts_with("extension_state/"))
        .map(|(_, name)| name.to_string())
        .collect()
}

fn layout() -> BTreeSet<String> {
    let source = read("src/snapshot/layout.rs") + &read("src/model/artifact.rs");
    let constants = source.lines().filter(|l| l.starts_with("pub const") && l.contains(": &str"));
    constants.filter_map(|line| line.split('"').nth(1)).map(str::to_string).collect()
}

#[test]
fn every_name_of_the_layout_is_described_and_the_other_way_round() {
    let mut described = first_column("## The root folder");
    described.extend(first_column("## The files of a snapshot"));
    let expected: BTreeSet<String> = layout()
        .into_iter()
        .map(|name| if name == ".partial" { "<name>.partial".to_string() } else { name })
        .chain([LATEST.to_string(), format!("{PREFIX}YYYYMMDD_HHMMSS"), format!("{PREFIX}<LABEL>")])
        .collect();
    assert_eq!(described, expected);
}

/// A page that asks for a number which nobody writes says nothing, and nobody notices.
#[test]
fn every_count_of_the_pages_is_written() {
    let writers = ["src/collect", "src/ops/create"];
    let written: String =
        writers.into_iter().flat_map(rust_files).map(|path| fs::read_to_string(path).unwrap()).collect();
    // The collector of users counts tables of the service by their names.
    let by_table = [Count::Users, Count::Identities, Count::Sessions, Count::MfaFactors];
    for count in Count::ALL.into_iter().filter(|count| !by_table.contains(count)) {
        assert!(written.contains(&format!("Count::{count:?}")), "{count:?} is written by nobody");
    }
    assert!(written.contains("collected.add(&table.root.name, rows)"));
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![crate::support::repo(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { folders.push(entry) } else { found.push(entry) }
        }
    }
    found
}

#[test]
fn every_field_of_the_manifest_is_described() {
    let value = serde_json::to_value(crate::support::handmade::draft()).unwrap();
    let described = first_column("## manifest.json");
    let page = read("doc/format.md");
    for (field, inner) in value.as_object().unwrap() {
        let listed = described.contains(field) || page.contains(&format!("`{field}`"));
        assert!(listed, "{field}");
        for name in inner.as_object().into_iter().flat_map(|o| o.keys()) {
            assert!(page.contains(&format!("`{name}`")) || page.contains(&format!("\"{name}\"")), "{field}.{name}");
        }
    }
    let record = serde_json::to_value(crate::support::handmade::record("t", &[], "x")).unwrap();
    for name in record.as_object().unwrap().keys() {
        assert!(page.contains(&format!("`{name}`")), "tables[].{name}");
    }
    assert!(described.contains("manifest_sha256"));
}

#[test]
fn every_finding_is_described() {
    let described = first_column("## How a snapshot is verified");
    assert!(described.len() > 10);
    let mut source = String::new();
    for entry in fs::read_dir(crate::support::repo("src/verify")).unwrap() {
        let path = entry.unwrap().path();
        // The proof of a restore has words of its own.
        if path.is_file() && !path.ends_with("proof.rs") {
            source.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    for code in &described {
        assert!(source.contains(&format!("\"{code}\"")), "{code} is described and never found");
    }
    for call in [
        "Problem::new(\"",
        "Finding::damage(path, \"",
        "Finding::warning(path, \"",
        "found(\"",
        "Finding::warning(&path, \"",
    ] {
        for rest in source.split(call).skip(1) {
            let code = rest.split('"').next().unwrap();
            assert!(described.contains(code), "{code} is not described");
        }
    }
}

/// The script knows the ending of SQL files by heart, as does the page.
#[test]
fn the_ending_of_sql_files_is_the_same_everywhere() {
    let ending = stacksnap::collect::sql_file::ENDING.escape_default().to_string();
    assert!(read("templates/restore_complete_backup.sh.hbs").contains(&format!("own_ending=$'{ending}'")));
    assert!(read("doc/format.md").contains(&format!("`{ending}`")));
    assert!(read("src/verify/content.rs").contains(&format!("b\"{ending}\"")));
}

/// A new file of SQL needs its place in the order of a restore.
#[test]
fn the_script_runs_every_file_of_extension_state() {
    let script = read("templates/restore_complete_backup.sh.hbs");
    let places: Vec<&str> =
        script.lines().filter(|l| l.contains("for file in ") || l.contains("extension_state/")).collect();
    for name in
        layout().iter().filter_map(|n| n.strip_prefix("extension_state/")?.strip_suffix(".sql").map(str::to_string))
    {
        let named = places.iter().any(|l| l.split([' ', '/', '.', ';']).any(|word| word == name));
        assert!(named, "extension_state/{name}.sql is never run");
    }
}
