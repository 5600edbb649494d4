//! Counts the rows that row security shows to a signed-in and to an anonymous user, per table, for a comparison.
//!
//! Invariant: it runs in a read-only transaction and rolls back every setting. It counts rows and never returns one. A
//! policy that fails or times out is a result too. Policies are code of that database, and code can reset the role that
//! was set: a live source is probed only if [`stranger`] finds no role; a target has what was restored into it, see
//! [`super::probes`] about trust.

use std::time::{Duration, Instant};

use super::probes::{get, in_transaction, took_too_long};
use super::session::Session;
use crate::model::failure::{FailureKind, Result};
use crate::model::name::{QualifiedName, ident};
use crate::model::platform::PLATFORM_OWNERS;
use crate::model::rls_view::{ROWS_MAX, RlsSeen, RlsView};

/// Maximum number of tables per role: it is only a probe.
const MAX_TABLES: i64 = 200;

/// Time limits of the probes.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub table: Duration,
    /// Tables that were not probed when this has passed count as too slow.
    pub whole: Duration,
}

/// Limits for a restored database, where no other session waits.
const AFTER_A_RESTORE: Patience = Patience { table: Duration::from_secs(2), whole: Duration::from_secs(120) };

/// Probes every table with row security, with the claims of `user` (an ID in `auth.users`; `None`: the smallest one).
pub async fn rls_view(session: &Session, user: Option<&str>) -> Result<RlsView> {
    in_transaction(session, async {
        // As in the source: policies that write fail in both.
        session.execute("SET TRANSACTION READ ONLY").await?;
        rls_view_within(session, user, AFTER_A_RESTORE).await
    })
    .await
}

/// The same within the session's transaction, which must be read only.
pub async fn rls_view_within(session: &Session, user: Option<&str>, patience: Patience) -> Result<RlsView> {
    let mut view = RlsView::default();
    let mut prober = Prober { session, view: &mut view, patience, start: Instant::now() };
    prober.probe_role("anon", None).await?;
    prober.probe_role("authenticated", Some(user)).await?;
    Ok(view)
}

/// A role that would gain rights if its code ran in this session: it owns functions or tables, and may not become the
/// role that logged in. `None`: all code here belongs to superusers, that role, its members, or the platform.
pub async fn stranger(session: &Session) -> Result<Option<String>> {
    let platform: Vec<&str> = PLATFORM_OWNERS.to_vec();
    let rows = session.rows(include_str!("sql/probe_rls_strangers.sql"), &[&platform]).await?;
    rows.first().map(|row| get(row, 0)).transpose()
}

struct Prober<'l> {
    session: &'l Session,
    view: &'l mut RlsView,
    patience: Patience,
    start: Instant,
}

impl Prober<'_> {
    /// `claims`: `None` sets the claims of an anonymous user.
    async fn probe_role(&mut self, role: &str, claims: Option<Option<&str>>) -> Result<()> {
        let rows = self.session.rows(include_str!("sql/probe_rls_tables.sql"), &[&role, &MAX_TABLES]).await?;
        let name = |row| Ok(QualifiedName::new(get::<String>(row, 0)?, get::<String>(row, 1)?));
        let tables = rows.iter().map(name).collect::<Result<Vec<_>>>()?;
        self.session.execute("SAVEPOINT stacksnap_look").await?;
        let done = self.probe_tables(role, claims, &tables).await;
        self.session.execute("ROLLBACK TO SAVEPOINT stacksnap_look; RELEASE SAVEPOINT stacksnap_look").await?;
        match done {
            // The role does not exist, or we may not become it: nothing was probed.
            Err(failure) if failure.kind == FailureKind::Unreachable => Err(failure),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn probe_tables(&mut self, role: &str, claims: Option<Option<&str>>, tables: &[QualifiedName]) -> Result<()> {
        let session = self.session;
        if let Some(user) = claims {
            self.view.user = set_claims(session, user).await?;
        } else {
            session.execute(r#"SET LOCAL "request.jwt.claims" = '{"role": "anon"}'"#).await?;
        }
        let timeout = self.patience.table.as_millis();
        session
            .execute(&format!(
                "SET LOCAL row_security = on; SET LOCAL statement_timeout = {timeout}; SET LOCAL ROLE {}",
                ident(role)
            ))
            .await?;
        self.view.roles.insert(role.to_string());
        for table in tables {
            let seen = match self.start.elapsed() < self.patience.whole {
                true => count(session, table).await?,
                false => RlsSeen::TooSlow,
            };
            self.view.seen.insert(format!("{role} {}", table.plain()), seen);
        }
        Ok(())
    }
}

/// Sets the claims as the API gateway does for each request. Returns the user's ID.
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

async fn count(session: &Session, table: &QualifiedName) -> Result<RlsSeen> {
    session.execute("SAVEPOINT stacksnap_count").await?;
    let sql = format!("SELECT count(*) FROM (SELECT FROM {} LIMIT {ROWS_MAX}) seen", table.sql());
    let seen = match session.one(&sql, &[]).await.and_then(|row| get::<i64>(&row, 0)) {
        Ok(rows) => RlsSeen::Rows(rows.unsigned_abs()),
        Err(failure) if failure.kind == FailureKind::Unreachable => return Err(failure),
        Err(failure) if took_too_long(&failure) => RlsSeen::TooSlow,
        Err(failure) => RlsSeen::Refused(failure.to_string()),
    };
    session.execute("ROLLBACK TO SAVEPOINT stacksnap_count; RELEASE SAVEPOINT stacksnap_count").await?;
    Ok(seen)
}
