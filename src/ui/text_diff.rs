//! Line diff of two texts: kept, removed and added lines.
//!
//! Invariant: pure and bounded: the common beginning and end are cut off first, and a middle of more than [`CELLS_MAX`]
//! pairs of lines is reported as all removed, then all added. Lines are returned unchanged; callers make them visible.

const CELLS_MAX: usize = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    Kept(&'a str),
    Removed(&'a str),
    Added(&'a str),
    /// Number of omitted kept lines that are far from any change.
    Skipped(usize),
}

/// Every line of both texts, in order.
pub fn lines<'a>(left: &'a str, right: &'a str) -> Vec<Line<'a>> {
    let (was, is): (Vec<&str>, Vec<&str>) = (left.split('\n').collect(), right.split('\n').collect());
    let start = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let ends = was[start..].iter().rev().zip(is[start..].iter().rev());
    let end = ends.take_while(|(a, b)| a == b).count();
    let (middle_left, middle_right) = (&was[start..was.len() - end], &is[start..is.len() - end]);
    let mut out: Vec<Line<'a>> = was[..start].iter().map(|line| Line::Kept(line)).collect();
    out.extend(middle(middle_left, middle_right));
    out.extend(was[was.len() - end..].iter().map(|line| Line::Kept(line)));
    out
}

/// Longest common subsequence by dynamic programming.
fn middle<'a>(left: &[&'a str], right: &[&'a str]) -> Vec<Line<'a>> {
    let removed = |lines: &[&'a str]| lines.iter().map(|line| Line::Removed(line)).collect::<Vec<_>>();
    let added = |lines: &[&'a str]| lines.iter().map(|line| Line::Added(line)).collect::<Vec<_>>();
    if left.len().saturating_mul(right.len()) > CELLS_MAX || left.is_empty() || right.is_empty() {
        return [removed(left), added(right)].concat();
    }
    let width = right.len() + 1;
    let mut longest = vec![0u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            longest[i * width + j] = if left[i] == right[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < left.len() && j < right.len() {
        if left[i] == right[j] {
            out.push(Line::Kept(left[i]));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            out.push(Line::Removed(left[i]));
            i += 1;
        } else {
            out.push(Line::Added(right[j]));
            j += 1;
        }
    }
    out.extend(removed(&left[i..]));
    out.extend(added(&right[j..]));
    out
}

/// Keeps only the changes and `context` kept lines around each of them.
pub fn near_changes<'a>(all: &[Line<'a>], context: usize) -> Vec<Line<'a>> {
    let is_change = |line: &Line<'_>| matches!(line, Line::Removed(_) | Line::Added(_));
    let mut out = Vec::new();
    let mut skipped = 0;
    for (at, line) in all.iter().enumerate() {
        let from = at.saturating_sub(context);
        let to = (at + context + 1).min(all.len());
        if all[from..to].iter().any(is_change) {
            if skipped > 0 {
                out.push(Line::Skipped(std::mem::take(&mut skipped)));
            }
            out.push(*line);
        } else {
            skipped += 1;
        }
    }
    if skipped > 0 {
        out.push(Line::Skipped(skipped));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn changes_stand_between_what_was_kept() {
        let all = lines("a\nb\nc\nd\ne", "a\nx\nc\nd\ne\nf");
        let expected = [
            Line::Kept("a"),
            Line::Removed("b"),
            Line::Added("x"),
            Line::Kept("c"),
            Line::Kept("d"),
            Line::Kept("e"),
            Line::Added("f"),
        ];
        assert_eq!(all, expected);
        let near = near_changes(&lines("1\n2\n3\n4\n5", "1\n2\n3\n4\n6"), 1);
        assert_eq!(near, [Line::Skipped(3), Line::Kept("4"), Line::Removed("5"), Line::Added("6")]);
    }

    #[test]
    fn a_huge_difference_is_told_without_a_table() {
        let text = |word: &str| (0..3000).map(|n| format!("{word}{n}\n")).collect::<String>();
        assert_eq!(lines(&text("a"), &text("b")).len(), 6001);
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_back(left in "[ab\n]{0,30}", right in "[ab\n]{0,30}") {
            let all = lines(&left, &right);
            let side = |removed: bool| {
                let lines: Vec<&str> = all.iter().filter_map(|line| match line {
                    Line::Kept(text) => Some(*text),
                    Line::Removed(text) => removed.then_some(*text),
                    Line::Added(text) => (!removed).then_some(*text),
                    Line::Skipped(_) => None,
                }).collect();
                lines.join("\n")
            };
            prop_assert_eq!(side(true), left.clone());
            prop_assert_eq!(side(false), right.clone());
        }
    }
}
