//! Snapshots made by hand, for the tests of verification and of the restore script.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use stacksnap::collect::sql_file::SqlFile;
use stacksnap::model::category::Category;
use stacksnap::model::fingerprint::TableFingerprint;
use stacksnap::model::ids::SnapshotName;
use stacksnap::model::manifest::{FORMAT, Manifest, TableRecord};
use stacksnap::model::name::QualifiedName;
use stacksnap::monitor::Silent;
use stacksnap::snapshot::seal::seal;
use stacksnap::snapshot::sink::ArtifactSink;

pub const NAME: &str = "comprehensive_backup_20260130_120000";

/// A manifest with nothing in it.
pub fn draft() -> Manifest {
    let json = serde_json::json!({
        "format": FORMAT, "id": SnapshotName::parse(NAME).unwrap(), "kind": "full", "complete": true,
        "label": null, "note": "it's \u{1b}[31m a 'note'", "tags": {}, "created_at": "2026-01-30T12:00:00Z",
        "duration_ms": 1234,
        "source": { "host_sha256": "00", "database": "it's $(x) `y`\n", "user": "postgres", "system_identifier": null,
            "database_oid": 5, "server_version_num": 150018, "server_version": "15.18", "encoding": "UTF8",
            "locale": "C", "is_supabase": false, "is_standby": false, "database_bytes": 1 },
        "consistency": { "exported_snapshot": "1", "taken_at": "2026-01-30T12:00:00Z", "wal_lsn": null,
            "transaction_horizon": "1:1:", "restarts": 0 },
        "tools": { "stacksnap": "0.1.0", "pg_dump": "15.18", "codec": "gzip:1", "jobs": 2 },
        "counts": { "tables": 3 }, "coverage": [], "tables": [], "outcomes": [], "gaps": [],
        "secrets": [], "artifacts": [], "change_marker": null, "sha256sums_sha256": "", "manifest_sha256": ""
    });
    serde_json::from_value(json).unwrap()
}

pub fn partial(root: &Path) -> ArtifactSink {
    let place = root.join(format!("{NAME}.partial"));
    std::fs::create_dir(&place).unwrap();
    std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    ArtifactSink::new(place)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The record of a table whose rows are these lines.
pub fn record(name: &str, lines: &[String], data_file: &str) -> TableRecord {
    let mut fingerprint = TableFingerprint::new();
    lines.iter().for_each(|line| fingerprint.add(line.as_bytes()));
    TableRecord {
        name: QualifiedName::new("public", name),
        rows: fingerprint.rows,
        fingerprint: fingerprint.hex(),
        bytes_raw: lines.iter().map(|l| l.len() as u64 + 1).sum(),
        data_file: Some(data_file.to_string()),
        csv_file: Some(format!("data_records/public.{name}.csv")),
        columns: vec!["a".into(), "b".into()],
        mark: None,
    }
}

pub fn own_sql(statement: &str) -> String {
    let mut file = SqlFile::new(&["A part of a snapshot"]);
    file.statement(statement);
    file.finish()
}

/// A small snapshot with every kind of file, made without a server. `rows` decides how large the tables are.
pub fn without_server(root: &Path, rows: usize) -> PathBuf {
    let sink = partial(root);
    let mut manifest = draft();
    manifest.counts = BTreeMap::from([("tables".to_string(), 3)]);
    let dump = "complete_database_with_data.dump";
    for (name, ending) in [("plain", ""), ("gz", ".gz"), ("zst", ".zst")] {
        let lines: Vec<String> = (0..rows).map(|n| format!("{n}\tvalue {name} \\\\N {}", n * 7919 % 1000)).collect();
        let text = lines.iter().map(|l| format!("{l}\n")).collect::<String>() + "\\.\n\n\n";
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        let bytes = match ending {
            "" => text.clone().into_bytes(),
            ".gz" => [gzip(first), gzip(second)].concat(),
            _ => [zstd(first), zstd(second)].concat(),
        };
        let path = format!("{dump}/{name}.dat{ending}");
        sink.write(&path, Category::Archive, &bytes).unwrap();
        let csv: String = (0..rows).map(|n| format!("{n},\"value\n{n}\"\"\"\n")).collect();
        sink.write(&format!("data_records/public.{name}.csv"), Category::Csv, format!("a,b\n{csv}").as_bytes())
            .unwrap();
        manifest.tables.push(record(name, &lines, &path));
    }
    sink.write(&format!("{dump}/toc.dat"), Category::Archive, b"PGDMP\x01\x0e\x00\x04\x08\x03rest").unwrap();
    sink.write(&format!("{dump}/blobs.toc"), Category::Archive, b"1234 blob_1234.dat\n").unwrap();
    sink.write(&format!("{dump}/blob_1234.dat.gz"), Category::Archive, &gzip(b"large object")).unwrap();
    let dumped = "SELECT 1;\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
    sink.write("complete_database_with_data.sql", Category::ReadableSql, dumped.as_bytes()).unwrap();
    for path in ["rls_policies_complete.sql", "extension_state/10_cron.sql"] {
        sink.write(path, Category::Policies, own_sql("SELECT 1").as_bytes()).unwrap();
    }
    sink.write("users_complete.csv", Category::Users, b"id\n1\n").unwrap();
    sink.write("migrations/2026 é%0A.sql", Category::Migrations, b"not ours; no trailer").unwrap();
    sink.write("edge_functions/empty.ts", Category::EdgeFunctions, b"").unwrap();
    sink.write("inventory.json", Category::Report, b"{}\n").unwrap();
    sink.write("BACKUP_MANIFEST.md", Category::Report, b"# x\n").unwrap();
    seal(root, &sink, manifest, None, &Silent).unwrap().folder
}
