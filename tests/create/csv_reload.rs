//! Each CSV file of a snapshot loaded into an empty copy gives the rows that the manifest tells of, and is what COPY
//! itself would have written.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::support::compare::tables;
use crate::support::{Cluster, Snapshot, ok, server};
use futures_util::SinkExt;
use stacksnap::model::manifest::TableRecord;
use stacksnap::model::name::ident;
use stacksnap::pg::session::Session;

/// Session settings under which pg_dump, and so the CSV, is written.
const PINS: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; \
    SET extra_float_digits = 1; SET client_encoding = 'UTF8'; SET search_path = ''; SET row_security = off;";

fn with_csv(snapshot: &Snapshot) -> Vec<&TableRecord> {
    snapshot.manifest.tables.iter().filter(|t| t.csv_file.is_some()).collect()
}

/// Straight through the protocol: psql before 18 takes a line `\.` inside of a quoted value for the end, and `\copy`
/// cannot name a table with a newline in its name.
async fn load(server: &Cluster, database: &str, snapshot: &Snapshot) {
    let session = Session::open(&server.spec(database), "csv_reload").await.unwrap();
    session.execute("SET session_replication_role = replica").await.unwrap();
    for table in with_csv(snapshot) {
        let columns: Vec<String> = table.columns.iter().map(|c| ident(c)).collect();
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let copy = format!("COPY {}{columns} FROM STDIN (FORMAT csv, HEADER)", table.name.sql());
        let bytes = std::fs::read(snapshot.folder.join(table.csv_file.as_ref().unwrap())).unwrap();
        let sink = session.client().copy_in::<_, std::io::Cursor<Vec<u8>>>(&copy).await.unwrap();
        let mut sink = std::pin::pin!(sink);
        sink.send(std::io::Cursor::new(bytes)).await.unwrap();
        let rows = sink.finish().await.unwrap_or_else(|e| panic!("{copy}: {e:?}"));
        assert_eq!(rows, table.rows, "{copy}");
    }
}

/// The schema of the snapshot without a row. Keys and NOT VALID checks, which rows may break, come after the data.
fn schema_only(server: &Cluster, snapshot: &Snapshot, database: &str) {
    server.empty(database);
    let mut restore = server.program("pg_restore", database);
    restore.args(["--section=pre-data", "-d", database]).arg(snapshot.folder.join("complete_database_with_data.dump"));
    // What a plain server cannot make (see the README of the fixtures) has no rows.
    let said = crate::support::text(&restore.output().unwrap());
    let errors: Vec<&str> = said.lines().filter(|l| l.contains("error: could not execute")).collect();
    assert!(errors.len() <= 2, "{said}");
}

#[test]
fn every_table_comes_back_from_its_csv() {
    let server = server();
    let place = tempfile::tempdir().unwrap();
    let source = server.load("csv_source", "revoked", &["stack", "app", "types", "nasty", "schema_zoo"]);
    let snapshot = server.create(&source, &place.path().join("b"), 3, &[]);
    assert!(with_csv(&snapshot).len() > 200 && with_csv(&snapshot).len() == snapshot.manifest.tables.len());
    schema_only(&server, &snapshot, "csv_target");
    tokio::runtime::Runtime::new().unwrap().block_on(load(&server, "csv_target", &snapshot));
    let left = tables(&snapshot, &server.look("csv_target"));
    assert!(left.is_empty(), "not the rows of the manifest: {left:#?}");
    server.drop_database("csv_target");
    byte_equal(&server, &source, &snapshot, place.path());
    server.drop_database(&source);
}

/// What `COPY … TO STDOUT (FORMAT csv, HEADER)` writes for a table, up to the order of its rows.
fn byte_equal(server: &Cluster, source: &str, snapshot: &Snapshot, place: &Path) {
    let mut script = String::from(PINS);
    let mut files = BTreeMap::new();
    for (n, table) in with_csv(snapshot).into_iter().enumerate() {
        let columns: Vec<String> = table.columns.iter().map(|c| ident(c)).collect();
        let columns = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let out = place.join(format!("copy-{n}.csv"));
        // COPY of a table leaves out the rows of its children, as pg_dump does.
        writeln!(script, "\n\\o {}\nCOPY {}{columns} TO STDOUT (FORMAT csv, HEADER);", out.display(), table.name.sql())
            .unwrap();
        files.insert(table.csv_file.clone().unwrap(), out);
    }
    let commands = place.join("copy.sql");
    std::fs::write(&commands, script).unwrap();
    ok(server.psql(source).arg("-f").arg(&commands));
    for (csv, copied) in files {
        let lines = |path: &Path| {
            let bytes = std::fs::read(path).unwrap();
            let mut lines: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            let header = lines.remove(0);
            lines.sort();
            (header, lines)
        };
        assert!(lines(&snapshot.folder.join(&csv)) == lines(&copied), "{csv} is not what COPY writes");
    }
}
