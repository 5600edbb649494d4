//! Small values as people write them: durations, lists, formats.
//!
//! Invariant: pure; an error is a sentence about the value, which follows the key's name in a message.

use std::time::Duration;

use super::suggest::closest;

/// `500ms`, `30s`, `5m`, `1h`, `2d`, and sums such as `1h30m`. A number without a unit is refused, except `0`, which
/// means none.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = || format!("'{}' is not a duration: write 30s, 5m, 1h or 1h30m", text.escape_default());
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let millis: u64 = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// The shortest notation.
pub fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("h", 3_600_000_u128), ("m", 60_000), ("s", 1_000)] {
        if millis != 0 && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    if millis == 0 { "0".to_string() } else { format!("{millis}ms") }
}

/// The formats of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Dump,
    Sql,
    Csv,
    Json,
}

impl Format {
    pub const WORDS: [&str; 4] = ["dump", "sql", "csv", "json"];

    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "dump" => Ok(Self::Dump),
            "sql" => Ok(Self::Sql),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => Err(unknown_word("format", word, &Self::WORDS)),
        }
    }
}

/// How readable files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReadableCompression {
    /// Not compressed for a small database, zstd for a large one.
    #[default]
    Auto,
    None,
    Zstd,
}

impl ReadableCompression {
    pub const WORDS: [&str; 3] = ["auto", "none", "zstd"];

    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            "zstd" => Ok(Self::Zstd),
            _ => Err(unknown_word("compression", word, &Self::WORDS)),
        }
    }
}

/// Which part of a new snapshot is restored into a throw-away server to verify it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    Nothing,
    /// Everything but rows, before the snapshot is sealed.
    Schema,
    /// Everything, after the snapshot is sealed: a drill.
    Restore,
}

impl Verify {
    pub const WORDS: [&str; 3] = ["none", "schema", "restore"];

    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "none" => Ok(Self::Nothing),
            "schema" => Ok(Self::Schema),
            "restore" => Ok(Self::Restore),
            _ => Err(unknown_word("level", word, &Self::WORDS)),
        }
    }
}

/// The value of `sessions`: are sessions and tokens written into the users' SQL?
pub fn parse_sessions(word: &str) -> Result<bool, String> {
    match word {
        "keep" => Ok(true),
        "drop" => Ok(false),
        _ => Err(unknown_word("value", word, &["keep", "drop"])),
    }
}

/// `a,b , c`
pub fn parse_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_string).collect()
}

/// For example "unknown format 'cvs': did you mean 'csv'?"
fn unknown_word(what: &str, word: &str, known: &[&str]) -> String {
    let shown = word.escape_default();
    match closest(word, known.iter().copied()) {
        Some(suggestion) => format!("unknown {what} '{shown}': did you mean '{suggestion}'?"),
        None => format!("unknown {what} '{shown}': one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000), ("1h30m", 5_400_000), ("0", 0), ("250ms", 250)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "30", "s", "-1s", "1.5h", "1 h", "99999999999999999999h", "1y"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_suggested() {
        assert_eq!(Format::parse("cvs"), Err("unknown format 'cvs': did you mean 'csv'?".to_string()));
        assert_eq!(Format::parse("json").map(Format::word), Ok("json"));
        assert!(Verify::WORDS.iter().all(|word| Verify::parse(word).map(Verify::word) == Ok(*word)));
        assert_eq!(ReadableCompression::parse("zstd").map(ReadableCompression::word), Ok("zstd"));
    }

    proptest! {
        #[test]
        fn shown_durations_read_back(millis in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        }

        #[test]
        fn never_panics(text in "\\PC{0,12}") {
            let _ = parse_duration(&text);
        }
    }
}
