//! Checks whether a text is one expression, so that it can be put into a statement without ending it.
//!
//! Invariant: pure, and the answer is no when in doubt. A snapshot's text is sent to a server inside a statement; a
//! forged snapshot must never be able to add a second one.

use super::{TokenKind, tokens};

/// True if the quotes and parentheses of `text` are closed and there is no semicolon, comment or dollar quote outside
/// quotes, at any depth.
pub fn is_single(text: &str) -> bool {
    let mut open = vec![text];
    while let Some(part) = open.pop() {
        let Some(found) = tokens(part) else { return false };
        for (at, token) in found.iter().enumerate() {
            let next = found.get(at + 1).filter(|next| next.start == token.end());
            let begins_comment =
                ["--", "/*"].iter().any(|c| *token.text == c[..1] && next.is_some_and(|n| *n.text == c[1..]));
            // The server may read two adjacent constants as one, with the escapes of the first.
            let continues =
                token.kind == TokenKind::String && found.get(at + 1).is_some_and(|n| n.kind == TokenKind::String);
            match token.kind {
                TokenKind::String if continues => return false,
                TokenKind::Group => open.push(&token.text[1..token.text.len() - 1]),
                TokenKind::Sign if begins_comment || matches!(token.text, ";" | ")" | "]" | "\\") => return false,
                // `$1` is a parameter; any other `$` may start a dollar quote.
                TokenKind::Word if has_tag(token.text) => return false,
                _ => {}
            }
        }
    }
    true
}

/// The same for statements separated by semicolons. They must not end the enclosing block: `END` may only close a
/// `CASE`.
pub fn are_single(statements: &str) -> bool {
    let Some(all) = tokens(statements) else { return false };
    let mut cases = 0_i32;
    for token in &all {
        cases += i32::from(token.is("CASE")) - i32::from(token.is("END"));
        if cases < 0 {
            return false;
        }
    }
    let mut start = 0;
    let ends = all.iter().filter(|t| t.is_sign(';')).map(|t| (t.start, t.end())).chain([(statements.len(), 0)]);
    for (end, next) in ends {
        if !is_single(&statements[start..end]) {
            return false;
        }
        start = next;
    }
    true
}

/// The action of a rule: `[WHERE …] DO [INSTEAD] statement`, or several in parentheses.
pub fn is_single_action(action: &str) -> bool {
    let Some(all) = tokens(action) else { return false };
    match all.as_slice() {
        [.., before, group] if group.is_group() && (before.is("DO") || before.is("INSTEAD")) => {
            is_single(&action[..group.start]) && are_single(&group.text[1..group.text.len() - 1])
        }
        _ => is_single(action),
    }
}

/// `BEGIN ATOMIC statements END` or `RETURN expression`, and nothing after it.
pub fn is_single_body(body: &str) -> bool {
    match body.strip_prefix("BEGIN ATOMIC").and_then(|rest| rest.strip_suffix("END")) {
        Some(statements) => are_single(statements),
        None => body.starts_with("RETURN ") && is_single(body),
    }
}

/// Contains a dollar that does not start a parameter.
fn has_tag(word: &str) -> bool {
    let rest = word.strip_prefix('$').unwrap_or(word);
    let is_parameter = rest.len() < word.len() && !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    word.contains('$') && !is_parameter
}

#[cfg(test)]
mod tests {
    use super::{is_single, is_single_action, is_single_body};

    #[test]
    fn several_statements_end_nothing_but_themselves() {
        assert!(is_single_body("BEGIN ATOMIC\n SELECT CASE WHEN a THEN 1 END;\n SELECT 2;\nEND"));
        assert!(is_single_body("RETURN (a + 1)"));
        for body in
            ["BEGIN ATOMIC END; DROP TABLE t; BEGIN ATOMIC END", "BEGIN ATOMIC SELECT 1; END; x", "RETURN 1; x", "x"]
        {
            assert!(!is_single_body(body), "{body}");
        }
        assert!(is_single_action("WHERE (a = ';'::text) DO INSTEAD ( SELECT 1;\n UPDATE t SET a = 1;\n)"));
        assert!(is_single_action("DO INSTEAD NOTHING"));
        for action in ["DO INSTEAD NOTHING; x", "DO (SELECT 1;); x", "DO ((SELECT 1; x))"] {
            assert!(!is_single_action(action), "{action}");
        }
    }

    #[test]
    fn what_could_end_a_statement_is_not_single() {
        for text in
            ["a + 1", "('x;'::text || \";\")", "$1 - -2", "f(a, VARIADIC ARRAY[1])", "E'\\';' || b", "a ->> 'b'"]
        {
            assert!(is_single(text), "{text}");
        }
        for text in [
            "1; DROP TABLE t",
            "(1; 2)",
            "1) FROM x",
            "a -- b",
            "(a /* b",
            "$$x$$",
            "f($a$)",
            "e'\\'' ; x",
            "'a",
            "a$b",
            "E'a'\n'b\\' || '; DROP TABLE t --'",
            "[1;2]",
        ] {
            assert!(!is_single(text), "{text}");
        }
    }
}
