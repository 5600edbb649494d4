//! `tenant`: classes, counts and leaks against real servers, on the fixtures that hold every kind of ownership, and on
//! random schemas against a slow walk from row to row.
#![allow(clippy::disallowed_methods)]

mod applications;
mod cases;
mod catalogs;
mod configuration;
mod fixture;
mod labels;
mod rights;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use serde_json::Value;
use support::Cluster;

/// How the program ended, and its document.
pub struct Ran {
    pub code: i32,
    pub document: Value,
    pub text: String,
}

/// `stacksnap tenant …`, with `-o json` unless a text is wanted.
#[track_caller]
pub fn tenant(cluster: &Cluster, database: &str, folder: &Path, args: &[&str]) -> Ran {
    let mut command = cluster.stacksnap(database, &folder.join("root"));
    let json = !args.contains(&"--text");
    command.arg("tenant").args(args.iter().filter(|a| **a != "--text"));
    if json {
        command.args(["-o", "json"]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Ran { code: output.status.code().unwrap_or(-1), document, text }
}

/// The entry of a table in a list of them.
#[track_caller]
pub fn of_table<'d>(document: &'d Value, name: &str) -> &'d Value {
    let (schema, table) = name.split_once('.').unwrap();
    let found = document["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["table"]["schema"] == schema && t["table"]["name"] == table);
    found.unwrap_or_else(|| panic!("{name} is not in {document}"))
}

/// `total owned null_reference dangling parent_unowned unknown_tenant tenants leaked`.
#[track_caller]
pub fn numbers(document: &Value, name: &str) -> [u64; 8] {
    let entry = of_table(document, name);
    let unowned = &entry["unowned"];
    [
        &entry["total"],
        &entry["owned"],
        &unowned["null_reference"],
        &unowned["dangling"],
        &unowned["parent_unowned"],
        &unowned["unknown_tenant"],
        &entry["tenants"],
        &entry["leaked"],
    ]
    .map(|value| value.as_u64().unwrap())
}

#[test]
fn no_file_is_forgotten() {
    support::assert_no_file_is_forgotten(file!());
}
