//! The text of a restore plan: the details first, with long lists folded; the summary last, on one screen.
//!
//! Invariant: the summary has the kinds and counts of everything that is dropped, replaced and missing, in lines
//! shorter than 80 columns, and fits 24 lines together with the question. A folded list says how to see all of it.
//! Control characters in names never reach the terminal.

use std::collections::BTreeMap;

use super::exceptions::{by_hand, exceptions};
use super::table::{Align, Table};
use super::text::{bytes, counted, duration_ms, grouped, line};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{Exception, ObjectName, RestorePart, RestorePlan, TableLoad, TargetKind};
use crate::ops::restore::target_word;

/// Maximum number of entries shown of a folded list.
const FOLD_MAX: usize = 12;
/// Width of the summary; longer lines are cut.
const COLUMNS: usize = 79;
/// Width of the first column of the summary.
const INDENT: usize = 10;

/// Kinds that affect access control.
const SECURITY: [ObjectKind; 6] = [
    ObjectKind::Policy,
    ObjectKind::RowSecurity,
    ObjectKind::Acl,
    ObjectKind::DefaultAcl,
    ObjectKind::Role,
    ObjectKind::RoleMembership,
];

/// The whole plan. `long`: nothing is folded.
pub fn plan(plan: &RestorePlan, long: bool) -> String {
    let mut out = String::new();
    named(&mut out, "WILL BE DROPPED (in the target, not in the snapshot):", &plan.drop, long);
    named(&mut out, "WILL BE REPLACED (in both, and different):", &plan.replace, long);
    if long && !plan.create.is_empty() {
        named(&mut out, "will be created:", &plan.create, long);
    } else if !plan.create.is_empty() {
        out.push_str(&format!("will be created: {}\n\n", by_kind(&plan.create)));
    }
    if !plan.load.is_empty() {
        out.push_str("rows to load:\n");
        out.push_str(&indented(&loads(&plan.load, long)));
        folded(&mut out, plan.load.len(), long);
        out.push('\n');
    }
    named(&mut out, "may be missing afterwards, with dependent objects (--leave-out):", &plan.leave_out, long);
    exceptions(&mut out, "will be missing or different afterwards:", &plan.exceptions, long);
    by_hand(&mut out, "to do by hand afterwards:", &plan.manual);
    if !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
    out.push_str(&summary(plan));
    out
}

/// Everything needed to decide about the confirmation, in at most 16 lines.
fn summary(plan: &RestorePlan) -> String {
    let target = &plan.target;
    let version = target.server_version_num;
    let mut out = String::new();
    let mut say = |word: &str, text: &str| out.push_str(&format!("{}\n", cut(&format!("{word:<INDENT$}{text}"))));
    say("snapshot", &line(&plan.snapshot));
    let (database, user) = (line(&target.database), line(&target.user));
    say("target", &format!("database {database} as {user}, PostgreSQL {}.{}", version / 10_000, version % 10_000));
    say("", target_word(target.kind));
    say("what", &what(plan));
    say("how", how(plan));
    if !plan.drop.is_empty() {
        say("DROPPED", &by_kind(&plan.drop));
    }
    if !plan.replace.is_empty() {
        say("REPLACED", &by_kind(&plan.replace));
    }
    if !plan.create.is_empty() {
        say("created", &by_kind(&plan.create));
    }
    let touched = plan.drop.iter().chain(&plan.replace).filter(|o| SECURITY.contains(&o.kind));
    let security: Vec<ObjectName> = touched.cloned().collect();
    if !security.is_empty() {
        say("security", &format!("dropped or replaced: {}", by_kind(&security)));
    }
    let (rows, size) = plan.load.iter().fold((0, 0), |(rows, size), l| (rows + l.rows, size + l.bytes_raw));
    let unread =
        if plan.tables_vouched > 0 { format!(" ({} of them unread)", plan.tables_vouched) } else { String::new() };
    let loaded = counted(plan.load.len() as u64, "table", "tables");
    let rows = counted(rows, "row", "rows");
    let equal = counted(plan.tables_equal, "table", "tables");
    say("rows", &format!("{loaded} loaded ({rows}, {}), {equal} equal{unread}", bytes(size)));
    if !plan.leave_out.is_empty() {
        say("leave out", &names(plan.leave_out.iter().map(ToString::to_string)));
    }
    if !plan.exceptions.is_empty() {
        let count = counted(plan.exceptions.len() as u64, "exception", "exceptions");
        say("NOT EQUAL", &format!("{count}: {}", names(plan.exceptions.iter().map(|e: &Exception| e.what.clone()))));
    }
    if !plan.manual.is_empty() {
        say("by hand", &counted(plan.manual.len() as u64, "step afterwards", "steps afterwards"));
    }
    say("time", &format!("about {}", duration_ms(plan.estimated_ms)));
    say("digest", &plan.digest);
    if plan.is_empty() {
        let but = if plan.exceptions.is_empty() { "" } else { ", with the exceptions above" };
        out.push_str(&format!("nothing to do: the target is equal to the snapshot{but}\n"));
    }
    out
}

fn what(plan: &RestorePlan) -> String {
    if plan.copies() {
        "copies of tables in a separate schema".to_string()
    } else if plan.only.is_empty() {
        "everything".to_string()
    } else {
        let words: Vec<&str> = plan.only.iter().copied().map(RestorePart::word).collect();
        format!("only {}", words.join(", "))
    }
}

fn how(plan: &RestorePlan) -> &'static str {
    let empty = matches!(plan.target.kind, TargetKind::Bare | TargetKind::FreshProject) && plan.only.is_empty();
    match (plan.one_transaction, empty && !plan.copies()) {
        (true, true) => "one transaction; what cannot be created is left out and named",
        (false, true) => "several transactions, see undo; what cannot be created is left out",
        (true, false) => "one transaction: everything or nothing",
        (false, false) => "several transactions: undo reverts them",
    }
}

fn named(out: &mut String, title: &str, objects: &[ObjectName], long: bool) {
    if objects.is_empty() {
        return;
    }
    out.push_str(&format!("{title}\n"));
    for object in objects.iter().take(shown(objects.len(), long)) {
        out.push_str(&format!("  {}\n", line(&object.to_string())));
    }
    folded(out, objects.len(), long);
    out.push('\n');
}

/// A list that is only slightly longer than the limit is not folded: folding adds a line itself.
fn shown(length: usize, long: bool) -> usize {
    if long || length <= FOLD_MAX + 2 { length } else { FOLD_MAX }
}

fn folded(out: &mut String, length: usize, long: bool) {
    let more = length - shown(length, long);
    if more > 0 {
        out.push_str(&format!("  … and {more} more (--long shows all, --save-plan FILE saves all)\n"));
    }
}

/// `3 POLICY, 1 TABLE`
fn by_kind(objects: &[ObjectName]) -> String {
    let mut kinds: BTreeMap<ObjectKind, u64> = BTreeMap::new();
    for object in objects {
        *kinds.entry(object.kind).or_default() += 1;
    }
    let words: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {}", line(kind.word()))).collect();
    words.join(", ")
}

fn names(all: impl Iterator<Item = String>) -> String {
    all.map(|name| line(&name)).collect::<Vec<_>>().join(", ")
}

fn loads(loads: &[TableLoad], long: bool) -> String {
    let mut table =
        Table::new(&[("TABLE", Align::Left), ("ROWS", Align::Right), ("SIZE", Align::Right), ("WHY", Align::Left)]);
    for load in loads.iter().take(shown(loads.len(), long)) {
        table.row(vec![load.table.plain(), grouped(load.rows), bytes(load.bytes_raw), load.reason.clone().into()]);
    }
    table.render()
}

fn indented(text: &str) -> String {
    text.lines().map(|l| format!("  {l}\n")).collect()
}

/// At most one line of the screen.
fn cut(text: &str) -> String {
    match text.char_indices().nth(COLUMNS) {
        Some(_) => format!("{} …", text.chars().take(COLUMNS - 2).collect::<String>().trim_end()),
        None => text.trim_end().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::QualifiedName;
    use crate::ui::restore::tests::sample;

    #[test]
    fn a_plan_names_everything_that_it_drops_and_replaces_and_ends_with_its_summary() {
        assert_eq!(
            plan(&sample(), false),
            format!(
                "WILL BE DROPPED (in the target, not in the snapshot):\n  TABLE public.bad\\u{{a}}\\u{{1b}}[2J\n\n\
                 WILL BE REPLACED (in both, and different):\n  POLICY own on public.orders\n\n\
                 will be created: 2 INDEX, 1 TABLE\n\n\
                 rows to load:\n  TABLE         ROWS    SIZE  WHY\n  public.gone  1,200  1.5 kB  new\n\n\
                 will be missing or different afterwards:\n  - extension pg_net: not on the target (extension_missing)\n    \
                 what to do: install it\n\n\
                 to do by hand afterwards:\n  - set the JWT secret\n\n\
                 snapshot  comprehensive_backup_20260130_120005\n\
                 target    database shop as postgres, PostgreSQL 15.18\n\
                 \x20         the database that the snapshot was taken from\n\
                 what      everything\nhow       one transaction: everything or nothing\n\
                 DROPPED   1 TABLE\nREPLACED  1 POLICY\ncreated   2 INDEX, 1 TABLE\n\
                 security  dropped or replaced: 1 POLICY\n\
                 rows      1 table loaded (1,200 rows, 1.5 kB), 22 tables equal\n\
                 NOT EQUAL 1 exception: extension pg_net\n\
                 by hand   1 step afterwards\n\
                 time      about 4.2 s\ndigest    {}\n",
                "d".repeat(64)
            )
        );
    }

    #[test]
    fn however_long_the_plan_the_summary_is_one_screen() {
        let many = |kind: &str| -> Vec<ObjectName> {
            let name = |n| ObjectName {
                kind: ObjectKind::of(&format!("{kind} {}", n % 40)),
                identity: format!("public.a_{n}"),
            };
            (0..500).map(name).collect()
        };
        let load = |n: u64| TableLoad {
            table: QualifiedName::new("public", format!("t{n}")),
            rows: n,
            bytes_raw: n,
            reason: crate::model::load_reason::LoadReason::New,
        };
        let exception = sample().exceptions[0].clone();
        let full = RestorePlan {
            drop: many("TABLE"),
            replace: many("POLICY"),
            create: many("INDEX"),
            load: (0..300).map(load).collect(),
            leave_out: many("VIEW"),
            exceptions: (0..50).map(|n| Exception { what: format!("x{n}"), ..exception.clone() }).collect(),
            manual: (0..5).map(|n| format!("step {n}")).collect(),
            ..sample()
        };
        let text = plan(&full, false);
        let lines: Vec<&str> = text.lines().collect();
        let start = lines.iter().rposition(|l| l.starts_with("snapshot ")).unwrap();
        // With the question below it.
        assert!(lines.len() - start <= 22, "{}", lines[start..].join("\n"));
        assert!(lines[start..].iter().all(|l| l.chars().count() < 80), "{}", lines[start..].join("\n"));
        assert!(lines.len() < 110 && text.contains("… and 488 more (--long shows all"), "{}", lines.len());
        let long = plan(&full, true);
        assert!(long.contains("public.a_499") && long.contains("public.t299") && !long.contains("--long"));
    }
}
