//! The log of a run: found by run, by snapshot or as the latest; read once, or followed until the run ends.
//!
//! Invariant: following ends when the lock shows that the run is over, and after all its lines were passed on.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::time::Duration;

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::ids::SnapshotName;
use crate::model::name::visible;
use crate::model::run::RunId;
use crate::root::folder::Root;
use crate::root::{lock, logs};
use crate::snapshot::manifest_file::read_manifest;

const POLL: Duration = Duration::from_millis(150);
const CHUNK_BYTES: usize = 64 * 1024;
/// A longer line is passed on in pieces, so that a log cannot fill the memory.
const LINE_MAX_BYTES: usize = 1024 * 1024;

/// A log that was found.
#[derive(Debug)]
pub struct Log {
    pub run: RunId,
    pub place: PathBuf,
}

/// Finds the log of `text`: a run, `latest` (the newest run, alive or not), or a snapshot in any spelling.
pub fn find(root: &Root, text: &str) -> Result<Log> {
    let run = match RunId::parse(text) {
        Some(run) => Some(run),
        None if text.eq_ignore_ascii_case("latest") => logs::runs(root.path()).into_iter().next(),
        None => logs::run_of(root.path(), &snapshot_name(root, text)?),
    };
    let place = run.as_ref().map(|run| logs::place(root.path(), run));
    match (run, place) {
        (Some(run), Some(place)) if place.is_file() => Ok(Log { run, place }),
        _ => {
            let text = format!("no log of '{}' in {}", visible(text), root.path().display());
            Err(Failure::msg(FailureKind::NotFound, text)
                .hint("each run in this root folder has a log; the newest: stacksnap logs latest"))
        }
    }
}

fn snapshot_name(root: &Root, text: &str) -> Result<SnapshotName> {
    let place = root.resolve(text)?;
    match place.file_name().and_then(|name| SnapshotName::parse(name.to_str()?)) {
        Some(name) => Ok(name),
        // A renamed folder, or a link: the manifest has the name.
        None => Ok(read_manifest(&place)?.id),
    }
}

/// Is the run of this log alive?
pub fn is_running(root: &Root, run: &RunId) -> bool {
    lock::holder(root.path()).is_some_and(|holder| holder.run == run.as_str())
}

/// Passes every line to `each`. With `follow`, goes on until the run ends or `each` returns `false`.
pub fn read(root: &Root, log: &Log, follow: bool, mut each: impl FnMut(&str) -> bool) -> Result<()> {
    let failed = |e: std::io::Error| Failure::from(e).context(format!("cannot read the log {}", log.place.display()));
    let mut file = File::open(&log.place).map_err(failed)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut pending: Vec<u8> = Vec::new();
    loop {
        // Checked before reading, so that the last lines of a run that ends now are still read below.
        let alive = follow && is_running(root, &log.run);
        loop {
            let n = match file.read(&mut chunk) {
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(failed(e)),
            };
            if n == 0 {
                break;
            }
            pending.extend_from_slice(&chunk[..n]);
            if !give_out(&mut pending, &mut each) {
                return Ok(());
            }
        }
        if !alive {
            break;
        }
        std::thread::sleep(POLL);
    }
    if !pending.is_empty() {
        each(&String::from_utf8_lossy(&pending));
    }
    Ok(())
}

/// Passes the whole lines on; `false` when `each` wants no more.
fn give_out(pending: &mut Vec<u8>, each: &mut impl FnMut(&str) -> bool) -> bool {
    let mut start = 0;
    while let Some(length) = pending[start..].iter().position(|b| *b == b'\n') {
        if !each(&String::from_utf8_lossy(&pending[start..start + length])) {
            return false;
        }
        start += length + 1;
    }
    pending.drain(..start);
    if pending.len() > LINE_MAX_BYTES {
        let go_on = each(&String::from_utf8_lossy(pending));
        pending.clear();
        return go_on;
    }
    true
}
