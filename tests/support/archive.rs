//! An archive of a database as tasks to load, and databases that have its schema and not its rows.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use stacksnap::model::connection::ConnSpec;
use stacksnap::model::failure::Failure;
use stacksnap::model::fingerprint::TableFingerprint;
use stacksnap::model::name::QualifiedName;
use stacksnap::pgtools::toc::Toc;
use stacksnap::restore::rows::load::LoadTask;
use stacksnap::restore::rows::pool::BuildTask;
use stacksnap::snapshot::copy_text::END_OF_DATA;
use stacksnap::snapshot::reader::open_data;

use super::{Cluster, ok, server};

/// Dumps a database of the server of the environment into this folder.
pub fn dump(spec: &ConnSpec, folder: &Path) -> Toc {
    ok(server().program("pg_dump", &spec.database).args(["-Fd", "-f"]).arg(folder));
    Toc::read(folder).unwrap()
}

/// A directory archive of pg_dump.
pub struct Archive {
    pub folder: PathBuf,
    keep: Option<tempfile::TempDir>,
}

impl Archive {
    pub fn of(cluster: &Cluster, database: &str, arguments: &[&str]) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let folder = keep.path().join("dump");
        ok(cluster.program("pg_dump", database).args(["-Fd", "-Z1", "-f"]).arg(&folder).args(arguments));
        Self { folder, keep: Some(keep) }
    }

    /// One that is there already.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), keep: None }
    }

    /// The archive of one table `gen.rows` of that many rows, and an empty database with the table.
    pub fn with_rows(cluster: &Cluster, name: &str, rows: u32) -> (Self, String) {
        let from = cluster.load(&format!("{name}_from"), "revoked", &["gen_rows", &rows.to_string()]);
        let archive = Self::of(cluster, &from, &[]);
        cluster.drop_database(&from);
        let to = archive.schema(cluster, &format!("{name}_to"));
        (archive, to)
    }

    /// A new database with what comes before the data.
    pub fn schema(&self, cluster: &Cluster, name: &str) -> String {
        cluster.empty(name);
        let mut restore = cluster.program("pg_restore", name);
        ok(restore.args(["-d", name, "--section=pre-data"]).arg(&self.folder));
        name.to_string()
    }

    pub fn toc(&self) -> Toc {
        Toc::read(&self.folder).unwrap()
    }

    /// Every table's rows, as the manifest of a snapshot would tell them.
    pub fn tasks(&self) -> Vec<LoadTask> {
        let tables = self.toc().table_data().unwrap();
        let task = |data: stacksnap::pgtools::toc::TableData| {
            let mut task = LoadTask {
                table: data.table,
                columns: data.columns,
                folder: self.folder.clone(),
                file_name: data.file_name,
                rows: 0,
                fingerprint: String::new(),
                bytes_raw: 0,
                freeze: false,
                may_fail: false,
            };
            let mut fingerprint = TableFingerprint::new();
            let text = self.decoded(&task);
            let lines = text.split(|b| *b == b'\n').take_while(|line| *line != END_OF_DATA);
            for line in lines {
                fingerprint.add(line);
                task.bytes_raw += line.len() as u64 + 1;
            }
            task.rows = fingerprint.rows;
            task.fingerprint = fingerprint.hex();
            task
        };
        tables.into_iter().map(task).collect()
    }

    /// Keys, indexes, foreign keys, policies; their tables are read from the statements, for names without quotes only.
    pub fn builds(&self) -> Vec<BuildTask> {
        let kinds = ["INDEX", "CONSTRAINT", "FK CONSTRAINT", "POLICY", "ROW SECURITY"];
        let tables = |definition: &str| -> Vec<QualifiedName> {
            let words: Vec<&str> = definition.split([' ', '(', '\n', ';']).collect();
            let mut found = Vec::new();
            for pair in words.windows(2) {
                if matches!(pair[0], "ON" | "ONLY" | "REFERENCES" | "TABLE")
                    && let Some((schema, name)) = pair[1].split_once('.')
                {
                    found.push(QualifiedName::new(schema, name));
                }
            }
            assert!(!found.is_empty(), "{definition}");
            found
        };
        let entries = self.toc().entries.into_iter().filter(|e| kinds.contains(&e.desc.word()));
        let build = |entry: stacksnap::pgtools::toc::Entry| BuildTask {
            dump_id: entry.dump_id,
            what: format!("{} {}", entry.desc, entry.tag),
            tables: tables(&entry.definition),
            after_rows: tables(&entry.definition),
            shared: entry.desc.word() == "INDEX",
            weight: if entry.desc.word() == "INDEX" { 1 << 20 } else { 1 << 18 },
            needs: entry.depends_on,
            statements: vec![entry.definition],
        };
        entries.map(build).collect()
    }

    pub fn decoded(&self, task: &LoadTask) -> Vec<u8> {
        let mut text = Vec::new();
        open_data(&self.folder, &task.file_name).unwrap().read_to_end(&mut text).unwrap();
        text
    }

    pub fn bytes(&self, task: &LoadTask) -> Vec<u8> {
        std::fs::read(self.folder.join(format!("{}.gz", task.file_name))).unwrap()
    }

    /// The same task from another file, which is written here.
    pub fn variant(&self, task: &LoadTask, file: &str, bytes: &[u8]) -> LoadTask {
        std::fs::write(self.folder.join(file), bytes).unwrap();
        LoadTask { file_name: file.trim_end_matches(".gz").into(), ..task.clone() }
    }

    #[track_caller]
    pub fn assert_same_rows(&self, other: &Self) {
        let rows = |archive: &Self| -> BTreeMap<String, (u64, String)> {
            archive.tasks().into_iter().map(|t| (t.table.sql(), (t.rows, t.fingerprint))).collect()
        };
        assert_eq!(rows(self), rows(other));
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }
}

/// A failure with its causes, and its hints.
pub fn message(failure: &Failure) -> String {
    format!("{failure} {}", failure.hints.join(" "))
}
