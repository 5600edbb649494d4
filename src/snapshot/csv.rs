//! Converts COPY text lines to CSV as written by `COPY … TO … (FORMAT csv, HEADER)`.
//!
//! Invariant: NULL is an unquoted empty field, the empty string is `""`. A field is quoted if it contains a comma, a
//! quote, a carriage return or a newline, or could be read as NULL or as the end of data. `COPY … FROM … (FORMAT csv,
//! HEADER)` reads exactly the same values back; no value is ever changed.

use super::copy_text::decode;
use super::csv_row::double_quotes;

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

/// Appends one row, converted from a COPY text line (without the newline). `columns` is the number of fields.
pub fn row(line: &[u8], columns: usize, out: &mut Vec<u8>) {
    if columns > 0 {
        fields(line, columns == 1, out);
    }
    out.push(b'\n');
}

fn fields(line: &[u8], single: bool, out: &mut Vec<u8>) {
    if memchr::memchr2(b'\\', b'\r', line).is_none() {
        return plain_fields(line, out);
    }
    // A backslash is never directly before a tab: COPY writes a tab in the data as `\t`.
    for (i, raw) in line.split(|b| *b == b'\t').enumerate() {
        if i > 0 {
            out.push(b',');
        }
        if let Some(decoded) = decode(raw) {
            value(&decoded, single, out);
        }
    }
}

/// The fast path for a line without backslashes: no field needs decoding.
fn plain_fields(line: &[u8], out: &mut Vec<u8>) {
    let mut start = 0;
    for end in memchr::memchr_iter(b'\t', line).chain([line.len()]) {
        if start > 0 {
            out.push(b',');
        }
        let raw = &line[start..end];
        if raw.is_empty() || memchr::memchr2(b',', b'"', raw).is_some() {
            quoted(raw, out);
        } else {
            out.extend_from_slice(raw);
        }
        start = end + 1;
    }
}

fn needs_quotes(text: &[u8], single: bool) -> bool {
    text.is_empty()
        || (single && text == b"\\.")
        || memchr::memchr2(b',', b'"', text).is_some()
        || memchr::memchr2(b'\r', b'\n', text).is_some()
}

fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    double_quotes(text, out);
    out.push(b'"');
}

/// Appends one value that is not NULL. `single`: it is the only field of its row, where `\\.` would mean end of data.
pub fn value(text: &[u8], single: bool, out: &mut Vec<u8>) {
    if needs_quotes(text, single) {
        quoted(text, out);
    } else {
        out.extend_from_slice(text);
    }
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
        fn the_fast_way_writes_what_the_plain_way_writes(line in "([a-c,\"nN\t\r.]|xxxxx|\\\\\\\\|\\\\n|\\\\N|\\\\r){0,40}") {
            let line = line.as_bytes();
            let mut fast = Vec::new();
            fields(line, false, &mut fast);
            let mut plain = Vec::new();
            for (i, raw) in line.split(|b| *b == b'\t').enumerate() {
                if i > 0 {
                    plain.push(b',');
                }
                if let Some(decoded) = decode(raw) {
                    let text = String::from_utf8(decoded.into_owned()).unwrap();
                    if text.is_empty() || text.contains([',', '"', '\r', '\n']) {
                        plain.extend(format!("\"{}\"", text.replace('"', "\"\"")).bytes());
                    } else {
                        plain.extend(text.bytes());
                    }
                }
            }
            proptest::prop_assert_eq!(fast, plain);
        }
    }

    #[test]
    fn headers_are_quoted_where_needed() {
        assert_eq!(header(&["id".into(), "Weird \"Col\", é".into()]), "id,\"Weird \"\"Col\"\", é\"\n".as_bytes());
    }
}
