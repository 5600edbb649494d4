//! Settings that affect how a server writes or reads text, or what a statement means, with the value our sessions use.
//!
//! Invariant: a database or role may set any of them (`ALTER DATABASE … SET`), so none of our sessions and none of
//! pg_dump's or psql's runs with inherited values. There is only this list: tests/verdicts/session_settings.rs checks it against
//! every setting that a server knows. It never changes the settings that a database carries: those are objects. Left
//! out on purpose: `role` and preloaded libraries, which a login may need to work at all; settings that users'
//! functions may rely on (`default_text_search_config`, `plpgsql.variable_conflict`); `track_counts`, which
//! `pg::catalog::marks` checks.

use std::fmt::Write as _;

use super::name::literal;

/// One setting and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    pub name: &'static str,
    pub value: &'static str,
    /// pg_dump's output or success depends on it, and pg_dump does not set it itself.
    pub for_dump: bool,
}

const fn ours(name: &'static str, value: &'static str) -> Pin {
    Pin { name, value, for_dump: false }
}

const fn for_dump(name: &'static str, value: &'static str) -> Pin {
    Pin { name, value, for_dump: true }
}

pub const PINS: &[Pin] = &[
    // Format of values and definitions in the output.
    ours("TimeZone", "UTC"),
    ours("DateStyle", "ISO, YMD"),
    ours("IntervalStyle", "postgres"),
    for_dump("bytea_output", "hex"),
    ours("client_encoding", "UTF8"),
    ours("extra_float_digits", "1"),
    for_dump("quote_all_identifiers", "off"),
    for_dump("lc_monetary", "C"),
    ours("xmlbinary", "base64"),
    // Interpretation of input text.
    for_dump("standard_conforming_strings", "on"),
    ours("array_nulls", "on"),
    ours("backslash_quote", "safe_encoding"),
    ours("timezone_abbreviations", "Default"),
    ours("transform_null_equals", "off"),
    ours("xmloption", "content"),
    // What a statement resolves, creates and may do.
    ours("search_path", ""),
    ours("row_security", "off"),
    ours("check_function_bodies", "off"),
    ours("createrole_self_grant", ""),
    ours("default_tablespace", ""),
    ours("default_table_access_method", "heap"),
    ours("event_triggers", "on"),
    ours("icu_validation_level", "warning"),
    ours("restrict_nonsystem_relation_kind", ""),
    ours("session_replication_role", "origin"),
    ours("synchronize_seqscans", "off"),
    ours("temp_tablespaces", ""),
    // A damaged page must raise an error; it must never read as empty.
    for_dump("ignore_checksum_failure", "off"),
    for_dump("zero_damaged_pages", "off"),
    // Anything that ends a statement, a transaction or a session.
    ours("default_transaction_deferrable", "off"),
    ours("default_transaction_isolation", "read committed"),
    ours("default_transaction_read_only", "off"),
    ours("exit_on_error", "off"),
    ours("idle_in_transaction_session_timeout", "0"),
    ours("idle_session_timeout", "0"),
    ours("lock_timeout", "0"),
    ours("statement_timeout", "0"),
    ours("transaction_timeout", "0"),
    // Messages sent along with a result.
    ours("client_min_messages", "notice"),
    ours("escape_string_warning", "off"),
];

/// PL/pgSQL's settings, which the server knows only once the language is loaded: our DO blocks run under them.
const OF_PLPGSQL: &str = "SET plpgsql.extra_errors = 'none'; SET plpgsql.extra_warnings = 'none'";

/// Sets every pin that the server knows and the role may set. It works on every version, and resolves nothing through
/// the inherited `search_path`.
pub fn pin_statements() -> String {
    format!(
        "SET statement_timeout = 0; {OF_PLPGSQL}; \
         SELECT pg_catalog.count(pg_catalog.set_config(p.name, p.value, false)) FROM {known}",
        known = known()
    )
}

/// Query: name and value of settings whose value at connection time differs from the pin.
pub fn deviating_query() -> String {
    format!(
        "SELECT s.name, s.reset_val FROM {} AND s.reset_val OPERATOR(pg_catalog.<>) p.value ORDER BY s.name",
        known()
    )
}

/// The pins that this session may set, as `p`, joined with the server's row for each, as `s`.
fn known() -> String {
    let mut values = String::new();
    for pin in PINS {
        let comma = if values.is_empty() { "" } else { ", " };
        let _ = write!(values, "{comma}({}, {})", literal(pin.name), literal(pin.value));
    }
    format!(
        "(VALUES {values}) AS p (name, value) JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) p.name \
         WHERE (s.context OPERATOR(pg_catalog.=) 'user' OR (s.context OPERATOR(pg_catalog.=) 'superuser' \
         AND pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on'))"
    )
}

/// The pins with these names that pg_dump needs and does not set itself.
pub fn for_dump_among(names: &[&str]) -> Vec<Pin> {
    PINS.iter().filter(|pin| pin.for_dump && names.contains(&pin.name)).copied().collect()
}

/// A connection's `options`: `given`, followed by these pins. The last value wins.
pub fn options(given: Option<&str>, pins: &[Pin]) -> String {
    let mut text = given.unwrap_or_default().to_string();
    for pin in pins {
        let space = if text.is_empty() { "" } else { " " };
        // In `options` a backslash escapes a blank and a backslash.
        let value = pin.value.replace('\\', "\\\\").replace(' ', "\\ ");
        let _ = write!(text, "{space}-c {}={value}", pin.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_stands_once() {
        let mut names: Vec<&str> = PINS.iter().map(|pin| pin.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PINS.len());
    }

    #[test]
    fn what_the_user_gave_stays_and_comes_first() {
        let pins = for_dump_among(&["bytea_output", "TimeZone", "lc_monetary", "unknown"]);
        assert_eq!(options(Some("reference=abc"), &pins), "reference=abc -c bytea_output=hex -c lc_monetary=C");
        assert_eq!(options(None, &pins[..1]), "-c bytea_output=hex");
        assert_eq!(options(None, &[]), "");
        assert_eq!(options(None, &[ours("DateStyle", "ISO, YMD")]), "-c DateStyle=ISO,\\ YMD");
    }
}
