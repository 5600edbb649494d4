//! Connection strings: libpq's two forms, read and written.
//!
//! Invariant: an accepted string means the same as in libpq. An error never repeats a piece of the text that may
//! contain (part of) a password.

pub mod build;
pub mod keyword;
pub mod params;
pub mod uri;

use crate::model::failure::{Failure, FailureKind, Result};

pub use params::Params;

/// Parses either form.
pub fn parse(text: &str) -> Result<Params> {
    let text = text.trim();
    if let Some(scheme) = scheme(text) {
        return match scheme {
            "postgres" | "postgresql" => uri::parse(text),
            _ => foreign_scheme(scheme, text),
        };
    }
    if text.contains('=') {
        return keyword::parse(text);
    }
    Err(Failure::msg(FailureKind::Configuration, "this is not a connection string")
        .hint("write postgresql://USER:PASSWORD@HOST:5432/DATABASE, or host=… dbname=… user=…"))
}

/// The text before `://`, if it looks like a scheme.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (!scheme.is_empty() && scheme.len() <= 32 && scheme.chars().all(fine)).then_some(scheme)
}

/// `postgresql+psycopg2://` (SQLAlchemy), `jdbc:…`, `POSTGRES://`, or the scheme of another database.
fn foreign_scheme(scheme: &str, text: &str) -> Result<Params> {
    let base = scheme.split('+').next().unwrap_or_default().to_ascii_lowercase();
    if matches!(base.as_str(), "postgres" | "postgresql") {
        let rest = &text[scheme.len()..];
        let mut params = uri::parse(&format!("postgresql{rest}"))?;
        params.notes.push(format!("the scheme '{scheme}' is read as 'postgresql'"));
        return Ok(params);
    }
    let failure =
        Failure::msg(FailureKind::Configuration, format!("'{scheme}://' is not a connection to a PostgreSQL server"));
    Err(match base.as_str() {
        "prisma" => failure.hint("this is Prisma Accelerate: give the database's own URL (DIRECT_URL) instead"),
        "http" | "https" => {
            failure.hint("this is the address of an API: the connection string is in the dashboard under Connect")
        }
        _ => failure.hint("write postgresql://USER:PASSWORD@HOST:5432/DATABASE"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_sqlalchemys() {
        assert_eq!(parse(" postgres://h/d\n").unwrap().get("dbname"), Some("d"));
        assert_eq!(parse("host=h dbname=d").unwrap().get("host"), Some("h"));
        let params = parse("postgresql+asyncpg://u@h/d").unwrap();
        assert_eq!((params.get("user"), params.notes.len()), (Some("u"), 1));
    }

    #[test]
    fn what_is_not_postgresql_says_so() {
        for text in ["mysql://u:p@h/d", "https://x.supabase.co", "prisma://x", "just-a-word", ""] {
            let failure = parse(text).unwrap_err();
            assert!(!failure.hints.is_empty(), "{text}");
        }
    }
}
