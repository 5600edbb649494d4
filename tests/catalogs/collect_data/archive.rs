//! A collector run beside a real archive of the database.

use stacksnap::collect::context::{CollectSettings, Collector};
use stacksnap::model::name::QualifiedName;
use stacksnap::snapshot::reader::{ArchiveData, DataFile};

use crate::support::collector::{Run, run_upon};
use crate::support::{Cluster, ok};

/// A directory archive of a database, and which file belongs to which table.
fn archive(server: &Cluster, database: &str, folder: &std::path::Path) -> ArchiveData {
    ok(server.program("pg_dump", database).args(["-Fd", "-Z0", "-f"]).arg(folder));
    let list = ok(server.program("pg_restore", database).arg("-l").arg(folder));
    let facts = server.sql(
        database,
        "SELECT json_agg(json_build_array(c.oid::int8, n.nspname, c.relname, coalesce((SELECT json_agg(attname ORDER BY attnum) \
         FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''), '[]'))) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r'",
    );
    let facts: Vec<(u64, String, String, Vec<String>)> = serde_json::from_str(&facts).unwrap();
    let entry = |line: &str| {
        let (number, rest) = line.split_once("; 0 ")?;
        let (oid, rest) = rest.split_once(' ')?;
        let (_, schema, name, columns) = facts.iter().find(|f| Some(f.0) == oid.parse().ok())?;
        let table = QualifiedName::new(schema.as_str(), name.as_str());
        let file_name = format!("{number}.dat");
        rest.starts_with("TABLE DATA ").then(|| DataFile { table, columns: columns.clone(), file_name })
    };
    ArchiveData { folder: folder.into(), files: list.lines().filter_map(entry).collect() }
}

/// Runs one collector on a database, as the whole run would: archive first, then the session on a snapshot.
pub fn collect(server: &Cluster, database: &str, collector: &Collector, settings: &CollectSettings) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(server, database, &folder.path().join("archive"));
    run_upon(Some(&archive), collector, database, &server.user, settings, || {})
}
