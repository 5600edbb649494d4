//! Parses `.env` files: the names and values that a project keeps next to its code.
//!
//! Invariant: nothing is expanded or executed; a value is what the common dotenv libraries read. A line that cannot be
//! parsed is named by its number, never by its text. The name that it seems to set is kept, so that a connection in it
//! is not mistaken for a missing one.

use std::collections::BTreeMap;
use std::fmt;

/// The content of one file.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DotEnv {
    values: BTreeMap<String, Value>,
    /// Lines that could not be parsed, in order.
    pub broken: Vec<Broken>,
    /// The file is UTF-16, not UTF-8: none of its values is used, because no framework reads it.
    pub utf16: bool,
}

#[derive(Clone, PartialEq, Eq)]
struct Value {
    text: String,
    line: usize,
}

/// A line that could not be parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Broken {
    /// Line number, from 1.
    pub line: usize,
    /// The name that it seems to set.
    pub name: Option<String>,
    /// Does the line contain something like a connection string?
    pub connection: bool,
}

impl fmt::Debug for DotEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl DotEnv {
    /// Parses the bytes of a file.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        if let Some(text) = utf16(bytes) {
            let mut file = Self::parse(&text);
            let values = std::mem::take(&mut file.values);
            file.broken.extend(values.into_iter().map(|(name, value)| Broken {
                line: value.line,
                connection: is_connection(&value.text),
                name: Some(name),
            }));
            file.broken.sort_by_key(|broken| broken.line);
            file.utf16 = true;
            return file;
        }
        let mut file = Self::parse(&String::from_utf8_lossy(bytes));
        if std::str::from_utf8(bytes).is_err() {
            let damaged: Vec<String> = file
                .values
                .iter()
                .filter(|(_, v)| v.text.contains(char::REPLACEMENT_CHARACTER))
                .map(|(n, _)| n.clone())
                .collect();
            for name in damaged {
                if let Some(value) = file.values.remove(&name) {
                    let connection = is_connection(&value.text);
                    file.broken.push(Broken { line: value.line, name: Some(name), connection });
                }
            }
        }
        file
    }

    /// Parses the text of a file. If several lines set one name, the last one wins.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
        let mut file = Self::default();
        let mut rest = text.as_str();
        let mut line = 1;
        while !rest.is_empty() {
            let (entry, used) = entry(rest);
            match entry {
                Entry::Pair(name, text) => {
                    file.values.insert(name, Value { text, line });
                }
                Entry::Nothing => {}
                Entry::Unreadable => {
                    let text = &rest[..used];
                    file.broken.push(Broken { line, name: name_at_start(text), connection: is_connection(text) });
                }
            }
            line += rest[..used].matches('\n').count();
            rest = &rest[used..];
        }
        file
    }

    /// The value of a name, if it is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.as_str()).filter(|text| !text.is_empty())
    }

    pub fn is_empty(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| value.text.is_empty())
    }

    /// Names whose value looks like a connection string, with their lines.
    pub fn connections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.values
            .iter()
            .filter(|(_, value)| is_connection(&value.text))
            .map(|(name, value)| (name.as_str(), value.line))
    }
}

/// The text, if the bytes are UTF-16: with a byte order mark, or with zero bytes.
fn utf16(bytes: &[u8]) -> Option<String> {
    let units = |of: fn([u8; 2]) -> u16| -> Vec<u16> {
        bytes[2..].chunks_exact(2).map(|pair| of([pair[0], pair[1]])).collect()
    };
    match bytes {
        [0xff, 0xfe, ..] => Some(String::from_utf16_lossy(&units(u16::from_le_bytes))),
        [0xfe, 0xff, ..] => Some(String::from_utf16_lossy(&units(u16::from_be_bytes))),
        _ if bytes.contains(&0) => {
            let without: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
            Some(String::from_utf8_lossy(&without).into_owned())
        }
        _ => None,
    }
}

/// Is it a connection string of either form?
fn is_connection(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("postgres://")
        || text.contains("postgresql://")
        || (text.contains("dbname=") && text.contains("host="))
}

/// The name before a `=` or a `:`.
fn name_at_start(line: &str) -> Option<String> {
    let line = line.trim_start();
    let line = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).map_or(line, str::trim_start);
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    let (name, after) = line.split_at(end);
    (!name.is_empty() && after.trim_start().starts_with(['=', ':'])).then(|| name.to_string())
}

enum Entry {
    Pair(String, String),
    Nothing,
    Unreadable,
}

/// The entry at the start of `rest`, and its length in bytes. A quoted value may span lines.
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
            let beyond = inner[close + 1..].lines().next().unwrap_or_default().trim_start();
            if !beyond.is_empty() && !beyond.starts_with(['#', ';']) {
                // The quote closed at the quote of another value, so its own closing quote is missing.
                return (Entry::Unreadable, line_end);
            }
            let value = if quote == '"' { unescape(raw) } else { raw.to_string() };
            return (Entry::Pair(name.to_string(), value), end);
        }
        return (Entry::Unreadable, line_end);
    }
    (Entry::Pair(name.to_string(), plain(&rest[value_start..line_end])), line_end)
}

/// The position of the closing quote. A backslash escapes the next character in double quotes only.
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

/// An unquoted value ends before a `#` that follows white space, and is trimmed.
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
        assert!(file.broken.is_empty());
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(DotEnv::parse("U=\"${A}-$(id)\"").get("U"), Some("${A}-$(id)"));
    }

    #[test]
    fn unreadable_lines_are_named_by_number() {
        let file = DotEnv::parse("A=1\nwhat is this\nB=\"open\nC=2\n=x\n");
        assert_eq!(lines(&file), [2, 3, 5]);
        assert_eq!(file.get("C"), Some("2"));
    }

    fn lines(file: &DotEnv) -> Vec<usize> {
        file.broken.iter().map(|broken| broken.line).collect()
    }

    #[test]
    fn a_missing_quote_swallows_no_other_line() {
        let file = DotEnv::parse("A=\"open\nURL=\"postgres://h/d\"\nB='x\nC='y'; \nD=\"ok\" # c\n");
        assert_eq!((file.get("URL"), file.get("C"), file.get("D")), (Some("postgres://h/d"), Some("y"), Some("ok")));
        assert_eq!(lines(&file), [1, 3]);
        assert_eq!(file.get("A"), None);
    }

    #[test]
    fn broken_lines_keep_what_they_seem_to_set() {
        let file = DotEnv::parse("export DATABASE_URL: postgresql://h/d?a=b\nX : y\nwhat\nA=\"postgres://u:p@h/d\n");
        let seen: Vec<_> = file.broken.iter().map(|b| (b.line, b.name.as_deref(), b.connection)).collect();
        assert_eq!(
            seen,
            [(1, Some("DATABASE_URL"), true), (2, Some("X"), false), (3, None, false), (4, Some("A"), true)]
        );
    }

    #[test]
    fn utf_16_and_other_encodings_are_seen() {
        let text = "A=1\nDATABASE_URL=postgres://h/d\n";
        for bytes in [
            [vec![0xff, 0xfe], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat(),
            [vec![0xfe, 0xff], text.encode_utf16().flat_map(u16::to_be_bytes).collect()].concat(),
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ] {
            let file = DotEnv::of_bytes(&bytes);
            assert!(file.utf16 && file.get("DATABASE_URL").is_none());
            assert_eq!(file.broken[1].line, 2);
            assert!(file.broken[1].connection && file.broken[1].name.as_deref() == Some("DATABASE_URL"));
        }
        let file = DotEnv::of_bytes(b"A=1\nDATABASE_URL=postgres://u:\xfc@h/d\n");
        assert_eq!((file.get("A"), file.get("DATABASE_URL"), lines(&file)), (Some("1"), None, vec![2]));
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
