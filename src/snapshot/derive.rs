//! One pass over each of pg_dump's data files while pg_dump writes it: compress, hash, count, fingerprint, CSV.
//!
//! Invariant: the database is never read again. Every byte of the archive is processed exactly once (only a row longer
//! than a chunk is read a second time, for its CSV). Memory is bounded by threads times chunk size, whatever the data.
//! A truncated file is an error. Threads share the chunks of one table, so one large table keeps every core busy; each
//! file's chunks are written in order (`output`).

mod output;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::codec::{Codec, Compressor};
use super::csv;
use super::follow::{Follower, Next};
use super::reader::DataFile;
use super::sink::ArtifactSink;
use crate::model::fingerprint::TableFingerprint;
use output::{Content, Derived, Output};

const ACTIVE_FILES_MAX: usize = 8;
/// Minimum time between two reads of the folder while no new file is known.
const SCAN_EVERY: Duration = Duration::from_millis(30);
const IDLE_SLEEP: Duration = Duration::from_millis(3);

/// One data file to process.
#[derive(Debug, Clone)]
pub struct Task {
    pub data: DataFile,
    /// Whether to write its rows as CSV.
    pub csv: bool,
}

/// Options for processing a whole archive.
#[derive(Debug, Clone)]
pub struct DeriveOrder {
    /// The folder pg_dump writes into, inside the sink's root.
    pub folder: PathBuf,
    pub tasks: Vec<Task>,
    pub codec: Codec,
    /// Compress CSV files (`.csv.zst`).
    pub csv_compressed: bool,
    pub threads: usize,
}

/// Callbacks of the derive pass.
pub trait DeriveWatch: Sync {
    /// Whether pg_dump has ended successfully.
    fn writer_done(&self) -> bool;
    /// Whether to stop (cancelled, or pg_dump failed).
    fn stopped(&self) -> bool;
    fn table_started(&self, data: &DataFile);
    /// `bytes_raw` of this table so far; `bytes_added` since the last call for it.
    fn table_progress(&self, data: &DataFile, bytes_raw: u64, bytes_added: u64);
    fn table_ended(&self, table: &DerivedTable);
}

/// The result for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedTable {
    pub data: DataFile,
    pub fingerprint: TableFingerprint,
    pub bytes_raw: u64,
    pub data_path: String,
    pub csv_path: Option<String>,
}

/// Runs the pass until every task is done. Returns the tables in the order of the tasks.
pub fn derive(order: &DeriveOrder, sink: &ArtifactSink, watch: &dyn DeriveWatch) -> io::Result<Vec<DerivedTable>> {
    let by_file = order.tasks.iter().enumerate().map(|(i, task)| (task.data.file_name.clone(), i)).collect();
    let board = Board {
        waiting: by_file,
        seen: VecDeque::new(),
        scanned_at: None,
        active: Vec::new(),
        done: BTreeMap::new(),
        failure: None,
    };
    let pass = Pass { order, sink, watch, board: Mutex::new(board) };
    std::thread::scope(|scope| {
        for _ in 0..order.threads.max(1) {
            scope.spawn(|| {
                if let Err(error) = pass.work() {
                    pass.fail(error);
                }
            });
        }
    });
    let mut board = pass.board.into_inner().map_err(|_| io::Error::other("a thread of the derive pass failed"))?;
    if let Some(error) = board.failure.take() {
        return Err(error);
    }
    if board.done.len() != order.tasks.len() {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped before every table was written"));
    }
    Ok(board.done.into_values().collect())
}

struct Board<'a> {
    /// Files that do not exist yet, with their task.
    waiting: HashMap<String, usize>,
    /// Tasks whose file exists, in the order found by the last read of the folder.
    seen: VecDeque<usize>,
    scanned_at: Option<Instant>,
    active: Vec<Arc<Job<'a>>>,
    done: BTreeMap<usize, DerivedTable>,
    failure: Option<io::Error>,
}

struct Pass<'a> {
    order: &'a DeriveOrder,
    sink: &'a ArtifactSink,
    watch: &'a dyn DeriveWatch,
    board: Mutex<Board<'a>>,
}

/// One file being processed.
struct Job<'a> {
    task: usize,
    data: &'a DataFile,
    input: Mutex<Input>,
    output: Mutex<Option<Output<'a>>>,
    in_flight: AtomicUsize,
}

struct Input {
    follower: Follower,
    next_chunk: u64,
}

struct Chunk<'a> {
    job: Arc<Job<'a>>,
    number: u64,
    /// Complete lines, or part of one line.
    bytes: Vec<u8>,
    part_of_row: bool,
    /// `Some` for the last chunk: the bytes after the data.
    end: Option<Vec<u8>>,
}

struct Tools {
    data: Compressor,
    csv: Option<Compressor>,
}

impl<'a> Pass<'a> {
    fn work(&self) -> io::Result<()> {
        let csv = if self.order.csv_compressed { Some(Compressor::new(Codec::Zstd)?) } else { None };
        let mut tools = Tools { data: Compressor::new(self.order.codec)?, csv };
        loop {
            // Read this before looking for files: a file that does not exist afterwards will never exist.
            let writer_done = self.watch.writer_done();
            if self.watch.stopped() || self.board()?.failure.is_some() {
                return Ok(());
            }
            if let Some(chunk) = self.take_chunk(writer_done)? {
                self.process(chunk, &mut tools)?;
                continue;
            }
            if self.open_files(writer_done)? {
                continue;
            }
            let board = self.board()?;
            if board.waiting.is_empty() && board.seen.is_empty() && board.active.is_empty() {
                return Ok(());
            }
            drop(board);
            std::thread::sleep(IDLE_SLEEP);
        }
    }

    fn board(&self) -> io::Result<MutexGuard<'_, Board<'a>>> {
        self.board.lock().map_err(|_| io::Error::other("a thread of the derive pass failed"))
    }

    fn fail(&self, error: io::Error) {
        if let Ok(mut board) = self.board.lock() {
            board.failure.get_or_insert(error);
        }
    }

    /// Opens files that have appeared. Returns true if there is a new one.
    fn open_files(&self, writer_done: bool) -> io::Result<bool> {
        let mut board = self.board()?;
        let room = ACTIVE_FILES_MAX.saturating_sub(board.active.len());
        if room == 0 {
            return Ok(false);
        }
        if board.seen.is_empty() && !board.waiting.is_empty() {
            self.scan_folder(&mut board, writer_done)?;
        }
        let mut opened = false;
        for _ in 0..room {
            let Some(task) = board.seen.pop_front() else { break };
            let job = self.open_job(task)?;
            board.active.push(Arc::new(job));
            opened = true;
        }
        Ok(opened)
    }

    /// Finds files that have appeared. Limits how often a folder with thousands of files is read.
    fn scan_folder(&self, board: &mut Board<'a>, writer_done: bool) -> io::Result<()> {
        if !writer_done && board.scanned_at.is_some_and(|at| at.elapsed() < SCAN_EVERY) {
            return Ok(());
        }
        board.scanned_at = Some(Instant::now());
        for entry in std::fs::read_dir(&self.order.folder)?.flatten() {
            let name = entry.file_name();
            if let Some(task) = name.to_str().and_then(|name| board.waiting.remove(name)) {
                board.seen.push_back(task);
            }
        }
        if board.seen.is_empty() && writer_done {
            let missing = board.waiting.keys().next().cloned().unwrap_or_default();
            let text = format!("the archive lacks the data file {missing}, although pg_dump reported success");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        Ok(())
    }

    fn open_job(&self, task: usize) -> io::Result<Job<'a>> {
        let Task { data, csv } = &self.order.tasks[task];
        let file = File::open(self.order.folder.join(&data.file_name))?;
        let output = Output::create(self.order, *csv, data, self.sink)?;
        self.watch.table_started(data);
        let input = Mutex::new(Input { follower: Follower::new(file), next_chunk: 0 });
        Ok(Job { task, data, input, output: Mutex::new(Some(output)), in_flight: AtomicUsize::new(0) })
    }

    /// The next chunk of any active file.
    fn take_chunk(&self, writer_done: bool) -> io::Result<Option<Chunk<'a>>> {
        let active = self.board()?.active.clone();
        for job in active {
            if job.in_flight.load(Ordering::Acquire) > self.order.threads {
                continue;
            }
            let Ok(mut input) = job.input.try_lock() else { continue };
            if input.follower.ended() {
                continue;
            }
            let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", job.data.file_name));
            let (bytes, part_of_row, end) = match input.follower.next(writer_done).map_err(named)? {
                Next::NotYet => continue,
                Next::Lines(lines) => (lines, false, None),
                Next::Part(part) => (part, true, None),
                Next::Last { lines, end } => (lines, false, Some(end)),
            };
            let number = input.next_chunk;
            input.next_chunk += 1;
            job.in_flight.fetch_add(1, Ordering::AcqRel);
            drop(input);
            return Ok(Some(Chunk { job, number, bytes, part_of_row, end }));
        }
        Ok(None)
    }

    fn process(&self, chunk: Chunk<'a>, tools: &mut Tools) -> io::Result<()> {
        let Chunk { job, number, mut bytes, part_of_row, end } = chunk;
        let bytes_raw = bytes.len() as u64;
        let last = end.is_some();
        let (packed, content) = if part_of_row {
            (tools.data.compress(&bytes)?, Content::PartOfRow(bytes))
        } else {
            let content = self.lines(&job, &bytes, tools)?;
            bytes.extend(end.unwrap_or_default());
            (tools.data.compress(&bytes)?, content)
        };
        self.write(&job, number, Derived { packed, content, bytes_raw, last }, tools)?;
        job.in_flight.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    }

    fn lines(&self, job: &Job<'_>, lines: &[u8], tools: &mut Tools) -> io::Result<Content> {
        let with_csv = self.order.tasks[job.task].csv;
        let columns = job.data.columns.len();
        let mut fingerprint = TableFingerprint::default();
        let mut csv_bytes = Vec::with_capacity(if with_csv { lines.len() + lines.len() / 8 } else { 0 });
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', lines) {
            let line = &lines[start..end];
            start = end + 1;
            fingerprint.add(line);
            if with_csv {
                csv::row(line, columns, &mut csv_bytes);
            }
        }
        if let Some(csv) = tools.csv.as_mut().filter(|_| with_csv) {
            csv_bytes = csv.compress(&csv_bytes)?;
        }
        Ok(Content::Lines { csv: csv_bytes, fingerprint })
    }

    /// Writes a chunk in its order, together with all later ones that waited for it.
    fn write(&self, job: &Arc<Job<'a>>, number: u64, derived: Derived, tools: &mut Tools) -> io::Result<()> {
        let mut guard = job.output.lock().map_err(|_| io::Error::other("a thread of the derive pass failed"))?;
        let Some(output) = guard.as_mut() else { return Err(io::Error::other("data after the end of a table")) };
        let bytes_before = output.bytes_raw;
        let ended = output.take(number, derived, tools.csv.as_mut())?;
        self.watch.table_progress(job.data, output.bytes_raw, output.bytes_raw - bytes_before);
        if ended && let Some(output) = guard.take() {
            drop(guard);
            self.finish(job, output)?;
        }
        Ok(())
    }

    fn finish(&self, job: &Arc<Job<'a>>, output: Output<'a>) -> io::Result<()> {
        let table = output.finish(job.data)?;
        self.watch.table_ended(&table);
        let mut board = self.board()?;
        board.active.retain(|other| !Arc::ptr_eq(other, job));
        board.done.insert(job.task, table);
        Ok(())
    }
}
