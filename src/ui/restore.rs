//! The text of restores: the changes of a guarded command, the report, the list of `undo`.
//!
//! Invariant: control characters in names never reach the terminal; "equal" is printed only if a proof found it.

use super::exceptions::{by_hand, exceptions, open};
use super::table::{Align, Table};
use super::text::{bytes, counted, duration_ms, line};
use crate::model::restore::{Proof, RestorePlan, RestoreReport, RestoreVerdict};
use crate::ops::undo::Row;

/// Maximum number of findings shown; the record contains all.
const FINDINGS_MAX: usize = 20;

/// What a command changed, derived from the plan that would undo it: an object that the plan drops was added.
pub fn changes(plan: &RestorePlan) -> String {
    if plan.is_empty() {
        return "nothing changed in the database\n".to_string();
    }
    let mut out = String::new();
    for (sign, objects) in [("+", &plan.drop), ("-", &plan.create), ("~", &plan.replace)] {
        for object in objects {
            out.push_str(&format!("{sign} {} {}\n", object.kind, line(&object.identity)));
        }
    }
    for load in &plan.load {
        let was = counted(load.rows, "row", "rows");
        out.push_str(&format!(
            "~ rows of {}: {} ({was} before)\n",
            line(&load.table.plain()),
            line(&String::from(load.reason.clone()))
        ));
    }
    format!(
        "{} added (+), {} removed (-), {} changed (~), {} with other rows\n{}",
        plan.drop.len(),
        plan.create.len(),
        plan.replace.len(),
        counted(plan.load.len() as u64, "table", "tables"),
        out.lines().map(|l| format!("  {l}\n")).collect::<String>()
    )
}

/// The report of a restore. `undo` is the command that undoes it, if there is one.
pub fn report(report: &RestoreReport, proof_wanted: bool, undo: Option<&str>) -> String {
    let mut out = match &report.proof {
        Some(proof) => proved(report, proof),
        None if proof_wanted => format!(
            "⚠️  {} is restored into {}, NOT proven: the comparison failed\n",
            line(&report.snapshot),
            line(&report.target.database)
        ),
        None => format!(
            "{} is restored into {}; nothing was compared (--no-proof)\n",
            line(&report.snapshot),
            line(&report.target.database)
        ),
    };
    open(&mut out, &report.left_out);
    if report.id.is_empty() {
        out.push_str("   nothing had to be done\n");
    } else {
        out.push_str(&format!(
            "   {}: {}, {} ({}) in {}\n",
            line(&report.id),
            counted(report.statements, "statement", "statements"),
            counted(report.rows_loaded, "row", "rows"),
            bytes(report.bytes_loaded),
            duration_ms(report.duration_ms)
        ));
    }
    if let (Some(safety), Some(undo)) = (&report.safety_snapshot, undo) {
        out.push_str(&format!("   safety snapshot: {}\n   undo: {}\n", line(safety), line(undo)));
    }
    out.push('\n');
    let mut all = report.exceptions.clone();
    all.extend(report.proof.iter().flat_map(|proof| proof.exceptions.iter().cloned()));
    all.sort();
    all.dedup();
    exceptions(&mut out, "missing or different:", &all, false);
    by_hand(&mut out, "to do by hand afterwards:", &report.manual);
    format!("{}\n", out.trim_end())
}

fn proved(report: &RestoreReport, proof: &Proof) -> String {
    let compared = format!(
        "{}, {}, {} compared in {}",
        counted(proof.objects_compared, "object", "objects"),
        counted(proof.tables_compared, "table", "tables"),
        counted(proof.rows_compared, "row", "rows"),
        duration_ms(proof.duration_ms)
    );
    let (snapshot, database) = (line(&report.snapshot), line(&report.target.database));
    let mut out = match proof.verdict {
        RestoreVerdict::Restorable if report.exceptions.is_empty() => {
            format!("✅ {database} is equal to {snapshot} ({compared})\n")
        }
        RestoreVerdict::Restorable | RestoreVerdict::Except => {
            format!("⚠️  {database} is equal to {snapshot} with the exceptions below ({compared})\n")
        }
        RestoreVerdict::Not => format!("❌ {database} is NOT equal to {snapshot} ({compared})\n"),
    };
    for finding in proof.findings.iter().take(FINDINGS_MAX) {
        out.push_str(&format!(
            "   {}: {}: expected {}, found {}\n",
            line(&finding.code),
            line(&finding.what),
            line(&finding.expected),
            line(&finding.found)
        ));
    }
    if proof.findings.len() > FINDINGS_MAX {
        out.push_str(&format!("   … and {} more, in the record\n", proof.findings.len() - FINDINGS_MAX));
    }
    for probe in proof.probes.iter().filter(|probe| probe.passed == Some(false)) {
        out.push_str(&format!("   probe {} failed: {}\n", line(&probe.name), line(&probe.detail)));
    }
    out
}

/// The list of restores.
pub fn list(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no restore has been made below this root folder\n".to_string();
    }
    let mut table = Table::new(&[
        ("RESTORE", Align::Left),
        ("STATE", Align::Left),
        ("UNDO", Align::Left),
        ("DATABASE", Align::Left),
        ("SNAPSHOT", Align::Left),
    ]);
    for row in rows {
        let undo = match (&row.undone_by, row.can_undo) {
            (Some(by), _) => format!("undone by {by}"),
            (None, true) => "yes".to_string(),
            (None, false) => "no".to_string(),
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let snapshot = row.problem.clone().unwrap_or_else(|| text(&row.snapshot));
        table.row(vec![row.id.to_string(), row.state.clone(), undo, text(&row.database), snapshot]);
    }
    table.render()
}

#[cfg(test)]
#[path = "restore_tests.rs"]
pub mod tests;
