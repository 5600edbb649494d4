//! Writes one value into SQL or CSV; and a helper for long blocking work in async code.
//!
//! Invariant: a value is bytes and is written unchanged; NULL is never the empty string. No line of SQL that holds a
//! value starts with a backslash, and a row of SQL is one line.

use crate::snapshot::csv;

/// Writes `NULL`, `'…'` or `E'…'`. Line breaks and backslashes are escaped, so the literal is one line and means the
/// same under both settings of `standard_conforming_strings`.
pub fn sql_value(value: Option<&[u8]>, out: &mut Vec<u8>) {
    let Some(value) = value else {
        out.extend_from_slice(b"NULL");
        return;
    };
    if value.iter().any(|b| matches!(b, b'\\' | b'\n' | b'\r')) {
        out.push(b'E');
    }
    out.push(b'\'');
    for byte in value {
        match byte {
            b'\'' => out.extend_from_slice(b"''"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => out.push(*other),
        }
    }
    out.push(b'\'');
}

/// Writes one CSV field as `COPY … CSV` does: NULL is an empty field, the empty string is `""`.
pub fn csv_value(value: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        csv::value(value, true, out);
    }
}

/// Runs long file work without blocking the other tasks of the runtime.
pub fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let threads = tokio::runtime::Handle::try_current().map(|h| h.runtime_flavor());
    if matches!(threads, Ok(tokio::runtime::RuntimeFlavor::MultiThread)) {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sql(value: Option<&str>) -> String {
        let mut out = Vec::new();
        sql_value(value.map(str::as_bytes), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn csv(value: Option<&str>) -> String {
        let mut out = Vec::new();
        csv_value(value.map(str::as_bytes), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn null_is_not_empty_is_not_the_word() {
        assert_eq!((sql(None), sql(Some("")), sql(Some("NULL"))), ("NULL".into(), "''".into(), "'NULL'".into()));
        assert_eq!((csv(None), csv(Some("")), csv(Some("\\."))), (String::new(), "\"\"".into(), "\"\\.\"".into()));
        assert_eq!(csv(Some("a\"b,c\nd")), "\"a\"\"b,c\nd\"");
    }

    #[test]
    fn trap_12_no_line_of_a_value_begins_with_a_backslash() {
        assert_eq!(sql(Some("x\n\\! touch y")), r"E'x\n\\! touch y'");
        assert_eq!(sql(Some("it's")), "'it''s'");
    }

    proptest! {
        #[test]
        fn a_literal_is_one_line_and_closes(value in "[a'\\\\\\n\\r$é]{0,20}") {
            let text = sql(Some(&value));
            prop_assert_eq!(text.lines().count(), 1);
            let body = text.trim_start_matches('E');
            prop_assert!(body.starts_with('\'') && body.ends_with('\''));
            let inner = &body[1..body.len() - 1];
            prop_assert_eq!(inner.replace("''", "").matches('\'').count(), 0);
            if text.starts_with('E') {
                prop_assert_eq!(inner.replace("\\\\", "").replace("\\n", "").replace("\\r", "").matches('\\').count(), 0);
            }
        }
    }
}
