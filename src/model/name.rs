//! Names of database objects, and every way to write them to an output.
//!
//! Invariant: an object name never reaches SQL, a shell, a comment, Markdown, a terminal or a path except through one
//! of these functions. Trap: a policy named `p⏎\! touch x` in a naive comment line ran a program during a restore.

use serde::{Deserialize, Serialize};

/// A table, view or sequence by schema and name, exactly as in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualifiedName {
    pub schema: String,
    pub name: String,
}

impl QualifiedName {
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// `"schema"."name"`, always quoted.
    pub fn sql(&self) -> String {
        format!("{}.{}", ident(&self.schema), ident(&self.name))
    }

    /// `schema.name` as users write it in a configuration file; not for SQL.
    pub fn plain(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Parses the output of [`QualifiedName::plain`]. A schema whose name contains a dot must be in double quotes; any name may be.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{}' is not schema.table", visible(text));
        let (schema, name) = match text.strip_prefix('"').and_then(|rest| rest.split_once("\".")) {
            Some((schema, name)) => (schema.replace("\"\"", "\""), name),
            None => text.split_once('.').map(|(schema, name)| (schema.to_string(), name)).ok_or_else(wrong)?,
        };
        let name = match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_string(),
        };
        if schema.is_empty() || name.is_empty() { Err(wrong()) } else { Ok(Self { schema, name }) }
    }

    /// The file name of this table's CSV, without the extension. See [`file_stem`].
    pub fn file_stem(&self) -> String {
        file_stem(&self.schema, &self.name)
    }
}

/// An SQL identifier, always in double quotes.
pub fn ident(name: &str) -> String {
    postgres_protocol::escape::escape_identifier(name)
}

/// An SQL string literal with the same meaning under both settings of `standard_conforming_strings`. A value with a
/// backslash becomes ` E'…'`; the leading space separates it from a preceding word.
pub fn literal(value: &str) -> String {
    postgres_protocol::escape::escape_literal(value)
}

/// A literal, or `NULL` for `None`.
pub fn literal_or_null(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_string(), literal)
}

/// The body in dollar quotes, with a tag that does not occur in it.
pub fn dollar_quoted(body: &str) -> String {
    let mut tag = "stacksnap".to_string();
    while body.contains(&format!("${tag}$")) || body.ends_with(&format!("${tag}")) {
        tag.push('x');
    }
    format!("${tag}${body}${tag}$")
}

/// One line of text for a terminal, a log or an SQL comment: control characters (C0, DEL, C1, line and paragraph
/// separators, bidirectional overrides) are written as `\u{..}`.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe_for_display(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

fn is_unsafe_for_display(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}')
}

/// An SQL comment line without its newline: `-- text`, safe for any text.
pub fn sql_comment(text: &str) -> String {
    format!("-- {}", visible(text))
}

/// Text for a Markdown table cell or sentence: no markup, no HTML, no line break.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

/// A single-quoted word for a POSIX shell.
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The file stem for a table: `schema.name`, with every byte except `A-Z a-z 0-9 _ -` percent-encoded. A stem longer
/// than 200 bytes is cut and ends with 16 hexadecimal digits of its hash.
pub fn file_stem(schema: &str, name: &str) -> String {
    let stem = format!("{}.{}", percent_encoded(schema.as_bytes()), percent_encoded(name.as_bytes()));
    if stem.len() <= 200 {
        return stem;
    }
    let hash = blake3::hash(stem.as_bytes()).to_hex();
    format!("{}~{}", &stem[..180], &hash[..16])
}

/// Percent-encodes every byte except `A-Z a-z 0-9 _ -`.
pub fn percent_encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for b in bytes {
        if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-') {
            out.push(*b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn trap_13_newline_in_a_name_stays_in_its_comment() {
        let comment = sql_comment("p\n\\! touch x\r\u{2028}y");
        assert_eq!(comment.lines().count(), 1);
        assert!(!comment.contains('\r'));
    }

    #[test]
    fn file_stems_stay_in_their_folder() {
        assert_eq!(file_stem("public", "users"), "public.users");
        assert_eq!(file_stem("..", "/etc/passwd"), "%2E%2E.%2Fetc%2Fpasswd");
        assert!(file_stem(&"é".repeat(31), &"ü".repeat(31)).len() <= 200);
        assert_ne!(file_stem("a", &"ü".repeat(31)), file_stem("a", &format!("{}v", "ü".repeat(30))));
    }

    #[test]
    fn markdown_of_html_is_text() {
        assert_eq!(markdown("<img onerror>|`x`"), "&lt;img onerror&gt;\\|\\`x\\`");
    }

    #[test]
    fn names_of_tables_are_read_as_they_are_written() {
        let read = |text: &str| QualifiedName::parse(text);
        assert_eq!(read("public.or\"gs; --"), Ok(QualifiedName::new("public", "or\"gs; --")));
        assert_eq!(read("\"a.b\".\"c\"\"d\""), Ok(QualifiedName::new("a.b", "c\"d")));
        for wrong in ["", "orgs", ".orgs", "public."] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn dollar_quotes_hold_any_body(body in "[$a-z\\n]{0,40}") {
            let quoted = dollar_quoted(&body);
            let tag_end = quoted[1..].find('$').unwrap() + 2;
            let tag = &quoted[..tag_end];
            prop_assert_eq!(quoted[tag_end..].find(tag), Some(body.len()));
        }

        #[test]
        fn comments_and_cells_are_one_line(text in "\\PC*|[\\x00-\\x1f]*") {
            prop_assert_eq!(sql_comment(&text).lines().count(), 1);
            prop_assert!(!markdown(&text).contains('\n'));
        }

        #[test]
        fn stems_are_plain_ascii_and_short(schema in ".{1,63}", name in ".{1,63}") {
            let stem = file_stem(&schema, &name);
            prop_assert!(stem.len() <= 200);
            prop_assert!(stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.%~".contains(&b)));
        }
    }
}
