//! Reads the archive's data files: rows of a table without a database.
//!
//! Invariant: data is streamed; only a buffer is in memory, plus one line for callers that want whole rows. A file that
//! ends before its `\.` line is an error, never an empty remainder (trap 3: a data file truncated at a row boundary
//! restores without an error).

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
    /// File name in the archive folder without compression suffix, e.g. `3456.dat`.
    pub file_name: String,
}

impl DataFile {
    /// The data file of a table according to the manifest. `None` if the archive has no rows for it.
    pub fn of(record: &TableRecord) -> Option<Self> {
        Self::below(layout::DUMP_DIR, record)
    }

    /// The same for the file with a table's generated columns.
    pub fn of_generated(record: &TableRecord) -> Option<Self> {
        Self::below(layout::GENERATED_COLUMNS_DIR, record)
    }

    fn below(folder: &str, record: &TableRecord) -> Option<Self> {
        let name = record.data_file.as_deref()?.strip_prefix(folder)?.strip_prefix('/')?;
        let bare = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
        Some(Self { table: record.name.clone(), columns: record.columns.clone(), file_name: bare.to_string() })
    }
}

/// The data files of an archive.
#[derive(Debug, Clone, Default)]
pub struct ArchiveData {
    pub folder: PathBuf,
    pub files: Vec<DataFile>,
}

impl ArchiveData {
    /// The files with values of generated columns in the snapshot at `place`.
    pub fn generated(place: &Path, records: &[TableRecord]) -> Self {
        Self {
            folder: place.join(layout::GENERATED_COLUMNS_DIR),
            files: records.iter().filter_map(DataFile::of_generated).collect(),
        }
    }

    /// The file of a table; `None` if the archive has no rows for it.
    pub fn file(&self, table: &QualifiedName) -> Option<&DataFile> {
        self.files.iter().find(|f| &f.table == table)
    }

    /// Calls `each` for every row of `table`; its first error stops. Returns the number of rows; `None` without a file.
    pub fn for_each_row(
        &self,
        table: &QualifiedName,
        mut each: impl FnMut(&DataFile, CopyRow<'_>) -> io::Result<()>,
    ) -> io::Result<Option<u64>> {
        let Some(file) = self.file(table) else { return Ok(None) };
        let mut open = Vec::new();
        self.for_each_part(table, |part| match (part.ends, open.is_empty()) {
            (true, true) => each(file, CopyRow::new(part.bytes, file.columns.len())),
            (true, false) => {
                open.extend_from_slice(part.bytes);
                let line = std::mem::take(&mut open);
                each(file, CopyRow::new(&line, file.columns.len()))
            }
            (false, _) => {
                open.extend_from_slice(part.bytes);
                Ok(())
            }
        })
    }

    /// The same with lines in parts, for callers that need not hold a row. A line within one buffer is one part.
    pub fn for_each_part(
        &self,
        table: &QualifiedName,
        mut each: impl FnMut(LinePart<'_>) -> io::Result<()>,
    ) -> io::Result<Option<u64>> {
        let Some(file) = self.file(table) else { return Ok(None) };
        let mut reader = open_data(&self.folder, &file.file_name)?;
        // The start of a line that may still turn out to be the end of data.
        let mut held: Vec<u8> = Vec::new();
        let (mut rows, mut in_line) = (0, false);
        loop {
            let buffer = reader.fill_buf()?;
            if buffer.is_empty() {
                let cut = format!("{}: the file is truncated ({rows} rows read)", file.file_name);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
            }
            let newline = memchr::memchr(b'\n', buffer);
            let bytes = &buffer[..newline.unwrap_or(buffer.len())];
            let ends = newline.is_some();
            let length = bytes.len() + usize::from(ends);
            // `held` already matches the beginning of END_OF_DATA.
            let could_end = !in_line && END_OF_DATA.get(held.len()..).is_some_and(|rest| rest.starts_with(bytes));
            if could_end {
                held.extend_from_slice(bytes);
                if !ends {
                    reader.consume(length);
                    continue;
                }
                if held == END_OF_DATA {
                    return Ok(Some(rows));
                }
                each(LinePart { bytes: &held, ends })?;
            } else {
                if !held.is_empty() {
                    each(LinePart { bytes: &held, ends: false })?;
                }
                each(LinePart { bytes, ends })?;
            }
            held.clear();
            in_line = !ends;
            rows += u64::from(ends);
            reader.consume(length);
        }
    }
}

/// Part of a line, without the newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinePart<'a> {
    pub bytes: &'a [u8],
    /// The line ends with this part.
    pub ends: bool,
}

/// Opens a data file by its name without suffix, like pg_restore: plain, `.gz` or `.zst`.
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

    #[test]
    fn a_row_comes_in_parts_wherever_the_buffer_ends() {
        let dir = tempfile::tempdir().unwrap();
        let table = QualifiedName::new("public", "t");
        // The rest of a long row may look like `\.`, and a row may start like the end of data.
        for before in READ_BUFFER_BYTES - 6..READ_BUFFER_BYTES + 2 {
            for row in ["", "\\", "\\.", "\\.x", "\\N\t1", "plain"] {
                let text = format!("{}\n{row}\n\\.\n\n\n", "x".repeat(before));
                std::fs::write(dir.path().join("1.dat"), &text).unwrap();
                let (mut rows, mut open) = (Vec::new(), Vec::new());
                let mut push = |part: LinePart<'_>| {
                    open.extend_from_slice(part.bytes);
                    if part.ends {
                        rows.push(std::mem::take(&mut open));
                    }
                    Ok(())
                };
                let count = archive(dir.path()).for_each_part(&table, &mut push).unwrap();
                let wanted = text.split('\n').take_while(|line| *line != "\\.").map(str::as_bytes);
                assert_eq!(rows, wanted.collect::<Vec<_>>(), "{row} at {before}");
                assert_eq!(count, Some(rows.len() as u64));
            }
        }
    }
}
