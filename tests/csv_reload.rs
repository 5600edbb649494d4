//! Each CSV file of a snapshot loaded into an empty copy gives the rows that the manifest tells of, and is what COPY
//! itself would have written.

mod round_support;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use round_support::compare::tables;
use round_support::{Cluster, Snapshot, ok, server};
use stacksnap::model::manifest::TableRecord;
use stacksnap::model::name::{ident, literal};

/// Session settings under which pg_dump, and so the CSV, is written.
const PINS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; \
    SET extra_float_digits = 1; SET client_encoding = 'UTF8'; SET search_path = ''; SET row_security = off;";

fn with_csv(snapshot: &Snapshot) -> Vec<&TableRecord> {
    snapshot.manifest.tables.iter().filter(|t| t.csv_file.is_some()).collect()
}

/// `\copy` takes a file name in quotes like SQL does.
fn copies(snapshot: &Snapshot) -> String {
    let mut script = String::from("SET session_replication_role = replica; SET search_path = '';\nBEGIN;\n");
    for table in with_csv(snapshot) {
        let columns: Vec<String> = table.columns.iter().map(|c| ident(c)).collect();
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let place = snapshot.folder.join(table.csv_file.as_ref().unwrap());
        let place = literal(place.to_str().unwrap());
        writeln!(script, "COPY {}{columns} FROM {place} (FORMAT csv, HEADER);", table.name.sql()).unwrap();
    }
    script + "COMMIT;\n"
}
