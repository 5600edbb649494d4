//! The text of `verify`: the verdict, then one line per finding.

use std::path::Path;

use super::text::{bytes, counted, duration_ms, line};
use crate::verify::{Level, Severity, Verdict, Verification};

pub fn render(place: &Path, verification: &Verification) -> String {
    let read = format!(
        "{}, {}, {}",
        counted(verification.files, "file", "files"),
        bytes(verification.bytes_total),
        duration_ms(verification.duration_ms)
    );
    let looked = match verification.level {
        Level::ForRestore => "every file that a restore reads is unchanged",
        Level::Checksum => "every file is unchanged",
        Level::Read => "every file is unchanged, and every row can be read",
    };
    let place = line(&place.to_string_lossy());
    let mut out = match verification.verdict {
        Verdict::Good => format!("good: {place}: {looked} ({read})\n"),
        Verdict::Bad => format!("DAMAGED: {place} ({read})\n"),
    };
    for finding in &verification.findings {
        let word = match finding.severity {
            Severity::Damage => "damage",
            Severity::Warning => "note",
        };
        let path = if finding.path.is_empty() { String::new() } else { format!("{}: ", line(&finding.path)) };
        out.push_str(&format!("  {word}: {path}{} ({})\n", line(&finding.what), line(&finding.code)));
    }
    if verification.verdict == Verdict::Bad {
        out.push_str("do not restore from it: use another snapshot, or another copy of this one\n");
    }
    out
}
