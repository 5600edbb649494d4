//! CSV as `COPY … TO … (FORMAT csv, HEADER)` writes it, made from COPY text lines.
//!
//! Invariant: NULL is an unquoted empty field, the empty string is `""`; a field is quoted when it holds a comma, a
//! quote, a carriage return or a newline, or when it could be read as NULL or as the end of data. `COPY … FROM …
//! (FORMAT csv, HEADER)` reads the very same values back.

use super::copy_text::decode;

/// The header line.
pub fn header(columns: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        value(column.as_bytes(), columns.len() == 1, &mut out);
    }
    out.push(b'\n');
    out
}

/// Appends one row, made from a COPY text line (without its newline). `columns` is the number of its fields.
pub fn row(line: &[u8], columns: usize, out: &mut Vec<u8>) {
    if columns > 0 {
        fields(line, columns == 1, out);
    }
    out.push(b'\n');
}

const PLAIN: u8 = 0;
const TAB: u8 = 1;
const BACKSLASH: u8 = 2;
const QUOTED: u8 = 4;

const CLASS: [u8; 256] = {
    let mut table = [PLAIN; 256];
    table[b'\t' as usize] = TAB;
    table[b'\\' as usize] = BACKSLASH;
    table[b'"' as usize] = QUOTED;
    table[b',' as usize] = QUOTED;
    table[b'\r' as usize] = QUOTED;
    table[b'\n' as usize] = QUOTED;
    table
};

fn fields(line: &[u8], single: bool, out: &mut Vec<u8>) {
    let (mut start, mut at, mut seen) = (0, 0, PLAIN);
    while at < line.len() {
        // Most bytes are plain: the table is asked for several at a time.
        while at + 4 <= line.len()
            && (CLASS[line[at] as usize]
                | CLASS[line[at + 1] as usize]
                | CLASS[line[at + 2] as usize]
                | CLASS[line[at + 3] as usize])
                == PLAIN
        {
            at += 4;
        }
        let Some(byte) = line.get(at) else { break };
        match CLASS[*byte as usize] {
            PLAIN => at += 1,
            TAB => {
                field(&line[start..at], seen, single, out);
                out.push(b',');
                at += 1;
                start = at;
                seen = PLAIN;
            }
            BACKSLASH => {
                seen |= BACKSLASH;
                at += 2;
            }
            _ => {
                seen |= QUOTED;
                at += 1;
            }
        }
    }
    field(&line[start..], seen, single, out);
}

/// Writes one field; `seen` are the classes of bytes that it holds.
#[inline]
fn field(raw: &[u8], seen: u8, single: bool, out: &mut Vec<u8>) {
    if seen == PLAIN && !raw.is_empty() {
        out.extend_from_slice(raw);
    } else if seen == QUOTED {
        quoted(raw, out);
    } else if let Some(decoded) = decode(raw) {
        value(&decoded, single, out);
    }
}

fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for part in text.split_inclusive(|b| *b == b'"') {
        out.extend_from_slice(part);
        if part.last() == Some(&b'"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

fn value(text: &[u8], single: bool, out: &mut Vec<u8>) {
    let plain = !text.is_empty() && text.iter().all(|b| CLASS[*b as usize] != QUOTED) && !(single && text == b"\\.");
    if plain {
        out.extend_from_slice(text);
        return;
    }
    quoted(text, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(line: &str, columns: usize) -> String {
        let mut out = Vec::new();
        row(line.as_bytes(), columns, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn r26_null_empty_quotes_and_newlines() {
        assert_eq!(csv("\\N\t\ta", 3), ",\"\",a\n");
        assert_eq!(csv("a,b\tsay \"x\"\tl1\\nl2\tc\\\\d", 4), "\"a,b\",\"say \"\"x\"\"\",\"l1\nl2\",c\\d\n");
        assert_eq!(csv("\\\\N\ta\\tb\tx\\ry", 3), "\\N,a\tb,\"x\ry\"\n");
        assert_eq!(csv("{1,2}\t{\"a\": null}", 2), "\"{1,2}\",\"{\"\"a\"\": null}\"\n");
    }

    #[test]
    fn one_column_alone_is_never_the_end_of_data_nor_lost() {
        assert_eq!(csv("\\\\.", 1), "\"\\.\"\n");
        assert_eq!(csv("", 1), "\"\"\n");
        assert_eq!(csv("\\N", 1), "\n");
        assert_eq!(csv("", 0), "\n");
    }

    proptest::proptest! {
        #[test]
        fn the_fast_way_writes_what_the_plain_way_writes(line in "([a-c,\"\\\\nN\t\r.]|xxxxx){0,40}") {
            let line = line.as_bytes();
            let mut fast = Vec::new();
            fields(line, false, &mut fast);
            let mut plain = Vec::new();
            for (i, raw) in split_fields(line).into_iter().enumerate() {
                if i > 0 {
                    plain.push(b',');
                }
                if let Some(decoded) = decode(raw) {
                    value(&decoded, false, &mut plain);
                }
            }
            proptest::prop_assert_eq!(fast, plain);
        }
    }

    /// Tabs that no backslash stands before.
    fn split_fields(line: &[u8]) -> Vec<&[u8]> {
        let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
        while at < line.len() {
            match line[at] {
                b'\\' => at += 1,
                b'\t' => {
                    parts.push(&line[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
            at += 1;
        }
        parts.push(&line[start..]);
        parts
    }

    #[test]
    fn headers_are_quoted_where_needed() {
        assert_eq!(header(&["id".into(), "Weird \"Col\", é".into()]), "id,\"Weird \"\"Col\"\", é\"\n".as_bytes());
    }
}
