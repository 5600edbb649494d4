//! The archive phase of `create`: runs pg_dump and derives everything that comes from table data meanwhile.
//!
//! Invariant: pg_dump is the only reader of table data. It is killed and waited for when anything stops the run. Its
//! success is believed only when every data file that the table of contents names was read to its last line.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::dump_failure::DumpFailure;
use super::readable::{self, ReadableOrder};
use crate::model::category::Category;
use crate::model::failure::Failure;
use crate::model::name::QualifiedName;
use crate::monitor::millis;
use crate::monitor::{Event, Monitor, Phase};
use crate::pgtools::client::Client;
use crate::pgtools::dump::{DumpOrder, start_dump};
use crate::pgtools::environment::LibpqEnvironment;
use crate::pgtools::toc::{TableData, Toc};
use crate::snapshot::codec::Codec;
use crate::snapshot::derive::{DeriveOrder, DeriveWatch, DerivedTable, Task, derive};
use crate::snapshot::layout;
use crate::snapshot::reader::DataFile;
use crate::snapshot::sink::ArtifactSink;

const POLL: Duration = Duration::from_millis(20);

/// The input of the archive phase.
pub struct ArchiveOrder<'a> {
    pub client: &'a Client,
    pub environment: &'a LibpqEnvironment,
    pub dump: DumpOrder,
    pub codec: Codec,
    pub threads: usize,
    pub csv: bool,
    pub readable_sql: bool,
    /// Write `.csv.zst` and `.sql.zst`.
    pub compressed: bool,
}

/// The shared state of a running archive phase, and the way to stop it.
#[derive(Default)]
pub struct ArchiveState {
    stop: AtomicBool,
    writer_done: AtomicBool,
    bytes_done: AtomicU64,
    toc: OnceLock<Toc>,
}

impl ArchiveState {
    /// Stops pg_dump and every thread of the phase.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The table of contents; `Some` once pg_dump has read the catalogs and taken its locks.
    pub fn toc(&self) -> Option<&Toc> {
        self.toc.get()
    }

    fn writer_done(&self) -> bool {
        self.writer_done.load(Ordering::Acquire)
    }
}

/// The result of the archive phase.
pub struct ArchiveResult {
    pub toc: Toc,
    pub tables: Vec<DerivedTable>,
    /// As in the order.
    pub compressed: bool,
}

/// Runs the phase to its end, on this thread and threads of its own. Blocks.
pub fn run(
    order: &ArchiveOrder<'_>,
    state: &ArchiveState,
    sink: &ArtifactSink,
    monitor: &dyn Monitor,
) -> Result<ArchiveResult, DumpFailure> {
    let outcome = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for_dump(order, state));
        let derived = derive_beside(order, state, sink, monitor);
        if derived.is_err() {
            state.stop();
        }
        let dumped =
            waiting.join().unwrap_or_else(|_| Err(DumpFailure::other("the thread that waits for pg_dump failed")));
        // pg_dump's error explains more than an error about its files.
        match (dumped, derived) {
            (Err(DumpFailure::Stopped), Err(failure)) => Err(failure),
            (Err(failure), _) => Err(failure),
            (Ok(()), derived) => derived,
        }
    });
    let (toc, tables) = outcome?;
    finish_folder(order, sink, &tables).map_err(DumpFailure::from_io)?;
    Ok(ArchiveResult { toc, tables, compressed: order.compressed })
}

fn wait_for_dump(order: &ArchiveOrder<'_>, state: &ArchiveState) -> Result<(), DumpFailure> {
    let result = dump_to_its_end(order, state);
    if result.is_err() {
        state.stop();
    }
    result
}

fn dump_to_its_end(order: &ArchiveOrder<'_>, state: &ArchiveState) -> Result<(), DumpFailure> {
    let mut running = start_dump(order.client, order.environment, &order.dump).map_err(DumpFailure::Other)?;
    loop {
        if state.stopped() {
            running.kill();
            return Err(DumpFailure::Stopped);
        }
        let Some(status) = running.poll(POLL).map_err(DumpFailure::from_io)? else { continue };
        if status.success() {
            state.writer_done.store(true, Ordering::Release);
            return Ok(());
        }
        return Err(DumpFailure::classify(status, &running.stderr_tail()));
    }
}

/// Waits for the table of contents, then derives while pg_dump runs.
fn derive_beside(
    order: &ArchiveOrder<'_>,
    state: &ArchiveState,
    sink: &ArtifactSink,
    monitor: &dyn Monitor,
) -> Result<(Toc, Vec<DerivedTable>), DumpFailure> {
    let toc = wait_for_toc(&order.dump.folder, state)?;
    let data = toc.table_data().map_err(DumpFailure::Other)?;
    let _ = state.toc.set(toc.clone());
    let csv_of: HashSet<QualifiedName> =
        if order.csv { data.iter().map(|d| d.table.clone()).collect() } else { HashSet::new() };
    let tasks = data.iter().map(|d| task(d, csv_of.contains(&d.table))).collect();
    let derive_order = DeriveOrder {
        folder: order.dump.folder.clone(),
        tasks,
        codec: order.codec,
        csv_compressed: order.compressed,
        threads: order.threads,
    };
    let watch = Watch { state, monitor, last_told: AtomicU64::new(0), started: Instant::now() };
    let tables = std::thread::scope(|scope| {
        let sql = order.readable_sql.then(|| {
            let (toc, data) = (&toc, &data);
            scope.spawn(move || {
                let order =
                    ReadableOrder { client: order.client, archive: &order.dump.folder, compressed: order.compressed };
                let result = readable::write(&order, toc, data, sink, &|| wait_state(state));
                if result.is_err() {
                    state.stop();
                }
                result
            })
        });
        let tables = derive(&derive_order, sink, &watch);
        if tables.is_err() {
            state.stop();
        }
        let sql = sql.map_or(Ok(()), |s| {
            s.join().unwrap_or_else(|_| Err(Failure::from(io::Error::other("the SQL thread failed"))))
        });
        match (tables, sql) {
            (Err(error), Ok(())) => Err(DumpFailure::from_io(error)),
            (Err(error), Err(_)) if error.kind() != io::ErrorKind::Interrupted => Err(DumpFailure::from_io(error)),
            (_, Err(failure)) => Err(DumpFailure::from_part(failure)),
            (Ok(tables), Ok(())) => Ok(tables),
        }
    })?;
    Ok((toc, tables))
}

fn task(data: &TableData, csv: bool) -> Task {
    let columns = data.columns.clone();
    Task { data: DataFile { table: data.table.clone(), columns, file_name: data.file_name.clone() }, csv }
}

/// Has pg_dump ended? For readers that follow it. An error when the run was stopped.
fn wait_state(state: &ArchiveState) -> io::Result<bool> {
    // Read before `stopped`: a pg_dump that fails sets `stop` and never `writer_done`.
    let done = state.writer_done();
    if state.stopped() {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped"));
    }
    Ok(done)
}

fn wait_for_toc(folder: &Path, state: &ArchiveState) -> Result<Toc, DumpFailure> {
    loop {
        let done = state.writer_done();
        if state.stopped() {
            return Err(DumpFailure::Stopped);
        }
        // pg_dump writes the file in one go before any table; an incomplete file does not parse.
        match Toc::read(folder) {
            Ok(toc) => return Ok(toc),
            Err(failure) if done => return Err(DumpFailure::Other(failure)),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

/// Removes the uncompressed files and records the files of pg_dump that are kept unchanged.
fn finish_folder(order: &ArchiveOrder<'_>, sink: &ArtifactSink, tables: &[DerivedTable]) -> io::Result<()> {
    let raw: HashSet<PathBuf> = tables.iter().map(|t| order.dump.folder.join(&t.data.file_name)).collect();
    let recorded: HashSet<String> = sink.artifacts().into_iter().map(|a| a.path).collect();
    for entry in std::fs::read_dir(&order.dump.folder)? {
        let place = entry?.path();
        let name = place.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let path = format!("{}/{name}", layout::DUMP_DIR);
        if raw.contains(&place) {
            std::fs::remove_file(&place)?;
        } else if !recorded.contains(&path) {
            set_private(&place)?;
            sink.adopt(&path, Category::Archive)?;
        }
    }
    Ok(())
}

fn set_private(place: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o600))
}

struct Watch<'a> {
    state: &'a ArchiveState,
    monitor: &'a dyn Monitor,
    last_told: AtomicU64,
    started: Instant,
}

const TELL_EVERY_MS: u64 = 100;

impl DeriveWatch for Watch<'_> {
    fn writer_done(&self) -> bool {
        self.state.writer_done()
    }

    fn stopped(&self) -> bool {
        self.state.stopped()
    }

    fn table_started(&self, data: &DataFile) {
        self.monitor.event(Event::TableStarted { table: data.table.plain(), bytes_estimated: 0 });
    }

    fn table_progress(&self, data: &DataFile, bytes_raw: u64, bytes_added: u64) {
        let bytes_done = self.state.bytes_done.fetch_add(bytes_added, Ordering::Relaxed) + bytes_added;
        let now_ms = millis(self.started.elapsed());
        let last = self.last_told.load(Ordering::Relaxed);
        let due = now_ms >= last + TELL_EVERY_MS;
        if due && self.last_told.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.monitor.event(Event::TableProgress { table: data.table.plain(), bytes_done: bytes_raw });
            self.monitor.event(Event::PhaseProgress { phase: Phase::Dump, bytes_done });
        }
    }

    fn table_ended(&self, table: &DerivedTable) {
        let rows = table.fingerprint.rows;
        self.monitor.event(Event::TableEnded { table: table.data.table.plain(), rows, bytes: table.bytes_raw });
    }
}
