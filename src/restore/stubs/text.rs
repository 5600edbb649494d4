//! Parsing helpers for the inventory's definitions: quotes, brackets, names.
//!
//! Invariant: a word inside a string, a quoted name or brackets is never taken for a keyword. Pure.

/// Can `c` be a part of an unquoted name?
fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Does `text` contain `name` (as SQL quotes it) as a whole name, not as a part of a longer one?
pub fn mentions(text: &str, name: &str) -> bool {
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + name.len()..].chars().next();
            let open = |c: char| in_name(c) || c == '"';
            let starts = before.is_none_or(|c| !open(c) && c != '.') || !name.starts_with(open);
            starts && (after.is_none_or(|c| !open(c)) || !name.ends_with(open))
        })
}

/// The first of `words` (including its spaces) outside quotes and brackets, with its position.
pub fn find_outside<'w>(text: &str, words: &[&'w str]) -> Option<(usize, &'w str)> {
    let bytes = text.as_bytes();
    let (mut depth, mut quote) = (0usize, None);
    for (at, byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == *byte => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(*byte),
            (None, b'(' | b'[') => depth += 1,
            (None, b')' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if quote.is_none() && depth == 0 {
            let found = words.iter().find(|word| bytes[at..].starts_with(word.as_bytes()));
            if let Some(word) = found {
                return Some((at, word));
            }
        }
    }
    None
}

/// The list in the brackets at the start of `text`, and the text after them.
pub fn in_brackets(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('(')?;
    let (mut depth, mut quote) = (0usize, None);
    for (at, byte) in inner.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') if depth == 0 => return Some((&inner[..at], &inner[at + 1..])),
            (None, b')') => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The word after a key in a base type's definition.
pub fn value<'t>(definition: &'t str, key: &str) -> Option<&'t str> {
    let (_, rest) = definition.split_once(&format!(" {key} "))?;
    let end = find_outside(rest, &[" "]).map_or(rest.len(), |(at, _)| at);
    Some(&rest[..end])
}

/// The identity without its arguments: `s.f(integer)` becomes `s.f`.
pub fn without_arguments(identity: &str) -> &str {
    let mut quoted = false;
    for (at, c) in identity.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => return &identity[..at],
            _ => {}
        }
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_whole() {
        assert!(mentions("SELECT FROM cron.job j", "cron.job"));
        assert!(!mentions("SELECT FROM cron.job_run_details", "cron.job"));
        assert!(!mentions("SELECT FROM xcron.job", "cron.job"));
        assert!(mentions("extensions.avg(v)", "extensions.avg("));
        assert!(mentions("a.\"B c\"", "a.\"B c\""));
        assert!(!mentions("anything", ""));
    }

    #[test]
    fn words_in_quotes_and_brackets_do_not_count() {
        let text = "(a text DEFAULT ' RETURNS ', \" RETURNS \" int) RETURNS TABLE(x int) LANGUAGE c";
        let (list, rest) = in_brackets(text).unwrap();
        assert_eq!(list, "a text DEFAULT ' RETURNS ', \" RETURNS \" int");
        assert_eq!(find_outside(rest, &[" LANGUAGE "]).map(|(at, _)| &rest[..at]), Some(" RETURNS TABLE(x int)"));
        assert_eq!(value("BASE INPUT s.\"a b\" OUTPUT o", "INPUT"), Some("s.\"a b\""));
        assert_eq!(without_arguments("\"s(\".f(integer)"), "\"s(\".f");
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[ ()\\[\\]'\"a-zé.]{0,40}", word in "[ a-z]{0,3}") {
            let _ = (mentions(&text, &word), in_brackets(&text), value(&text, &word), without_arguments(&text));
            let _ = find_outside(&text, &[&word, " LANGUAGE "]);
        }
    }
}
