//! Formatting of numbers, durations and foreign text for people.
//!
//! Invariant: pure functions; control characters are made visible, not dropped, and no password in a URL is shown.

use crate::model::name::visible;

/// `12.3 MB`: decimal units.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `850 ms`, `4.2 s`, `3 min 04 s`, `2 h 05 min`.
pub fn duration_ms(ms: u64) -> String {
    let s = ms / 1000;
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", s, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// Age: `just now`, `5 min`, `3 h`, `12 d`; `in the future` if the clock was set back.
pub fn age_ms(ms: i64) -> String {
    let s = ms / 1000;
    match s {
        ..-60 => "in the future".to_string(),
        -60..60 => "just now".to_string(),
        60..3600 => format!("{} min", s / 60),
        3600..172_800 => format!("{} h", s / 3600),
        _ => format!("{} d", s / 86_400),
    }
}

/// Age for use in a sentence: `just now`, `5 min ago`.
pub fn ago(ms: i64) -> String {
    let age = age_ms(ms);
    if age.ends_with(|c: char| c.is_ascii_lowercase()) && age.starts_with(|c: char| c.is_ascii_digit()) {
        format!("{age} ago")
    } else {
        age
    }
}

/// `1 table`, `23 tables`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Foreign text on one line: control characters made visible, credentials removed.
pub fn line(text: &str) -> String {
    visible(&redacted(text))
}

/// The same for text of several lines; line breaks are kept.
pub fn paragraph(text: &str) -> String {
    let text = redacted(text);
    let lines: Vec<String> = text.trim_end().split('\n').map(visible).collect();
    lines.join("\n")
}

/// Replaces credentials in URLs and `password=…` by `***`. A last defence: no secret should get this far.
pub fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end =
            after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '\'' | '"' | '`')).unwrap_or(after.len());
        // A password may contain an unescaped '/' or '?': the last '@' before whitespace still ends it.
        let word_end = after.find(char::is_whitespace).unwrap_or(after.len());
        let credentials = after[..end].rfind('@').or_else(|| after[..word_end].rfind('@'));
        match credentials {
            Some(at_sign) => {
                out.push_str("***");
                rest = &after[at_sign..];
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    redacted_keywords(&out)
}

fn redacted_keywords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find("password=") {
        let (before, after) = rest.split_at(at + "password=".len());
        out.push_str(before);
        let end = match after.strip_prefix('\'') {
            Some(quoted) => quoted.find('\'').map_or(after.len(), |i| i + 2),
            None => after.find(|c: char| c.is_whitespace() || matches!(c, '&' | '\'' | '"')).unwrap_or(after.len()),
        };
        out.push_str(if end == 0 { "" } else { "***" });
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// Makes JSON safe for a terminal: control characters become `\uXXXX`. They occur only inside JSON strings, so the
/// value does not change.
pub fn safe_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        let mut units = [0; 2];
        if c != '\n' && visible(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8() {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([bytes(0), bytes(999), bytes(1500), bytes(999_999)], ["0 B", "999 B", "1.5 kB", "1.0 MB"]);
        assert_eq!(
            [duration_ms(850), duration_ms(4_250), duration_ms(184_000), duration_ms(7_500_000)],
            ["850 ms", "4.2 s", "3 min 04 s", "2 h 05 min"]
        );
        assert_eq!([age_ms(10), age_ms(-90_000), age_ms(7_200_000)], ["just now", "in the future", "2 h"]);
        assert_eq!([counted(1, "table", "tables"), counted(1234, "row", "rows")], ["1 table", "1,234 rows"]);
    }

    #[test]
    fn credentials_are_struck_out_wherever_they_stand() {
        for (text, expected) in [
            ("postgres://u:hunter2@h/db", "postgres://***@h/db"),
            ("postgresql://u:p@ss@h:5432/db?x=1 and so on", "postgresql://***@h:5432/db?x=1 and so on"),
            ("postgres://u:a/b?c@h/db", "postgres://***@h/db"),
            ("host=h password=hunter2 user=u", "host=h password=*** user=u"),
            ("password='a b' user=u", "password=*** user=u"),
            ("postgres://h/db?Password=x&user=u", "postgres://h/db?Password=***&user=u"),
            ("see https://example.com/a", "see https://example.com/a"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    proptest! {
        #[test]
        fn json_stays_the_same_value(text in "\\PC{0,20}|[\\x00-\\x1f\\x7f-\\u{9f}\\u{202a}-\\u{202e}]{0,20}") {
            let json = serde_json::to_string(&text).unwrap();
            let safe = safe_json(&json);
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
            prop_assert_eq!(visible(&safe), safe);
        }

        #[test]
        fn a_password_without_blanks_never_comes_through(password in "[a-zA-Z0-9/?@:#%]{6,20}") {
            let text = redacted(&format!("cannot reach postgres://user:{password}@host.example/db now"));
            prop_assert!(!text.contains(&format!(":{password}@")), "{}", text);
        }

        #[test]
        fn lines_are_lines(text in ".*") {
            prop_assert_eq!(line(&text).lines().count() <= 1, true);
        }
    }
}
