//! A restore for a person: the plan, the diff of a guarded command, the report, the list of `undo`.
//!
//! Invariant: whatever will be dropped or replaced stands there by name; names cannot steer a terminal; "equal" is said
//! only when a proof said it.

use std::collections::BTreeMap;

use super::table::{Align, Table};
use super::text::{bytes, counted, duration_ms, line};
use crate::model::restore::{
    Exception, ObjectName, Proof, RestorePart, RestorePlan, RestoreReport, RestoreVerdict, TableLoad,
};
use crate::ops::recover::target_word;
use crate::ops::undo::Row;

/// Findings of a proof that are shown; all are in the record.
const FINDINGS_MAX: usize = 20;

/// The whole plan.
pub fn plan(plan: &RestorePlan) -> String {
    let mut out = head(plan);
    named(&mut out, "WILL BE DROPPED (in the target, not in the snapshot):", &plan.drop);
    named(&mut out, "WILL BE REPLACED (in both, and different):", &plan.replace);
    if !plan.create.is_empty() {
        out.push_str(&format!("\nwill be created: {}\n", by_kind(&plan.create)));
    }
    if !plan.load.is_empty() {
        out.push_str("\nrows to load:\n");
        out.push_str(&indented(&loads(&plan.load)));
    }
    exceptions(&mut out, "will not be there afterwards, or not as it was:", &plan.exceptions);
    by_hand(&mut out, &plan.manual);
    if plan.is_empty() {
        let but = if plan.exceptions.is_empty() { "" } else { ", but for what is named" };
        out.push_str(&format!("\nnothing to do: the target holds what the snapshot holds{but}\n"));
    }
    out
}

fn head(plan: &RestorePlan) -> String {
    let target = &plan.target;
    let version = target.server_version_num;
    let what = if plan.copies() {
        "copies of tables, beside what is there".to_string()
    } else if plan.only.is_empty() {
        "everything".to_string()
    } else {
        let words: Vec<&str> = plan.only.iter().copied().map(RestorePart::word).collect();
        format!("only {}", words.join(", "))
    };
    let mode = if plan.one_transaction {
        "one transaction: everything or nothing"
    } else {
        "several transactions: undo is the way back"
    };
    let (rows, size) = plan.load.iter().fold((0, 0), |(rows, size), l| (rows + l.rows, size + l.bytes_raw));
    let unread =
        if plan.tables_vouched > 0 { format!(" ({} of them unread)", plan.tables_vouched) } else { String::new() };
    format!(
        "snapshot  {}\ntarget    database {} as {}, PostgreSQL {}.{}: {}\nwhat      {what}\nhow       {mode}\n\
         plan      {} dropped, {} replaced, {} created, {} loaded ({}, {}), {} equal{unread}\n\
         time      about {}\ndigest    {}\n",
        line(&plan.snapshot),
        line(&target.database),
        line(&target.user),
        version / 10_000,
        version % 10_000,
        target_word(target.kind),
        plan.drop.len(),
        plan.replace.len(),
        plan.create.len(),
        counted(plan.load.len() as u64, "table", "tables"),
        counted(rows, "row", "rows"),
        bytes(size),
        counted(plan.tables_equal, "table", "tables"),
        duration_ms(plan.estimated_ms),
        plan.digest,
    )
}

fn named(out: &mut String, title: &str, objects: &[ObjectName]) {
    if objects.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}\n"));
    for object in objects {
        out.push_str(&format!("  {} {}\n", line(&object.kind), line(&object.identity)));
    }
}

/// `3 POLICY, 1 TABLE`
fn by_kind(objects: &[ObjectName]) -> String {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for object in objects {
        *kinds.entry(&object.kind).or_default() += 1;
    }
    let words: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {}", line(kind))).collect();
    words.join(", ")
}

fn loads(loads: &[TableLoad]) -> String {
    let mut table =
        Table::new(&[("TABLE", Align::Left), ("ROWS", Align::Right), ("SIZE", Align::Right), ("WHY", Align::Left)]);
    for load in loads {
        let rows = super::text::grouped(load.rows);
        table.row(vec![load.table.plain(), rows, bytes(load.bytes_raw), load.why.clone()]);
    }
    table.render()
}

fn indented(text: &str) -> String {
    text.lines().map(|l| format!("  {l}\n")).collect()
}

fn exceptions(out: &mut String, title: &str, exceptions: &[Exception]) {
    if exceptions.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}\n"));
    for exception in exceptions {
        out.push_str(&format!("  - {}: {} ({})\n", line(&exception.what), line(&exception.why), line(&exception.code)));
        if !exception.todo.is_empty() {
            out.push_str(&format!("    what to do: {}\n", line(&exception.todo)));
        }
    }
}

fn by_hand(out: &mut String, manual: &[String]) {
    if manual.is_empty() {
        return;
    }
    out.push_str("\nto do by hand afterwards:\n");
    for step in manual {
        out.push_str(&format!("  - {}\n", line(step)));
    }
}

/// What a command did, from the plan that would take it back: what the plan drops was added.
pub fn changes(plan: &RestorePlan) -> String {
    if plan.is_empty() {
        return "nothing changed in the database\n".to_string();
    }
    let mut out = String::new();
    for (sign, objects) in [("+", &plan.drop), ("-", &plan.create), ("~", &plan.replace)] {
        for object in objects {
            out.push_str(&format!("{sign} {} {}\n", line(&object.kind), line(&object.identity)));
        }
    }
    for load in &plan.load {
        let was = counted(load.rows, "row", "rows");
        out.push_str(&format!("~ rows of {}: {} ({was} before)\n", line(&load.table.plain()), line(&load.why)));
    }
    format!(
        "{} added (+), {} removed (-), {} changed (~), {} with other rows\n{}",
        plan.drop.len(),
        plan.create.len(),
        plan.replace.len(),
        counted(plan.load.len() as u64, "table", "tables"),
        indented(&out)
    )
}

/// What was done. `undo` is the line that takes it back, where there is one.
pub fn report(report: &RestoreReport, proof_wanted: bool, undo: Option<&str>) -> String {
    let mut out = match &report.proof {
        Some(proof) => proved(report, proof),
        None if proof_wanted => format!(
            "⚠️  {} is restored into {}, NOT proven: no comparison could be made\n",
            line(&report.snapshot),
            line(&report.target.database)
        ),
        None => format!(
            "{} is restored into {}; nothing was compared (--no-proof)\n",
            line(&report.snapshot),
            line(&report.target.database)
        ),
    };
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
        out.push_str(&format!("   as it was before: {}\n   take it back: {}\n", line(safety), line(undo)));
    }
    let mut all = report.exceptions.clone();
    all.extend(report.proof.iter().flat_map(|proof| proof.exceptions.iter().cloned()));
    all.sort();
    all.dedup();
    exceptions(&mut out, "not there, or not as it was:", &all);
    by_hand(&mut out, &report.manual);
    out
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
            format!("⚠️  {database} is equal to {snapshot} but for what is named ({compared})\n")
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

/// The restores that there were.
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
mod tests;
