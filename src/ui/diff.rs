//! The text of `diff`: highest severity first, each object with its changes.
//!
//! Invariant: readable without colour: `-` marks what is only on the left, `+` what is only on the right, `~` what
//! differs. Control characters in names and definitions are made visible; a truncated text is marked as such.

use super::out::{Ui, Verbosity};
use super::text::{counted, duration_ms, grouped, line};
use super::text_diff::{Line, lines, near_changes};
use crate::model::difference::{Change, ObjectDifference, Severity};
use crate::model::object_kind::ObjectKind;
use crate::ops::diff::{
    Depth, Diff, KEYS_SHOWN, KeyDifferences, KeyValues, RowChange, SideFacts, SideKind, TableDifference,
};

/// Maximum number of lines shown of one definition; `-v` shows all.
const LINES_SHOWN: usize = 40;
const LINE_CHARS: usize = 400;
const CONTEXT: usize = 2;
/// Maximum number of names in the last line.
const NAMED: usize = 4;

pub fn render(ui: Ui, diff: &Diff) -> String {
    let mut out = format!("left:  {}\nright: {}\n", side(&diff.left), side(&diff.right));
    if diff.across_majors {
        out.push_str("the servers have different major versions: differences caused by that are cosmetic\n");
    }
    for (severity, word, color) in [
        (Severity::Security, "security", "1;31"),
        (Severity::Structure, "structure", "1;33"),
        (Severity::Cosmetic, "cosmetic", "1"),
    ] {
        let count = diff.count(severity);
        if count > 0 {
            out.push_str(&format!("\n{} ({})\n", ui.paint(color, word), grouped(count)));
            let of = diff.objects.iter().filter(|d| d.severity == severity);
            let (members, shown): (Vec<_>, Vec<_>) =
                of.partition(|d| ui.verbosity < Verbosity::Verbose && is_member(diff, d));
            shown.iter().for_each(|difference| out.push_str(&object(ui, difference)));
            if !members.is_empty() {
                let count = counted(members.len() as u64, "member", "members");
                out.push_str(&format!("  … {count} of extensions that exist on one side only (-v shows them)\n"));
            }
        }
    }
    if !diff.tables.is_empty() {
        out.push_str(&format!("\n{} ({})\n", ui.paint("1;33", "rows"), grouped(diff.tables.len() as u64)));
        diff.tables.iter().for_each(|difference| out.push_str(&table(difference)));
    }
    if !diff.not_compared.is_empty() {
        out.push_str("\nnot compared\n");
        for gap in &diff.not_compared {
            out.push_str(&format!("  {}: {}\n", line(&gap.what), line(&gap.why)));
        }
    }
    out.push('\n');
    out.push_str(&verdict(ui, diff));
    out
}

/// Whether the object is a member of an extension that is itself listed with the same change.
fn is_member(diff: &Diff, difference: &ObjectDifference) -> bool {
    let Some(extension) = difference.extension.as_deref().filter(|_| difference.change != Change::Differs) else {
        return false;
    };
    diff.objects.iter().any(|d| {
        d.kind == ObjectKind::Extension && d.change == difference.change && d.identity.trim_matches('"') == extension
    })
}

fn side(facts: &SideFacts) -> String {
    let kind = match facts.kind {
        SideKind::Snapshot => "",
        SideKind::Live => " database",
    };
    format!(
        "{}{kind} ({} on PostgreSQL {}, at {:.0})",
        line(&facts.name),
        line(&facts.database),
        line(&facts.server_version),
        facts.taken_at
    )
}

fn verdict(ui: Ui, diff: &Diff) -> String {
    let mut compared = format!("{} compared", counted(diff.objects_compared, "object", "objects"));
    if diff.depth >= Depth::Rows {
        compared.push_str(&format!(
            ", {} of {}",
            counted(diff.rows_compared, "row", "rows"),
            counted(diff.tables_compared, "table", "tables")
        ));
    } else {
        compared.push_str(", no rows");
    }
    let compared = format!("({compared}, {})", duration_ms(diff.duration_ms));
    if diff.equal {
        if !diff.not_compared.is_empty() {
            let what: Vec<String> = diff.not_compared.iter().take(NAMED).map(|gap| line(&gap.what)).collect();
            let more = if diff.not_compared.len() > NAMED { ", …" } else { "" };
            let words = format!("no difference in what was compared; not compared: {}{more}", what.join(", "));
            return format!("{} {compared}\n", ui.paint("33", &words));
        }
        let what = match diff.depth {
            Depth::Security => "equal in access control",
            Depth::Schema => "equal in its objects",
            Depth::Rows | Depth::Keys => "equal",
        };
        return format!("{} {compared}\n", ui.paint("32", what));
    }
    let mut parts: Vec<String> =
        [(Severity::Security, "of security"), (Severity::Structure, "of structure"), (Severity::Cosmetic, "cosmetic")]
            .iter()
            .map(|(severity, word)| (diff.count(*severity), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", grouped(count)))
            .collect();
    if !diff.tables.is_empty() {
        parts.push(counted(diff.tables.len() as u64, "table with other rows", "tables with other rows"));
    }
    format!("{}: {} {compared}\n", ui.paint("1", "different"), parts.join(", "))
}

fn object(ui: Ui, difference: &ObjectDifference) -> String {
    let mark = match difference.change {
        Change::Missing => '-',
        Change::Extra => '+',
        Change::Differs => '~',
    };
    let mut out = format!("  {mark} {} {}\n", difference.kind, line(&difference.identity));
    if difference.change == Change::Differs && difference.owner_left != difference.owner_right {
        let owner = |owner: &Option<String>| owner.as_deref().map_or_else(|| "none".to_string(), line);
        let (was, is) = (owner(&difference.owner_left), owner(&difference.owner_right));
        out.push_str(&format!("      owner: {was} -> {is}\n"));
    }
    if let Some(new) = &difference.renamed_to {
        out.push_str(&format!("      renamed? it looks like {}\n", line(new)));
    }
    if let Some(note) = &difference.note {
        out.push_str(&format!("      note: {}\n", line(note)));
    }
    let all = match (&difference.left, &difference.right) {
        (Some(left), Some(right)) if left != right => near_changes(&lines(left, right), CONTEXT),
        (Some(_), Some(_)) => return out,
        // Show a definition that exists on one side only if it affects access control, or with -v.
        (left, right) if difference.severity == Severity::Security || ui.verbosity == Verbosity::Verbose => {
            lines(left.as_deref().unwrap_or_default(), right.as_deref().unwrap_or_default())
                .into_iter()
                .filter(|line| !matches!(line, Line::Removed("") | Line::Added("") | Line::Kept("")))
                .collect()
        }
        _ => return out,
    };
    let shown = if ui.verbosity == Verbosity::Verbose { usize::MAX } else { LINES_SHOWN };
    all.iter().take(shown).for_each(|line| out.push_str(&text_line(ui, *line)));
    if all.len() > shown {
        out.push_str(&format!(
            "      … {} more (-v shows all)\n",
            counted((all.len() - shown) as u64, "line", "lines")
        ));
    }
    out
}

fn text_line(ui: Ui, text: Line<'_>) -> String {
    let cut = |text: &str| {
        let mut shown: String = text.chars().take(LINE_CHARS).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        line(&shown)
    };
    let whole = match text {
        Line::Kept(text) => format!("  {}", cut(text)),
        Line::Removed(text) => ui.paint("31", &format!("- {}", cut(text))),
        Line::Added(text) => ui.paint("32", &format!("+ {}", cut(text))),
        Line::Skipped(count) => format!("  … {}", counted(count as u64, "line", "lines")),
    };
    format!("      {}\n", whole.trim_end())
}

fn table(difference: &TableDifference) -> String {
    let name = line(&difference.table.plain());
    let count = |rows: Option<u64>| rows.map_or_else(String::new, |n| format!(", {}", counted(n, "row", "rows")));
    let mut out = match difference.change {
        RowChange::Missing => format!("  - {name}: only on the left{}\n", count(difference.rows_left)),
        RowChange::Extra => format!("  + {name}: only on the right{}\n", count(difference.rows_right)),
        RowChange::Columns => format!("  ~ {name}: other columns, its rows were not compared\n"),
        RowChange::GeneratedColumns => format!("  ~ {name}: equal rows, other values in its generated columns\n"),
        RowChange::Rows | RowChange::MaterializedView => {
            let name = match difference.change {
                RowChange::MaterializedView => format!("materialized view {name}"),
                _ => name,
            };
            let (was, is) = (difference.rows_left.unwrap_or(0), difference.rows_right.unwrap_or(0));
            if was == is {
                format!("  ~ {name}: {}, with other values\n", counted(was, "row", "rows"))
            } else {
                format!("  ~ {name}: {} -> {}\n", grouped(was), counted(is, "row", "rows"))
            }
        }
    };
    if let Some(keys) = &difference.keys {
        out.push_str(&keys_text(keys));
    }
    if let Some(why) = &difference.keys_why_not {
        out.push_str(&format!("      the rows are not listed: {}\n", line(why)));
    }
    out
}

fn keys_text(keys: &KeyDifferences) -> String {
    if keys.key.is_empty() {
        return format!(
            "      no primary key: {} only on the left, {} only on the right\n",
            counted(keys.removed, "row", "rows"),
            counted(keys.added, "row", "rows")
        );
    }
    let names = line(&keys.key.join(", "));
    let mut out = String::new();
    for (word, count, shown) in [
        ("added", keys.added, &keys.added_keys),
        ("removed", keys.removed, &keys.removed_keys),
        ("changed", keys.changed, &keys.changed_keys),
    ] {
        if count > 0 {
            let list: Vec<String> = shown.iter().map(key).collect();
            let more = if count > KEYS_SHOWN as u64 { ", …" } else { "" };
            out.push_str(&format!("      {word} {}: {names} = {}{more}\n", grouped(count), list.join(", ")));
        }
    }
    out
}

/// One key; several columns are put in parentheses.
fn key(values: &KeyValues) -> String {
    let texts: Vec<String> = values
        .iter()
        .map(|value| {
            value.as_deref().map_or_else(|| "NULL".to_string(), |v| line(&v.chars().take(80).collect::<String>()))
        })
        .collect();
    if let [only] = texts.as_slice() { only.clone() } else { format!("({})", texts.join(", ")) }
}
