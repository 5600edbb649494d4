//! `.env` files: the names and values that a project keeps beside its code.
//!
//! Invariant: nothing is expanded or run; a value is what the common dotenv libraries read. A line that cannot be
//! read is named by its number, never by its text.

use std::collections::BTreeMap;
use std::fmt;

/// What one file says.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DotEnv {
    values: BTreeMap<String, String>,
    /// Lines that could not be read, counted from 1.
    pub unreadable: Vec<usize>,
}

impl fmt::Debug for DotEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl DotEnv {
    /// Reads the text of a file. The last of several lines for one name wins.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let mut file = Self::default();
        let mut rest = text.as_str();
        let mut number = 1;
        while !rest.is_empty() {
            let (entry, used) = entry(rest);
            match entry {
                Entry::Pair(name, value) => {
                    file.values.insert(name, value);
                }
                Entry::Nothing => {}
                Entry::Unreadable => file.unreadable.push(number),
            }
            number += rest[..used].matches('\n').count();
            rest = &rest[used..];
        }
        file
    }

    /// The value of a name, when it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn is_empty(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(String::is_empty)
    }
}

enum Entry {
    Pair(String, String),
    Nothing,
    Unreadable,
}

/// The entry at the start of `rest`, and how many bytes it takes. A quoted value can go over several lines.
fn entry(rest: &str) -> (Entry, usize) {
    let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let line = rest[..line_end].trim();
    if line.is_empty() || line.starts_with('#') {
        return (Entry::Nothing, line_end);
    }
    let Some(equals) = rest[..line_end].find('=') else { return (Entry::Unreadable, line_end) };
    let name = rest[..equals].trim();
    let name = name.strip_prefix("export").filter(|n| n.starts_with([' ', '\t'])).map_or(name, str::trim);
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || !name.chars().all(fine) {
        return (Entry::Unreadable, line_end);
    }
    let after = &rest[equals + 1..];
    let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
    let value_start = equals + 1 + blank;
    if let Some(quote @ ('"' | '\'' | '`')) = rest[value_start..].chars().next() {
        let inner = &rest[value_start + 1..];
        if let Some(close) = closing(inner, quote) {
            let end = inner[close + 1..].find('\n').map_or(rest.len(), |at| value_start + 1 + close + 1 + at + 1);
            let raw = &inner[..close];
            let value = if quote == '"' { unescape(raw) } else { raw.to_string() };
            return (Entry::Pair(name.to_string(), value), end);
        }
        return (Entry::Unreadable, line_end);
    }
    (Entry::Pair(name.to_string(), plain(&rest[value_start..line_end])), line_end)
}

/// Where the quote closes. A backslash protects the next character in double quotes only.
fn closing(inner: &str, quote: char) -> Option<usize> {
    let mut protected = false;
    for (at, c) in inner.char_indices() {
        if protected {
            protected = false;
        } else if c == '\\' && quote == '"' {
            protected = true;
        } else if c == quote {
            return Some(at);
        }
    }
    None
}

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(kept @ ('"' | '\\' | '$' | '`' | '\'')) => out.push(kept),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// Without quotes the value ends before a `#` that follows white space, and is trimmed.
fn plain(raw: &str) -> String {
    let mut end = raw.len();
    let mut space = true;
    for (at, c) in raw.char_indices() {
        if c == '#' && space {
            end = at;
            break;
        }
        space = c.is_whitespace();
    }
    raw[..end].trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_common_rules() {
        let text = "\u{feff}# comment\r\nexport A=1\r\n B = two words  # comment\nC=\"x # y\\n\\\"z\\\"\" # c\nD='$HOME \\n'\n\
            E=p#ss\nF=\nG=\"two\nlines\"\nH=`a\"b'c`\nA=last\nI= # nothing\nJ=postgres://u:p@h/d?x=y\nexport=1\n";
        let file = DotEnv::parse(text);
        let want = [
            ("A", "last"),
            ("B", "two words"),
            ("C", "x # y\n\"z\""),
            ("D", "$HOME \\n"),
            ("E", "p#ss"),
            ("G", "two\nlines"),
            ("H", "a\"b'c"),
            ("J", "postgres://u:p@h/d?x=y"),
            ("export", "1"),
        ];
        for (name, value) in want {
            assert_eq!(file.get(name), Some(value), "{name}");
        }
        assert!(file.is_empty("F") && file.is_empty("I"));
        assert!(file.unreadable.is_empty());
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(DotEnv::parse("U=\"${A}-$(id)\"").get("U"), Some("${A}-$(id)"));
    }

    #[test]
    fn unreadable_lines_are_named_by_number() {
        let file = DotEnv::parse("A=1\nwhat is this\nB=\"open\nC=2\n=x\n");
        assert_eq!(file.unreadable, [2, 3, 5]);
        assert_eq!(file.get("C"), Some("2"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-c=\"'`#\\\\ \n\r$é]{0,60}") {
            let _ = DotEnv::parse(&text);
        }

        #[test]
        fn single_quoted_values_read_back(value in "[^'\r]{1,40}") {
            let file = DotEnv::parse(&format!("X=1\nURL='{value}'\nY=2"));
            prop_assert_eq!(file.get("URL"), Some(value.as_str()));
            prop_assert_eq!(file.get("Y"), Some("2"));
        }
    }
}
