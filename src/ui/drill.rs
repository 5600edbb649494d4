//! The text of a drill: the verdict first, then measurements, exceptions and leftovers.
//!
//! Invariant: "restorable" is printed only if the report says so; control characters in foreign text never reach the
//! terminal.

use super::exceptions::{exceptions, open};
use super::text::{bytes, counted, duration_ms, line};
use crate::model::restore::RestoreVerdict;
use crate::ops::drill::{DrillReport, Stage};

/// Maximum number of findings shown; the record contains all.
const FINDINGS_MAX: usize = 20;

/// The whole text.
pub fn render(report: &DrillReport) -> String {
    let snapshot = line(&report.snapshot);
    let mut out = match report.verdict {
        Some(RestoreVerdict::Restorable) => format!("✅ restorable: {snapshot}\n"),
        Some(RestoreVerdict::Except) => format!("⚠️  restorable except what is named below: {snapshot}\n"),
        Some(RestoreVerdict::Not) => format!("❌ NOT restorable: {snapshot}\n"),
        None => format!("⚠️  NOT proven: {snapshot}\n"),
    };
    let place = match report.stage {
        Stage::ThrowAwayCluster => "a throw-away server",
        Stage::Target => "the named database",
    };
    out.push_str(&format!("   restored into {place}, PostgreSQL {}\n", line(&report.server_version)));
    out.push_str(&format!(
        "   recovery takes {} (verify {}, restore {}: {}, {})\n",
        duration_ms(report.recovery_ms),
        duration_ms(report.verify_ms),
        duration_ms(report.restore_ms),
        counted(report.rows_loaded, "row", "rows"),
        bytes(report.bytes_loaded)
    ));
    if let Some(proof) = &report.proof {
        out.push_str(&format!(
            "   compared {}, {}, {} in {}\n",
            counted(proof.objects_compared, "object", "objects"),
            counted(proof.tables_compared, "table", "tables"),
            counted(proof.rows_compared, "row", "rows"),
            duration_ms(report.proof_ms)
        ));
    }
    open(&mut out, &report.left_out);
    findings(&mut out, report);
    assertions(&mut out, report);
    let all = report.all_exceptions();
    if !all.is_empty() {
        out.push('\n');
        exceptions(&mut out, "missing, different, or not proven:", &all, false);
        out.truncate(out.trim_end().len() + 1);
    }
    for note in &report.notes {
        out.push_str(&format!("   note: {}\n", line(note)));
    }
    leftovers(&mut out, report);
    out
}

fn findings(out: &mut String, report: &DrillReport) {
    let proof = report.proof.iter().flat_map(|proof| &proof.findings);
    let all: Vec<_> = report.findings.iter().chain(proof).collect();
    for finding in all.iter().take(FINDINGS_MAX) {
        out.push_str(&format!(
            "   {}: {}: expected {}, found {}\n",
            line(&finding.code),
            line(&finding.what),
            line(&finding.expected),
            line(&finding.found)
        ));
    }
    if all.len() > FINDINGS_MAX {
        out.push_str(&format!("   … and {} more, in the record\n", all.len() - FINDINGS_MAX));
    }
    let probes = report.proof.iter().flat_map(|proof| &proof.probes);
    for probe in probes.filter(|probe| probe.passed == Some(false)) {
        out.push_str(&format!("   probe {} failed: {}\n", line(&probe.name), line(&probe.detail)));
    }
}

fn assertions(out: &mut String, report: &DrillReport) {
    for outcome in &report.assertions {
        if outcome.passed {
            out.push_str(&format!("   ✅ {}\n", line(&outcome.query)));
        } else {
            out.push_str(&format!("   ❌ {}: {}\n", line(&outcome.query), line(&outcome.detail)));
        }
    }
}

fn leftovers(out: &mut String, report: &DrillReport) {
    if let Some(kept) = &report.kept {
        let (connect, remove) = (line(&kept.connect), line(&kept.remove));
        out.push_str(&format!("\nkept as requested:\n   connect: {connect}\n   remove:  {remove}\n"));
    }
    if !report.left.is_empty() {
        out.push_str("\nleft behind:\n");
        for what in &report.left {
            out.push_str(&format!("  - {}\n", line(what)));
        }
    }
}
