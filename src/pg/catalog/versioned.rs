//! One query file for servers 12 to 18: version-specific parts are between markers.
//!
//! Invariant: `/*pg15+*/ new /*else*/ old /*end*/` keeps one side. Markers never nest, and text without markers is not
//! changed. An unclosed marker keeps the text as it is, so the server rejects it with a syntax error.

const OPEN: &str = "/*pg";
const HEAD_END: &str = "+*/";
const ELSE: &str = "/*else*/";
const END: &str = "/*end*/";

/// The text of `sql` for a server version, e.g. 150018.
pub fn for_version(sql: &str, version_num: u32) -> String {
    let major = version_num / 10_000;
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, wanted, new, old, after)) = next_part(rest) {
        out.push_str(before);
        out.push_str(if major >= wanted { new } else { old });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn next_part(text: &str) -> Option<(&str, u32, &str, &str, &str)> {
    let (before, tail) = text.split_once(OPEN)?;
    let (number, tail) = tail.split_once(HEAD_END)?;
    let wanted = number.parse().ok()?;
    let (body, after) = tail.split_once(END)?;
    let (new, old) = body.split_once(ELSE)?;
    Some((before, wanted, new, old, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every snapshot of such a server runs this query.
    #[test]
    fn servers_before_14_are_not_asked_for_multiranges() {
        let sql = include_str!("../sql/drift_rows.sql");
        assert!(!for_version(sql, 130_022).contains("multi"));
        assert!(for_version(sql, 140_000).contains("r.rngmultitypid"));
    }

    #[test]
    fn the_right_side_is_kept() {
        let sql = "a /*pg15+*/b/*else*/c/*end*/ d /*pg18+*/e/*else*//*end*/";
        assert_eq!(for_version(sql, 150_018), "a b d ");
        assert_eq!(for_version(sql, 140_000), "a c d ");
        assert_eq!(for_version(sql, 180_006), "a b d e");
        assert_eq!(for_version("/*pg15+*/ unclosed", 150_000), "/*pg15+*/ unclosed");
    }

    proptest! {
        #[test]
        fn text_without_markers_is_untouched(text in "[a-z/*+ ]{0,40}") {
            prop_assume!(!text.contains("/*pg"));
            prop_assert_eq!(for_version(&text, 150_000), text);
        }
    }
}
