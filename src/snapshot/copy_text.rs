//! Reads PostgreSQL's COPY text format: one line per row, tab between fields, `\N` for NULL, backslash escapes.
//!
//! Invariant: a row is one line, and an unescaped newline or tab is always a separator. The data ends with the line
//! `\.`. Source: PostgreSQL manual, COPY, "Text Format". It never guesses types.

use std::borrow::Cow;

/// The line that ends the data in pg_dump's data files.
pub const END_OF_DATA: &[u8] = b"\\.";

/// One row: its line without the newline.
#[derive(Debug, Clone, Copy)]
pub struct CopyRow<'a> {
    line: &'a [u8],
    columns: usize,
}

impl<'a> CopyRow<'a> {
    /// `columns` is the number of fields in the COPY statement. A table without columns has an empty line per row.
    pub fn new(line: &'a [u8], columns: usize) -> Self {
        Self { line, columns }
    }

    /// The raw line, which the fingerprint hashes.
    pub fn line(&self) -> &'a [u8] {
        self.line
    }

    /// The fields, undecoded, left to right.
    pub fn raw_fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let none = self.columns == 0;
        self.line.split(|b| *b == b'\t').take(if none { 0 } else { usize::MAX })
    }

    /// The decoded fields; `None` is NULL.
    pub fn fields(&self) -> impl Iterator<Item = Option<Cow<'a, [u8]>>> + use<'a> {
        self.raw_fields().map(decode)
    }

    /// The fields as text (COPY runs with client_encoding UTF8). Invalid UTF-8 bytes become U+FFFD.
    pub fn texts(&self) -> Vec<Option<String>> {
        self.fields().map(|f| f.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())).collect()
    }
}

/// Decodes one field like the server: `\N` is NULL; `\b \f \n \r \t \v \\`, octal and hexadecimal escapes.
pub fn decode(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if raw == b"\\N" {
        return None;
    }
    if !raw.contains(&b'\\') {
        return Some(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut i = 0;
    while i < raw.len() {
        if raw[i] == b'\\' {
            let (byte, length) = escape(&raw[i..]);
            out.push(byte);
            i += length;
        } else {
            out.push(raw[i]);
            i += 1;
        }
    }
    Some(Cow::Owned(out))
}

/// Maximum length of an escape: a backslash and three digits.
pub const ESCAPE_BYTES_MAX: usize = 4;

/// The byte of an escape sequence, and the sequence's length. `raw` starts with the backslash; a backslash at the end
/// of the field is a literal one.
pub fn escape(raw: &[u8]) -> (u8, usize) {
    let Some(letter) = raw.get(1) else { return (b'\\', 1) };
    let mut at = 2;
    let byte = match letter {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'0'..=b'7' => number(raw, &mut at, u32::from(letter - b'0'), 8, 2),
        b'x' if raw.get(at).is_some_and(u8::is_ascii_hexdigit) => number(raw, &mut at, 0, 16, 2),
        other => *other,
    };
    (byte, at)
}

/// Reads up to `most` more digits of a numeric escape. Like in the server, only the low eight bits count.
fn number(raw: &[u8], at: &mut usize, first: u32, radix: u32, most: usize) -> u8 {
    let mut value = first;
    for _ in 0..most {
        let Some(digit) = raw.get(*at).and_then(|b| (*b as char).to_digit(radix)) else { break };
        value = value * radix + digit;
        *at += 1;
    }
    (value & 0xff) as u8
}

/// Encodes one value as a COPY text field: the inverse of [`decode`].
pub fn encode(value: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(value) = value else {
        out.extend_from_slice(b"\\N");
        return;
    };
    for byte in value {
        match byte {
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            11 => out.extend_from_slice(b"\\v"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            other => out.push(*other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn null_is_not_the_empty_string_nor_its_own_letters() {
        let row = CopyRow::new(b"\\N\t\t\\\\N\tN", 4);
        assert_eq!(row.texts(), vec![None, Some(String::new()), Some("\\N".into()), Some("N".into())]);
    }

    #[test]
    fn a_table_without_columns_has_rows_without_fields() {
        assert_eq!(CopyRow::new(b"", 0).texts().len(), 0);
        assert_eq!(CopyRow::new(b"", 1).texts(), vec![Some(String::new())]);
    }

    #[test]
    fn numeric_escapes_as_the_server_reads_them() {
        assert_eq!(decode(b"\\101\\x41\\x4a!\\xg\\0").unwrap().as_ref(), b"AAJ!xg\0");
    }

    proptest! {
        #[test]
        fn encode_and_decode_are_inverse(value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..60))) {
            let mut raw = Vec::new();
            encode(value.as_deref(), &mut raw);
            prop_assert!(!raw.contains(&b'\n') && !raw.contains(&b'\t'));
            prop_assert_eq!(decode(&raw).map(Cow::into_owned), value);
        }
    }
}
