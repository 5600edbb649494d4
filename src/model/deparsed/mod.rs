//! A tokenizer for the server's deparsed text: words, quoted names, strings and parentheses.
//!
//! Invariant: pure, and it never rewrites: every token is a range of the input. Text in quotes or parentheses is never
//! taken for a keyword. The input is expected as the server deparses it: `standard_conforming_strings` on, no comments,
//! no dollar quotes.

pub mod columns;
pub mod expressions;
mod single;

pub use single::{is_single, is_single_action, is_single_body};

use std::ops::Range;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword, a plain identifier or a number.
    Word,
    /// `"…"`
    Quoted,
    /// `'…'` or `E'…'`
    String,
    /// `(…)` or `[…]` with its content.
    Group,
    /// Any other character.
    Sign,
}

/// One token outside parentheses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    pub text: &'a str,
    pub start: usize,
}

impl Token<'_> {
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    pub fn range(&self) -> Range<usize> {
        self.start..self.end()
    }

    /// Whether it is this keyword. The server deparses keywords in capitals, and quotes identifiers that have capitals.
    pub fn is(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text == keyword
    }

    pub fn is_sign(&self, sign: char) -> bool {
        self.kind == TokenKind::Sign && self.text.starts_with(sign)
    }

    pub fn is_group(&self) -> bool {
        self.kind == TokenKind::Group
    }
}

/// The tokens of `text`; a parenthesized group is one token. `None` if a quote or parenthesis is not closed.
pub fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = token(text, at)?;
        found.push(Token { kind, text: &text[at..end], start: at });
        at = end;
    }
    Some(found)
}

/// The kind of the token at `at` (not white space), and the byte after it.
fn token(text: &str, at: usize) -> Option<(TokenKind, usize)> {
    let bytes = text.as_bytes();
    Some(match bytes[at] {
        b'"' => (TokenKind::Quoted, quoted_end(bytes, at, b'"')?),
        b'\'' => (TokenKind::String, quoted_end(bytes, at, b'\'')?),
        b'E' | b'e' if bytes.get(at + 1) == Some(&b'\'') => (TokenKind::String, escaped_end(bytes, at + 2)?),
        b'(' | b'[' => (TokenKind::Group, group_end(text, at)?),
        byte if is_word(byte) => {
            let length = bytes[at..].iter().take_while(|b| is_word(**b)).count();
            (TokenKind::Word, at + length)
        }
        _ => (TokenKind::Sign, at + 1),
    })
}

/// Every byte of a non-ASCII character belongs to an identifier.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The byte after the closing quote of the string at `at`; a doubled quote does not close it.
fn quoted_end(bytes: &[u8], at: usize, quote: u8) -> Option<usize> {
    let mut at = at + 1;
    loop {
        let found = at + memchr::memchr(quote, bytes.get(at..)?)?;
        if bytes.get(found + 1) != Some(&quote) {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// The same inside `E'…'`, where a backslash escapes the next byte.
fn escaped_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'\'', b'\\', bytes.get(at..)?)?;
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', _) | (b'\'', Some(b'\'')) => at += 2,
            _ => return Some(at + 1),
        }
    }
}

/// The byte after the parenthesis that closes the one at `at`. Counts depth instead of recursing: text may nest deeply.
fn group_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (at, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            _ if bytes[at].is_ascii_whitespace() => {}
            _ => {
                at = token(text, at)?.1;
                continue;
            }
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).unwrap().into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn quotes_and_parentheses_hide_words() {
        assert_eq!(
            texts("CHECK ((a = ') NOT VALID'::text)) NOT VALID"),
            ["CHECK", "((a = ') NOT VALID'::text))", "NOT", "VALID"]
        );
        assert_eq!(texts(r"E'it\'s \\' x"), [r"E'it\'s \\'", "x"]);
        assert_eq!(texts("'a\\' x"), ["'a\\'", "x"]);
        assert_eq!(texts("\"a \"\" (\".b[1]"), ["\"a \"\" (\"", ".", "b", "[1]"]);
        assert_eq!(texts("é1 + ü"), ["é1", "+", "ü"]);
        assert_eq!(tokens("(a"), None);
        assert_eq!(tokens("'a"), None);
        assert_eq!(tokens("E'a\\'"), None);
    }

    proptest! {
        #[test]
        fn tokens_are_the_text_without_white_space(text in "[ a-c'\"()\\[\\]E\\\\;é]{0,40}") {
            if let Some(found) = tokens(&text) {
                let mut at = 0;
                for token in found {
                    prop_assert!(text[at..token.start].chars().all(char::is_whitespace));
                    prop_assert_eq!(&text[token.range()], token.text);
                    at = token.end();
                }
                prop_assert!(text[at..].chars().all(char::is_whitespace));
            }
        }
    }
}
