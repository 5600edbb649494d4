//! The keyword form: `host=localhost password='it\'s'`.
//!
//! Invariant: it parses like libpq's `conninfo_parse` (PostgreSQL manual, "Keyword/Value Connection Strings").

use std::iter::Peekable;
use std::str::Chars;

use super::params::Params;
use crate::model::failure::{Failure, FailureKind, Result};

/// Parses the whole text.
pub fn parse(text: &str) -> Result<Params> {
    let mut params = Params::default();
    read_pairs(text, |name, value, echo| params.take(name, value, echo))?;
    Ok(params)
}

/// Calls `each(name, value, may the name be shown)` for every pair.
fn read_pairs(text: &str, mut each: impl FnMut(&str, &str, bool) -> Result<()>) -> Result<()> {
    let mut chars = text.chars().peekable();
    let mut number = 0;
    // After an unquoted password the next word may be the rest of that password.
    let mut echo = true;
    loop {
        skip_space(&mut chars);
        if chars.peek().is_none() {
            return Ok(());
        }
        number += 1;
        let name = read_name(&mut chars);
        skip_space(&mut chars);
        if chars.next() != Some('=') {
            return Err(broken(&format!("there is no '=' after word {number}"))
                .hint("put a value with spaces into single quotes: password='two words'"));
        }
        skip_space(&mut chars);
        let quoted = chars.peek() == Some(&'\'');
        let value = if quoted { read_quoted(&mut chars, number)? } else { read_plain(&mut chars) };
        each(&name, &value, echo)?;
        echo = quoted || name != "password";
    }
}

fn skip_space(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
}

fn read_name(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_ascii_whitespace()) {
        name.push(c);
    }
    name
}

fn read_plain(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    while let Some(c) = chars.next_if(|c| !c.is_ascii_whitespace()) {
        match c {
            '\\' => value.extend(chars.next()),
            other => value.push(other),
        }
    }
    value
}

fn read_quoted(chars: &mut Peekable<Chars<'_>>, number: usize) -> Result<String> {
    let mut value = String::new();
    chars.next();
    loop {
        match chars.next() {
            Some('\'') => return Ok(value),
            Some('\\') => value.extend(chars.next()),
            Some(other) => value.push(other),
            None => {
                return Err(broken(&format!("the quote of value {number} is not closed"))
                    .hint("inside single quotes write \\' for a quote and \\\\ for a backslash"));
            }
        }
    }
}

fn broken(what: &str) -> Failure {
    Failure::msg(FailureKind::Configuration, format!("the connection string cannot be read: {what}"))
}

/// Writes one value so that [`parse`] reads it back.
pub fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_backslashes_and_spaces() {
        let params = parse(r"host=localhost port = 5433 password='a b\'c\\d' dbname=x\ y user=''").unwrap();
        assert_eq!(params.get("password"), Some(r"a b'c\d"));
        assert_eq!(params.get("dbname"), Some("x y"));
        assert_eq!(params.get("port"), Some("5433"));
        assert_eq!(params.get("user"), None);
    }

    #[test]
    fn errors_never_repeat_the_password() {
        for text in [
            "password=canary one",
            "password='canary",
            "password=x canary=1",
            "password=two canary words=3",
            "host=h password=a\\ b canary",
        ] {
            let failure = parse(text).unwrap_err();
            assert!(!format!("{failure} {:?}", failure.hints).contains("canary"), "{text}: {failure}");
        }
    }

    #[test]
    fn an_unknown_keyword_is_named_where_it_is_safe() {
        assert_eq!(parse("hots=x").unwrap_err().hints, ["did you mean 'host'?"]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn quoted_values_read_back(password in "\\PC{1,30}", host in "[a-z.]{1,20}") {
            let params = parse(&format!("host={} password={}", quote(&host), quote(&password))).unwrap();
            prop_assert_eq!(params.get("password"), Some(password.as_str()));
            prop_assert_eq!(params.get("host"), Some(host.as_str()));
        }
    }
}
