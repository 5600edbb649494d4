//! Reads every file once, largest first, on a few threads. For a large file, one thread hashes and another one decodes
//! the same bytes; small files are hashed and decoded by one thread.
//!
//! Invariant: at most a few MiB per thread are held in memory. The decoder's result counts only if the checksum is
//! right.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use sha2::{Digest, Sha256};

use super::Finding;
use super::content::Content;
use super::problem::Problem;
use super::records::Job;
use crate::model::hex::hex;
use crate::monitor::{Event, Monitor, Phase};
use crate::snapshot::beneath::{Folder, Refusal};

const PIECE_BYTES: usize = 1 << 20;
/// Pieces queued between the thread that hashes and the one that decodes.
const PIECES_AHEAD: usize = 4;
/// Below this a second thread costs more than it saves.
const SMALL_BYTES: u64 = 2 << 20;
const PROGRESS_EVERY: u64 = 8 << 20;

/// How much was read.
#[derive(Debug, Default, Clone, Copy)]
pub struct Done {
    pub files: u64,
    pub bytes: u64,
}

struct Progress<'a> {
    monitor: &'a dyn Monitor,
    bytes: AtomicU64,
    files: AtomicU64,
}

impl Progress<'_> {
    fn read(&self, bytes: u64) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before / PROGRESS_EVERY != (before + bytes) / PROGRESS_EVERY {
            self.monitor.event(Event::PhaseProgress { phase: Phase::Verify, bytes_done: before + bytes });
        }
    }
}

/// Checks all files with `jobs` threads.
pub fn check_all(
    folder: &Folder,
    mut jobs: Vec<Job>,
    monitor: &dyn Monitor,
    threads: usize,
    findings: &mut Vec<Finding>,
) -> Done {
    jobs.sort_by_key(|job| std::cmp::Reverse(job.content.cost(job.bytes)));
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let progress = Progress { monitor, bytes: AtomicU64::new(0), files: AtomicU64::new(0) };
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, 64).min(jobs.len().max(1)) {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(problem) = check_one(folder, job, &progress, &mut buffer) {
                        let finding = Finding::damage(&job.path, problem.code, problem.what);
                        found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(finding);
                    }
                }
            });
        }
    });
    findings.extend(found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    Done { files: progress.files.into_inner(), bytes: progress.bytes.into_inner() }
}

fn check_one(folder: &Folder, job: &Job, progress: &Progress<'_>, buffer: &mut Vec<u8>) -> Result<(), Problem> {
    let file = folder.file(&job.path).map_err(|refusal| {
        let code = match &refusal {
            Refusal::Missing => "missing_file",
            Refusal::Link => "link",
            Refusal::Special => "special_file",
            Refusal::Outside | Refusal::Io(_) => "unreadable",
        };
        Problem::new(code, refusal.to_string())
    })?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length != job.bytes {
        return Err(Problem::new("wrong_length", format!("it has {length} bytes, {} were recorded", job.bytes)));
    }
    if matches!(job.content, Content::Unread) {
        return Ok(());
    }
    progress.files.fetch_add(1, Ordering::Relaxed);
    let (sha256, content) = if matches!(job.content, Content::Bytes) {
        (hash(file, progress, buffer, |_| {})?, Ok(()))
    } else if length <= SMALL_BYTES {
        let mut whole = Vec::with_capacity(length as usize);
        let sha256 = hash(file, progress, buffer, |piece| whole.extend_from_slice(piece))?;
        (sha256, job.content.check(&mut &whole[..]))
    } else {
        hash_and_check(file, job, progress)?
    };
    if sha256 != job.sha256 {
        return Err(Problem::new("wrong_sha256", format!("its sha256 is {sha256}, {} was recorded", job.sha256)));
    }
    content
}

fn unreadable(error: io::Error) -> Problem {
    Problem::new("unreadable", error.to_string())
}

fn hash(
    mut file: File,
    progress: &Progress<'_>,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]),
) -> Result<String, Problem> {
    buffer.resize(PIECE_BYTES, 0);
    let mut hasher = Sha256::new();
    loop {
        let got = read_some(&mut file, buffer).map_err(unreadable)?;
        if got == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..got]);
        each(&buffer[..got]);
        progress.read(got as u64);
    }
}

/// Hashes here and decodes on another thread.
fn hash_and_check(
    mut file: File,
    job: &Job,
    progress: &Progress<'_>,
) -> Result<(String, Result<(), Problem>), Problem> {
    let (send, receive) = sync_channel::<Vec<u8>>(PIECES_AHEAD);
    let (give_back, spare) = channel::<Vec<u8>>();
    std::thread::scope(|scope| {
        let decoder = scope.spawn(move || job.content.check(&mut Pieces::new(receive, give_back)));
        let sha256 = hash_and_send(&mut file, progress, send, &spare);
        let content = decoder.join().unwrap_or_else(|_| Err(Problem::new("undecodable", "its decoder failed")));
        Ok((sha256.map_err(unreadable)?, content))
    })
}

/// Dropping the sender at the end closes the decoder's input.
fn hash_and_send(
    file: &mut File,
    progress: &Progress<'_>,
    send: SyncSender<Vec<u8>>,
    spare: &Receiver<Vec<u8>>,
) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut wanted = true;
    let mut kept = Vec::new();
    loop {
        let mut piece = if wanted { spare.try_recv().unwrap_or_default() } else { std::mem::take(&mut kept) };
        piece.resize(PIECE_BYTES, 0);
        let got = read_some(file, &mut piece)?;
        if got == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        piece.truncate(got);
        hasher.update(&piece);
        progress.read(got as u64);
        if wanted {
            // A decoder that has seen enough drops its receiver; the checksum still needs the rest.
            if let Err(rejected) = send.send(piece) {
                (wanted, kept) = (false, rejected.0);
            }
        } else {
            kept = piece;
        }
    }
}

fn read_some(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The decoder's input: the pieces as one stream.
struct Pieces {
    receive: Receiver<Vec<u8>>,
    give_back: Sender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    fn new(receive: Receiver<Vec<u8>>, give_back: Sender<Vec<u8>>) -> Self {
        Self { receive, give_back, piece: Vec::new(), at: 0 }
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.piece.len()
            && let Ok(next) = self.receive.recv()
        {
            let used = std::mem::replace(&mut self.piece, next);
            self.at = 0;
            if used.capacity() > 0 {
                let _ = self.give_back.send(used);
            }
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.piece.len());
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(buffer)?;
        self.consume(got);
        Ok(got)
    }
}
