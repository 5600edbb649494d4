//! What row security lets a signed-in user and a stranger see: rows counted table by table, to be compared.
//!
//! Invariant: it runs in one transaction that is rolled back. It counts, and tells no row. A policy that fails or takes
//! too long is an answer too. Policies are code of that database: see [`super::probes`] about trust.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::probes::{get, in_transaction, took_too_long};
use super::session::Session;
use crate::model::failure::{FailureKind, Result};
use crate::model::name::{ident, visible};
use crate::model::restore::{ProbeOutcome, ProofFinding};

/// At most so many tables a role: it is a probe.
const MAX_TABLES: i64 = 200;
/// For each table.
const TABLE_TIMEOUT: &str = "2s";

/// What one role saw of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RlsSeen {
    Rows(u64),
    /// The server's words.
    Refused(String),
    TooSlow,
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RlsView {
    /// The user whose claims were set. None: there is none, or `auth.users` is not readable.
    pub user: Option<String>,
    /// Key: `anon public.t`, `authenticated public.t`.
    pub seen: BTreeMap<String, RlsSeen>,
}

/// Looks with the claims of `user` (an id of `auth.users`; None: the smallest one) at every table with row security.
pub async fn rls_view(session: &Session, user: Option<&str>) -> Result<RlsView> {
    in_transaction(session, async {
        let mut view = RlsView::default();
        look(session, "anon", None, &mut view).await?;
        look(session, "authenticated", Some(user), &mut view).await?;
        Ok(view)
    })
    .await
}

/// `claims`: None sets those of a stranger.
async fn look(session: &Session, role: &str, claims: Option<Option<&str>>, view: &mut RlsView) -> Result<()> {
    let rows = session.rows(include_str!("sql/probe_rls_tables.sql"), &[&role, &MAX_TABLES]).await?;
    let tables = rows.iter().map(|row| get::<String>(row, 0)).collect::<Result<Vec<_>>>()?;
    if tables.is_empty() {
        return Ok(());
    }
    session.execute("SAVEPOINT stacksnap_look").await?;
    let looked = async {
        if let Some(user) = claims {
            view.user = set_claims(session, user).await?;
        } else {
            session.execute(r#"SET LOCAL "request.jwt.claims" = '{"role": "anon"}'"#).await?;
        }
        session
            .execute(&format!(
                "SET LOCAL row_security = on; SET LOCAL statement_timeout = '{TABLE_TIMEOUT}'; SET LOCAL ROLE {}",
                ident(role)
            ))
            .await?;
        for table in &tables {
            view.seen.insert(format!("{role} {table}"), count(session, table).await?);
        }
        Ok(())
    };
    let done: Result<()> = looked.await;
    session.execute("ROLLBACK TO SAVEPOINT stacksnap_look; RELEASE SAVEPOINT stacksnap_look").await?;
    match done {
        // Not allowed to become that role: nothing was seen.
        Err(failure) if failure.kind == FailureKind::Denied => Ok(()),
        other => other,
    }
}

/// As the gateway does for each request. Gives back the user's id.
async fn set_claims(session: &Session, user: Option<&str>) -> Result<Option<String>> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'auth' AND c.relname = 'users' \
               AND c.relkind IN ('r', 'p') AND a.attname = 'id' AND NOT a.attisdropped)";
    let there: bool = get(&session.one(sql, &[]).await?, 0)?;
    if !there {
        session.execute(r#"SET LOCAL "request.jwt.claims" = '{"role": "authenticated"}'"#).await?;
        return Ok(None);
    }
    let rows = session.rows(include_str!("sql/probe_rls_claims.sql"), &[&user]).await?;
    rows.first().map(|row| get(row, 0)).transpose()
}

async fn count(session: &Session, table: &str) -> Result<RlsSeen> {
    session.execute("SAVEPOINT stacksnap_count").await?;
    // `table` comes from the server, quoted by it.
    let seen =
        match session.one(&format!("SELECT count(*) FROM {table}"), &[]).await.and_then(|row| get::<i64>(&row, 0)) {
            Ok(rows) => RlsSeen::Rows(rows.unsigned_abs()),
            Err(failure) if failure.kind == FailureKind::Unreachable => return Err(failure),
            Err(failure) if took_too_long(&failure) => RlsSeen::TooSlow,
            Err(failure) => RlsSeen::Refused(failure.to_string()),
        };
    session.execute("ROLLBACK TO SAVEPOINT stacksnap_count").await?;
    Ok(seen)
}

impl RlsView {
    /// The probe that stands for it where there is nothing to compare with.
    pub fn outcome(&self) -> ProbeOutcome {
        let name = "rls_with_claims".to_string();
        if self.seen.is_empty() {
            let detail = "no table with row security that anon or authenticated may read".to_string();
            return ProbeOutcome { name, passed: None, detail };
        }
        let (mut rows, mut refused, mut slow) = (0, Vec::new(), 0);
        for (what, seen) in &self.seen {
            match seen {
                RlsSeen::Rows(n) => rows += n,
                RlsSeen::Refused(_) => refused.push(visible(what)),
                RlsSeen::TooSlow => slow += 1,
            }
        }
        let mut detail = format!("{} tables looked at, {rows} rows seen", self.seen.len());
        if !refused.is_empty() {
            detail.push_str(&format!(", refused: {}", refused.join(", ")));
        }
        if slow > 0 {
            detail.push_str(&format!(", {slow} took too long"));
        }
        ProbeOutcome { name, passed: Some(true), detail }
    }
}

/// What shows more, less or something else than it did, for the same user. What took too long is not compared.
pub fn compare(source: &RlsView, target: &RlsView) -> Vec<ProofFinding> {
    if source.user != target.user {
        let said = |user: &Option<String>| user.clone().unwrap_or_else(|| "no user".to_string());
        return vec![finding("the user whose claims were set", said(&source.user), said(&target.user))];
    }
    let names: std::collections::BTreeSet<&String> = source.seen.keys().chain(target.seen.keys()).collect();
    let mut findings = Vec::new();
    for name in names {
        let (was, is) = (source.seen.get(name), target.seen.get(name));
        let slow = [was, is].contains(&Some(&RlsSeen::TooSlow));
        if was != is && !slow {
            findings.push(finding(name, said(was), said(is)));
        }
    }
    findings
}

fn said(seen: Option<&RlsSeen>) -> String {
    match seen {
        None => "not readable".to_string(),
        Some(RlsSeen::Rows(rows)) => format!("{rows} rows"),
        Some(RlsSeen::Refused(why)) => why.clone(),
        Some(RlsSeen::TooSlow) => "took too long".to_string(),
    }
}

fn finding(what: &str, expected: String, found: String) -> ProofFinding {
    ProofFinding { code: "rls_differs".to_string(), what: what.to_string(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(seen: &[(&str, RlsSeen)]) -> RlsView {
        RlsView { user: Some("u".into()), seen: seen.iter().map(|(n, s)| ((*n).to_string(), s.clone())).collect() }
    }

    #[test]
    fn more_rows_and_tables_that_came_or_went_are_told() {
        let was =
            view(&[("anon p.a", RlsSeen::Rows(1)), ("anon p.b", RlsSeen::Rows(1)), ("anon p.c", RlsSeen::TooSlow)]);
        let is =
            view(&[("anon p.a", RlsSeen::Rows(2)), ("anon p.c", RlsSeen::Rows(9)), ("anon p.d", RlsSeen::Rows(0))]);
        let found: Vec<String> = compare(&was, &is).into_iter().map(|f| f.what).collect();
        assert_eq!(found, ["anon p.a", "anon p.b", "anon p.d"]);
        assert!(compare(&was, &was).is_empty());
    }
}
