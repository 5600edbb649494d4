//! Reads the archive's data files: rows of a table without a database.
//!
//! Invariant: streams; one line is in memory at a time. A file that ends before its `\.` line is an error, never
//! an empty rest (trap 3: a data file cut at a row boundary restores without a word).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::copy_text::{CopyRow, END_OF_DATA};
use super::layout;
use crate::model::manifest::TableRecord;
use crate::model::name::QualifiedName;

const READ_BUFFER_BYTES: usize = 256 * 1024;

/// One table's data file in a directory archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    pub table: QualifiedName,
    /// Columns of the COPY statement, in order.
    pub columns: Vec<String>,
    /// File name below the archive folder without a compression ending, e.g. `3456.dat`.
    pub file_name: String,
}

impl DataFile {
    /// Where a table's rows are, as the manifest tells it. `None`: it has none in the archive.
    pub fn of(record: &TableRecord) -> Option<Self> {
        let name = record.data_file.as_deref()?.strip_prefix(layout::DUMP_DIR)?.strip_prefix('/')?;
        let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
        Some(Self { table: record.name.clone(), columns: record.columns.clone(), file_name: bare.to_string() })
    }
}

/// The data side of an archive.
#[derive(Debug, Clone, Default)]
pub struct ArchiveData {
    pub folder: PathBuf,
    pub files: Vec<DataFile>,
}

impl ArchiveData {
    /// The file of a table; `None` when the archive holds no rows for it.
    pub fn file(&self, table: &QualifiedName) -> Option<&DataFile> {
        self.files.iter().find(|f| &f.table == table)
    }

    /// Calls `each` with every row of `table` until it fails. Returns how many rows there were; `None` without a file.
    pub fn for_each_row(
        &self,
        table: &QualifiedName,
        mut each: impl FnMut(&DataFile, CopyRow<'_>) -> io::Result<()>,
    ) -> io::Result<Option<u64>> {
        let Some(file) = self.file(table) else { return Ok(None) };
        let mut reader = open_data(&self.folder, &file.file_name)?;
        let mut line = Vec::new();
        let mut rows = 0;
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                let cut = format!("{}: the data ends in the middle ({rows} rows read)", file.file_name);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
            }
            if line == END_OF_DATA {
                return Ok(Some(rows));
            }
            rows += 1;
            each(file, CopyRow::new(&line, file.columns.len()))?;
        }
    }
}

/// Opens a data file by its name without ending, as pg_restore finds it: plain, `.gz` or `.zst`.
pub fn open_data(folder: &Path, file_name: &str) -> io::Result<Box<dyn BufRead + Send>> {
    let buffered = |inner: Box<dyn Read + Send>| -> Box<dyn BufRead + Send> {
        Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, inner))
    };
    let plain = folder.join(file_name);
    if plain.exists() {
        return Ok(buffered(Box::new(File::open(plain)?)));
    }
    let gzip = folder.join(format!("{file_name}.gz"));
    if gzip.exists() {
        let file = BufReader::with_capacity(READ_BUFFER_BYTES, File::open(gzip)?);
        return Ok(buffered(Box::new(flate2::bufread::MultiGzDecoder::new(file))));
    }
    let zst = folder.join(format!("{file_name}.zst"));
    Ok(buffered(Box::new(zstd::stream::read::Decoder::new(File::open(zst)?)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn archive(folder: &Path) -> ArchiveData {
        let file = DataFile {
            table: QualifiedName::new("public", "t"),
            columns: vec!["a".into(), "b".into()],
            file_name: "1.dat".into(),
        };
        ArchiveData { folder: folder.to_path_buf(), files: vec![file] }
    }

    #[test]
    fn gzip_members_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        for part in ["1\tx\n", "2\t\\N\n\\.\n\n\n"] {
            let mut gz = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::fast());
            gz.write_all(part.as_bytes()).unwrap();
            gz.finish().unwrap();
        }
        std::fs::write(dir.path().join("1.dat.gz"), bytes).unwrap();
        let mut seen = Vec::new();
        let rows = archive(dir.path())
            .for_each_row(&QualifiedName::new("public", "t"), |_, row| {
                seen.push(row.texts());
                Ok(())
            })
            .unwrap();
        assert_eq!(rows, Some(2));
        assert_eq!(seen[1], vec![Some("2".into()), None]);
    }

    #[test]
    fn trap_3_a_file_cut_at_a_row_boundary_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for cut in ["", "1\tx\n", "1\tx\n2\t"] {
            std::fs::write(dir.path().join("1.dat"), cut).unwrap();
            let result = archive(dir.path()).for_each_row(&QualifiedName::new("public", "t"), |_, _| Ok(()));
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{cut:?}");
        }
    }
}
