//! Writes `complete_database_with_data.sql` (or `.sql.zst`) while pg_dump runs: the schema is printed by pg_restore,
//! rows come from the data files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::hex::hex;
use crate::model::object_kind::ObjectKind;
use crate::pgtools::client::Client;
use crate::pgtools::dump::{Part, print_list, print_part};
use crate::pgtools::toc::{Section, TableData, Toc};
use crate::snapshot::readable;
use crate::snapshot::readable::{SqlWriter, TableSection};
use crate::snapshot::sink::ArtifactSink;

/// Where pg_restore prints its parts; removed at the end.
const SCRATCH_DIR: &str = ".readable";

/// What to print, and how.
pub struct ReadableOrder<'a> {
    pub client: &'a Client,
    /// The archive that pg_dump is writing.
    pub archive: &'a Path,
    /// `.sql.zst` instead of `.sql`.
    pub compressed: bool,
}

/// Writes the file. `wait` returns whether pg_dump has ended, and fails when the run was stopped.
pub fn write(
    order: &ReadableOrder<'_>,
    toc: &Toc,
    data: &[TableData],
    sink: &ArtifactSink,
    wait: &(dyn Fn() -> io::Result<bool> + Sync),
) -> Result<()> {
    let scratch = Scratch::new(sink.root())?;
    let archive = order.archive;
    let mut key_bytes = [0; 24];
    getrandom::fill(&mut key_bytes)
        .map_err(|e| Failure::msg(FailureKind::Failed, format!("no random numbers: {e}")))?;
    let key = hex(&key_bytes);
    let mut writer = SqlWriter::create(sink, order.compressed)?;
    let about = [
        format!("Dumped from database version {}", toc.server_version),
        format!("Dumped by pg_dump version {}, written by stacksnap", toc.client_version),
    ];
    readable::write_head(&mut writer, &key, &about)?;
    let pre = scratch.place("pre.sql");
    print_part(order.client, archive, Part::PreData, &pre)?;
    append(&mut writer, &pre)?;
    for table in data {
        let section = TableSection {
            table: table.table.clone(),
            copy_statement: table.copy_statement.clone(),
            file_name: table.file_name.clone(),
        };
        readable::write_table(&mut writer, archive, &section, wait)?;
    }
    // Large objects are read from the archive's own files, so pg_dump must have ended.
    while !wait()? {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let list: String = toc
        .entries
        .iter()
        .filter(|e| e.section == Section::Data && e.desc != ObjectKind::TableData)
        .map(|e| format!("{};\n", e.dump_id))
        .collect();
    if !list.is_empty() {
        let list_place = scratch.place("data.list");
        std::fs::write(&list_place, list)?;
        let rest = scratch.place("data.sql");
        print_list(order.client, archive, &list_place, &rest)?;
        append(&mut writer, &rest)?;
    }
    let post = scratch.place("post.sql");
    print_part(order.client, archive, Part::PostData, &post)?;
    append(&mut writer, &post)?;
    readable::write_end(&mut writer, &key)?;
    writer.finish()?;
    Ok(())
}

fn append(writer: &mut SqlWriter<'_>, part: &Path) -> Result<()> {
    let printed = std::fs::read_to_string(part).map_err(|error| {
        Failure::from(error)
            .context("pg_restore reported success, but the schema that it printed cannot be read")
            .hint("check the client tools: stacksnap doctor")
    })?;
    let body = readable::body(&printed)
        .ok_or_else(|| Failure::msg(FailureKind::Failed, "pg_restore printed something that is not a dump"))?;
    writer.write_all(body.as_bytes())?;
    Ok(())
}

struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    fn new(root: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = root.join(SCRATCH_DIR);
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
