//! Questions of the user's own to the restored database: each must be answered by one row that says true.
//!
//! Invariant: they are asked in a transaction that only reads and is rolled back, each with a time limit and by itself:
//! one that fails says so and the next is asked. A text that is no single query is refused by the server.

use serde::{Deserialize, Serialize};

use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::visible;
use crate::model::sql_lexer::{Kind, Piece, pieces};
use crate::pg::session::Session;

/// A question that takes longer is answered with no.
const LIMIT_MS: u32 = 60_000;

/// One query as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion(pub String);

/// What came of one. Texts are visible: they hold no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionOutcome {
    pub query: String,
    pub passed: bool,
    /// Why not.
    pub detail: String,
}

/// The queries of a file: separated by `;`, or, where there is none, one a line. Comments are left out.
pub fn parse(text: &str) -> Result<Vec<Assertion>> {
    let pieces = split(text);
    let queries: Vec<Assertion> = if pieces.len() <= 1 && !has_separator(text) {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
        lines.map(|line| Assertion(line.to_string())).collect()
    } else {
        pieces.into_iter().map(Assertion).collect()
    };
    if queries.is_empty() {
        return Err(Failure::msg(FailureKind::Usage, "the file of assertions holds no query")
            .hint("write one query a line, each answering true, e.g. SELECT count(*) > 0 FROM public.orders"));
    }
    Ok(queries)
}

fn is_separator(piece: &Piece<'_>) -> bool {
    piece.kind == Kind::Sign && piece.text == ";"
}

fn has_separator(text: &str) -> bool {
    pieces(text).iter().any(is_separator)
}

fn split(text: &str) -> Vec<String> {
    let (mut found, mut current) = (Vec::new(), String::new());
    for piece in pieces(text) {
        match piece.kind {
            Kind::Comment => current.push(if piece.text.ends_with('\n') { '\n' } else { ' ' }),
            Kind::Sign if is_separator(&piece) => found.push(std::mem::take(&mut current)),
            _ => current.push_str(piece.text),
        }
    }
    found.push(current);
    let trimmed = found.iter().map(|query| query.trim().to_string());
    trimmed.filter(|query| !query.is_empty()).collect()
}

/// Asks them all. An error is one of the connection; a query that fails is an outcome.
pub async fn ask_all(session: &Session, assertions: &[Assertion]) -> Result<Vec<AssertionOutcome>> {
    session
        .execute(&format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {LIMIT_MS}; SET row_security = on; \
             SET search_path = public, pg_catalog"
        ))
        .await?;
    let mut outcomes = Vec::with_capacity(assertions.len());
    for Assertion(query) in assertions {
        session.execute("BEGIN READ ONLY").await?;
        let answer = ask(session, query).await;
        // Whatever the query was: nothing of it stays.
        session.execute("ROLLBACK").await?;
        let detail = answer.err().map(|why| visible(&why)).unwrap_or_default();
        outcomes.push(AssertionOutcome { query: visible(query), passed: detail.is_empty(), detail });
    }
    Ok(outcomes)
}

async fn ask(session: &Session, query: &str) -> Result<(), String> {
    let rows = session.rows(query, &[]).await.map_err(|failure| failure.to_string())?;
    let [row] = rows.as_slice() else {
        return Err(format!("{} rows instead of one", rows.len()));
    };
    if row.is_empty() {
        return Err("no column".to_string());
    }
    match row.try_get::<_, Option<bool>>(0) {
        Ok(Some(true)) => Ok(()),
        Ok(Some(false)) => Err("the answer is false".to_string()),
        Ok(None) => Err("the answer is NULL".to_string()),
        Err(_) => Err("the first column is no boolean".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        parse(text).unwrap().into_iter().map(|a| a.0).collect()
    }

    #[test]
    fn one_a_line_or_one_a_statement() {
        assert_eq!(texts("-- about\nSELECT true\n\n  SELECT 1 = 1\n"), ["SELECT true", "SELECT 1 = 1"]);
        assert_eq!(texts("SELECT\n  true;\nSELECT 1 -- one; not two\n = 1"), ["SELECT\n  true", "SELECT 1 \n = 1"]);
        assert_eq!(texts("SELECT true;"), ["SELECT true"]);
        assert!(parse("-- nothing\n;;").is_err());
    }

    #[test]
    fn a_separator_in_quotes_or_comments_is_none() {
        let query = r#"SELECT ';' = E'\';' AND ";" = $a$ ; $$ ; $a$ /* ; /* ; */ ; */"#;
        assert_eq!(texts(&format!("{query};\nSELECT 2")).len(), 2);
        assert_eq!(texts(&format!("{query}\nSELECT 2")).len(), 2, "no separator: one a line");
        assert_eq!(texts("SELECT $1;SELECT 2"), ["SELECT $1", "SELECT 2"]);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[;'\"$a-b/*\\-\\\\\n é]{0,60}") {
            let _ = parse(&text);
        }
    }
}
