//! The text at the end of `create`: the contents of the snapshot, its folder, its gaps.
//!
//! Invariant: one line per counted part, in the order that existing user documentation shows; the word "complete" is
//! printed only if the manifest says so.

use super::gaps;
use super::text::{bytes, counted, duration_ms, line};
use crate::model::count::Count;
use crate::model::manifest::SnapshotKind;
use crate::model::report::TakeReport;

/// The count without and with the platform's objects, the title, the noun (singular, plural), and a suffix.
type Part = (Count, Option<Count>, &'static str, &'static str, &'static str, &'static str);
const PARTS: [Part; 9] = [
    (Count::Tables, Some(Count::TablesAll), "Database tables", "table", "tables", ""),
    (Count::Rows, None, "Data records", "total record", "total records", ""),
    (Count::Users, None, "Users", "user", "users", " (with encrypted passwords)"),
    (Count::UserRoles, None, "User roles", "role assignment", "role assignments", ""),
    (Count::Policies, Some(Count::PoliciesAll), "RLS policies", "policy", "policies", ""),
    (Count::Functions, Some(Count::FunctionsAll), "RPC functions", "function", "functions", ""),
    (Count::Migrations, None, "Migrations", "file", "files", ""),
    (Count::EdgeFunctions, None, "Edge Functions", "function", "functions", ""),
    (Count::EncryptionFunctions, None, "Encryption functions", "function", "functions", ""),
];

/// Printed instead of a zero, because the application may store role assignments in tables with other names.
const NO_ROLES: &str = "➖ User roles: no role assignments found. Looked in all schemas for tables whose name and columns suggest role \
    assignments (user_roles, members, profiles with a role, …); name others in stacksnap.toml: [projects.NAME.user_roles] tables\n";

fn count(report: &TakeReport, count: Count) -> Option<u64> {
    report.counts.get(count.word()).copied()
}

fn none_found(report: &TakeReport) -> bool {
    report.kind == SnapshotKind::Full && count(report, Count::UserRoles).is_none_or(|n| n == 0)
}

/// The whole text.
pub fn render(report: &TakeReport) -> String {
    if let Some(skipped) = &report.skipped {
        return format!("skipped: {}\n", line(&skipped.message));
    }
    let mut out = String::new();
    for (own, all, title, one, many, more) in PARTS {
        if own == Count::UserRoles && count(report, Count::Tables).is_some() && none_found(report) {
            out.push_str(NO_ROLES);
        } else if let Some(n) = count(report, own) {
            let all = all.and_then(|all| count(report, all)).filter(|all| *all != n);
            let all = all.map(|all| format!(" ({all} with the platform's schemas and extensions)")).unwrap_or_default();
            out.push_str(&format!("✅ {title}: {}{more}{all}\n", counted(n, one, many)));
        }
    }
    out.push('\n');
    let name = report.snapshot.as_ref().map(ToString::to_string).unwrap_or_default();
    out.push_str(&format!("📁 {name}: {}\n", verdict(report)));
    if let Some(place) = &report.place {
        out.push_str(&format!("   {}\n", line(&place.to_string_lossy())));
    }
    if let Some(label) = &report.label {
        out.push_str(&format!("   label {}\n", line(label)));
    }
    out.push_str(&format!("   {} in {}\n", bytes(report.bytes_total), duration_ms(report.duration_ms)));
    if let Some(verified) = &report.schema_verification {
        out.push_str(&format!("   {}\n", line(&verified.sentence())));
    }
    if !report.gaps.is_empty() {
        out.push_str(&format!(
            "\n⚠️  {} not in this snapshot:\n",
            counted(report.gaps.len() as u64, "thing is", "things are")
        ));
        out.push_str(&gaps::render(&report.gaps));
    }
    out
}

fn verdict(report: &TakeReport) -> String {
    match (report.kind, report.complete, report.gaps.len() as u64) {
        (SnapshotKind::Full, true, _) => "complete".to_string(),
        (SnapshotKind::Full, false, 0) => {
            "NOT complete: catalogs and archive have different object counts (stacksnap show)".to_string()
        }
        (SnapshotKind::Full, false, n) => format!("NOT complete: {}", counted(n, "gap", "gaps")),
        (kind, _, n) => {
            let what = kind_word(kind);
            let gaps = if n == 0 { String::new() } else { format!(", {}", counted(n, "gap", "gaps")) };
            format!("{what}, as requested{gaps}; it does not count as protection")
        }
    }
}

/// The kind in words.
pub fn kind_word(kind: SnapshotKind) -> &'static str {
    match kind {
        SnapshotKind::Full => "full",
        SnapshotKind::Partial => "partial",
        SnapshotKind::DataOnly => "data only",
        SnapshotKind::SchemaOnly => "schema only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gap::Gap;
    use crate::model::ids::SnapshotName;
    use crate::model::report::SkipReason;

    fn report() -> TakeReport {
        let name = SnapshotName::at("2026-01-30T12:00:05Z".parse().unwrap(), 1);
        let mut report = TakeReport::skipped(SkipReason::Busy, "another run", Some((name, "r/x".into())));
        report.skipped = None;
        report.complete = true;
        report.bytes_total = 12_300_000;
        report.duration_ms = 4_200;
        for (key, n) in [("tables", 23), ("rows", 12345), ("users", 1), ("user_roles", 2), ("policies", 88)] {
            report.counts.insert(key.into(), n);
        }
        report
    }

    #[test]
    fn the_lines_that_the_documents_promise() {
        assert_eq!(
            render(&report()),
            "✅ Database tables: 23 tables\n✅ Data records: 12,345 total records\n\
             ✅ Users: 1 user (with encrypted passwords)\n✅ User roles: 2 role assignments\n✅ RLS policies: 88 policies\n\n\
             📁 comprehensive_backup_20260130_120005: complete\n   r/x\n   12.3 MB in 4.2 s\n"
        );
    }

    #[test]
    fn no_roles_say_what_was_looked_for() {
        for found in [None, Some(0)] {
            let mut report = report();
            report.counts.remove("user_roles");
            report.counts.extend(found.map(|n| ("user_roles".to_string(), n)));
            let text = render(&report);
            assert!(
                text.contains("no role assignments found. Looked in all schemas") && text.contains("stacksnap.toml"),
                "{text}"
            );
            assert!(!text.contains("0 role"), "{text}");
        }
    }

    #[test]
    fn a_gap_is_never_called_complete() {
        let mut report = report();
        report.complete = false;
        report.gaps.push(Gap::new("vault", "vault secrets\u{1b}[31m", "no recipient", "give one"));
        let text = render(&report);
        assert!(text.contains("NOT complete: 1 gap\n"), "{text}");
        assert!(text.contains("1 thing is not in this snapshot"), "{text}");
        assert!(text.contains("what to do: give one") && !text.contains('\u{1b}'), "{text}");
        report.kind = SnapshotKind::Partial;
        assert!(render(&report).contains("partial, as requested, 1 gap; it does not count as protection"));
    }
}
