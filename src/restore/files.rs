//! The snapshot's own SQL files, run over the protocol inside of the restore's transaction.
//!
//! Invariant: a file is taken whole or not at all: it begins with its `BEGIN` and ends with its trailer, and both are
//! taken off because the transaction is the restore's. The server's own parser takes its statements apart, so nothing
//! that stands in a body or a string can be mistaken for a command.

use std::path::Path;

use super::runner::Runner;
use crate::model::failure::{Failure, FailureKind, Result};

const BEGIN: &str = "\nBEGIN;\n";
const ENDING: &str = "\nCOMMIT;\n\n-- stacksnap: end of file\n";

/// The statements between the file's own `BEGIN` and `COMMIT`. `None`: it is not a whole file.
pub fn body(text: &str) -> Option<&str> {
    let whole = text.strip_suffix(ENDING)?;
    let start = if let Some(rest) = whole.strip_prefix(&BEGIN[1..]) {
        whole.len() - rest.len()
    } else {
        whole.find(BEGIN)? + BEGIN.len()
    };
    let head_is_comments = whole[..start].lines().all(|l| l.is_empty() || l.starts_with("--") || l == "BEGIN;");
    head_is_comments.then(|| &whole[start..])
}

/// Reads a file of the snapshot. `Ok(None)`: the snapshot has no such file.
pub fn read(place: &Path, name: &str) -> Result<Option<String>> {
    let file = place.join(name);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::from(e).context(format!("cannot read {}", file.display()))),
    };
    match body(&text) {
        Some(body) => Ok(Some(body.to_string())),
        None => Err(Failure::msg(FailureKind::Integrity, format!("{name} has not the shape of a whole file"))
            .hint("the snapshot is damaged, or was changed by hand: stacksnap verify SNAPSHOT")),
    }
}

/// Runs one file under a savepoint. `Ok(Some(failure))`: it changed nothing.
pub async fn attempt(runner: &Runner<'_>, place: &Path, name: &str) -> Result<Option<Failure>> {
    let Some(body) = read(place, name)? else { return Ok(None) };
    // The files set what they need LOCAL; an empty search_path is everybody's.
    runner.attempt(name, &body).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_file_is_taken() {
        let whole = format!("-- about\n{BEGIN}SELECT 1;\n{ENDING}");
        assert_eq!(body(&whole), Some("SELECT 1;\n"));
        assert_eq!(body(&whole[..whole.len() - 5]), None);
        assert_eq!(body("DROP TABLE x;\n\nBEGIN;\n\nCOMMIT;\n\n-- stacksnap: end of file\n"), None);
        assert_eq!(body(&format!("BEGIN;\nx{ENDING}")), Some("x"));
    }

    #[test]
    fn trap_13_a_begin_in_a_body_is_not_the_files() {
        let whole = format!("-- about\n{BEGIN}CREATE FUNCTION f() AS '\nBEGIN;\n';\n{ENDING}");
        assert_eq!(body(&whole), Some("CREATE FUNCTION f() AS '\nBEGIN;\n';\n"));
    }
}
