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
const QUOTED: u8 = 3;

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
    let (mut start, mut at, mut special) = (0, 0, false);
    while at < line.len() {
        match CLASS[line[at] as usize] {
            PLAIN => at += 1,
            TAB => {
                field(&line[start..at], special, single, out);
                out.push(b',');
                at += 1;
                start = at;
                special = false;
            }
            BACKSLASH => {
                special = true;
                at += 2;
            }
            _ => {
                special = true;
                at += 1;
            }
        }
    }
    field(&line[start..], special, single, out);
}

#[inline]
fn field(raw: &[u8], special: bool, single: bool, out: &mut Vec<u8>) {
    if !special && !raw.is_empty() {
        out.extend_from_slice(raw);
    } else if let Some(decoded) = decode(raw) {
        value(&decoded, single, out);
    }
}

fn value(text: &[u8], single: bool, out: &mut Vec<u8>) {
    let plain = !text.is_empty() && text.iter().all(|b| CLASS[*b as usize] != QUOTED) && !(single && text == b"\\.");
    if plain {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for part in text.split_inclusive(|b| *b == b'"') {
        out.extend_from_slice(part);
        if part.last() == Some(&b'"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
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

    #[test]
    fn headers_are_quoted_where_needed() {
        assert_eq!(header(&["id".into(), "Weird \"Col\", é".into()]), "id,\"Weird \"\"Col\"\", é\"\n".as_bytes());
    }
}
