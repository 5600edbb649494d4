//! Writes the results for one table in order: the compressed data file, the CSV, the fingerprint.
//!
//! Invariant: chunks are written in the order in which they were read, whichever thread processed them. A row in
//! several parts is hashed part by part, and its CSV is written from the data file once its end is known; it is never
//! held in memory as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::{DeriveOrder, DerivedTable};
use crate::model::category::Category;
use crate::model::fingerprint::TableFingerprint;
use crate::snapshot::codec::{Codec, Compressor};
use crate::snapshot::csv;
use crate::snapshot::csv_row::Scan;
use crate::snapshot::follow::CHUNK_BYTES;
use crate::snapshot::layout;
use crate::snapshot::reader::DataFile;
use crate::snapshot::sink::{ArtifactSink, ArtifactWriter};

/// The result for one chunk, waiting to be written.
pub struct Derived {
    pub packed: Vec<u8>,
    pub content: Content,
    pub bytes_raw: u64,
    pub last: bool,
}

/// The content of a chunk.
pub enum Content {
    /// Complete lines, with CSV and fingerprint.
    Lines { csv: Vec<u8>, fingerprint: TableFingerprint },
    /// Part of one row: its CSV and hash depend on the parts before it.
    PartOfRow(Vec<u8>),
}

/// The output files of one table.
pub struct Output<'a> {
    pub bytes_raw: u64,
    next_chunk: u64,
    pending: BTreeMap<u64, Derived>,
    fingerprint: TableFingerprint,
    /// The file that pg_dump writes.
    raw: PathBuf,
    columns: usize,
    long: Option<LongRow>,
    data: ArtifactWriter<'a>,
    data_path: String,
    csv: Option<(ArtifactWriter<'a>, String)>,
}

/// A row whose end has not been read yet.
struct LongRow {
    /// Its offset in the raw file.
    start: u64,
    hasher: Box<blake3::Hasher>,
    scan: Option<Scan>,
}

impl<'a> Output<'a> {
    pub fn create(order: &DeriveOrder, csv: bool, data: &DataFile, sink: &'a ArtifactSink) -> io::Result<Self> {
        let data_path = format!("{}/{}.{}", layout::DUMP_DIR, data.file_name, order.codec.ending());
        let mut output = Self {
            bytes_raw: 0,
            next_chunk: 0,
            pending: BTreeMap::new(),
            fingerprint: TableFingerprint::default(),
            raw: order.folder.join(&data.file_name),
            columns: data.columns.len(),
            long: None,
            data: sink.create(&data_path, Category::Archive)?,
            data_path,
            csv: None,
        };
        if csv {
            let path = layout::csv_path(&data.table, order.csv_compressed);
            let mut writer = sink.create(&path, Category::Csv)?;
            let header = csv::header(&data.columns);
            if order.csv_compressed {
                writer.write_all(&Compressor::new(Codec::Zstd)?.compress(&header)?)?;
            } else {
                writer.write_all(&header)?;
            }
            output.csv = Some((writer, path));
        }
        Ok(output)
    }

    /// Adds one chunk and writes all chunks that are next in order. True if the last chunk was written.
    pub fn take(&mut self, number: u64, derived: Derived, mut packer: Option<&mut Compressor>) -> io::Result<bool> {
        self.pending.insert(number, derived);
        let mut ended = false;
        while let Some(next) = self.pending.remove(&self.next_chunk) {
            self.next_chunk += 1;
            self.data.write_all(&next.packed)?;
            match next.content {
                Content::Lines { csv: bytes, fingerprint } => {
                    if let Some((csv, _)) = &mut self.csv {
                        csv.write_all(&bytes)?;
                    }
                    self.fingerprint.merge(fingerprint);
                }
                Content::PartOfRow(part) => self.part_of_row(&part, packer.as_deref_mut())?,
            }
            self.bytes_raw += next.bytes_raw;
            ended |= next.last;
        }
        Ok(ended)
    }

    fn part_of_row(&mut self, part: &[u8], packer: Option<&mut Compressor>) -> io::Result<()> {
        let mut row = self.long.take().unwrap_or_else(|| LongRow {
            start: self.bytes_raw,
            hasher: Box::default(),
            scan: self.csv.is_some().then(|| Scan::new(self.columns)),
        });
        let line = part.strip_suffix(b"\n");
        let text = line.unwrap_or(part);
        row.hasher.update(text);
        if let Some(scan) = &mut row.scan {
            scan.push(text);
        }
        if line.is_none() {
            self.long = Some(row);
            return Ok(());
        }
        self.fingerprint.add_hash(&row.hasher.finalize());
        let end = self.bytes_raw + text.len() as u64;
        match row.scan {
            Some(scan) => self.long_csv(scan, row.start, end, packer),
            None => Ok(()),
        }
    }

    /// Reads the row a second time from the raw file, and writes its CSV.
    fn long_csv(&mut self, scan: Scan, start: u64, end: u64, mut packer: Option<&mut Compressor>) -> io::Result<()> {
        let Some((csv, _)) = &mut self.csv else { return Ok(()) };
        let raw = File::open(&self.raw)?;
        let mut row = scan.end();
        let (mut piece, mut out, mut at) = (vec![0; CHUNK_BYTES], Vec::new(), start);
        let mut write = |out: &mut Vec<u8>| {
            match packer.as_deref_mut() {
                Some(packer) => csv.write_all(&packer.compress(out)?)?,
                None => csv.write_all(out)?,
            }
            out.clear();
            io::Result::Ok(())
        };
        while at < end {
            let length = usize::try_from(end - at).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            raw.read_exact_at(&mut piece[..length], at)?;
            row.push(&piece[..length], &mut out);
            write(&mut out)?;
            at += length as u64;
        }
        row.end(&mut out);
        write(&mut out)
    }

    /// Finishes the files.
    pub fn finish(self, data: &DataFile) -> io::Result<DerivedTable> {
        self.data.finish()?;
        let csv_path = match self.csv {
            Some((writer, path)) => writer.finish().map(|_| Some(path))?,
            None => None,
        };
        Ok(DerivedTable {
            data: data.clone(),
            fingerprint: self.fingerprint,
            bytes_raw: self.bytes_raw,
            data_path: self.data_path,
            csv_path,
        })
    }
}
