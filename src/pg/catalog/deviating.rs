//! Finds the settings that a connection starts with and that deviate from their pins.
//!
//! Invariant: it queries the server and never writes. `lc_monetary` is checked by formatting some money, and only if
//! the database has any money column: nearly every server has a locale here that differs from `C` by name only.

use super::get;
use crate::model::failure::Result;
use crate::model::pins::deviating_query;
use crate::pg::session::Session;

const MONEY: &str = "lc_monetary";

/// Name and value of each deviating setting.
pub async fn deviating(session: &Session) -> Result<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    for row in session.rows(&deviating_query(), &[]).await? {
        let (name, value): (String, String) = (get(&row, 0)?, get(&row, 1)?);
        if name != MONEY || money_differs(session, &value).await? {
            found.push((name, value));
        }
    }
    Ok(found)
}

async fn money_differs(session: &Session, locale: &str) -> Result<bool> {
    let has_any = "SELECT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid >= 16384 AND a.atttypid IN (790, 791)) \
                   OR EXISTS (SELECT FROM pg_type t WHERE t.oid >= 16384 AND t.typbasetype IN (790, 791))";
    if !get::<bool>(&session.one(has_any, &[]).await?, 0)? {
        return Ok(false);
    }
    let ours = some_money(session).await?;
    session.execute("BEGIN READ ONLY").await?;
    let written = async {
        session.one("SELECT pg_catalog.set_config('lc_monetary', $1, true)", &[&locale]).await?;
        some_money(session).await
    };
    let theirs = written.await;
    session.execute("ROLLBACK").await?;
    Ok(theirs? != ours)
}

async fn some_money(session: &Session) -> Result<String> {
    get(&session.one("SELECT concat_ws(' ', (-1234567.89)::numeric::money, 0.05::numeric::money)", &[]).await?, 0)
}
