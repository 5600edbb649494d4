//! Functional probes: does the restored stack do what its services need? Each probe tries it and rolls it back.
//!
//! Invariant: all probes run in one transaction that is rolled back, each in its own savepoint, so nothing remains: no
//! row, no role, no setting. They never fire a user's trigger, and no hash leaves the server. A probe that does not
//! apply gives the reason. The session must not be in a transaction. Code of the restored database may run (policies,
//! column defaults): callers skip the probes for a snapshot that they do not trust.

use crate::model::object_kind::ObjectKind;
use std::collections::BTreeSet;
use std::future::Future;

use super::session::{Row, Session};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::Inventory;
use crate::model::name::{ident, literal};
use crate::model::platform::PLATFORM_TRIGGERS;
use crate::model::restore::ProbeOutcome;
use crate::model::secret::Secret;
use crate::model::sqlstate;

/// Per statement of a probe. A bcrypt hash with cost 14 takes about a second.
const STATEMENT_TIMEOUT: &str = "10s";
/// A probe must not hang on another session's lock.
const LOCK_TIMEOUT: &str = "2s";

/// Columns of `auth.users` that the auth service reads as text: with NULL in one of them, every login of that user
/// fails (auth#1940).
const TOKEN_COLUMNS: [&str; 8] = [
    "confirmation_token",
    "recovery_token",
    "email_change",
    "email_change_token_new",
    "email_change_token_current",
    "phone_change",
    "phone_change_token",
    "reauthentication_token",
];

/// The result of one probe.
enum Verdict {
    Passed(String),
    Failed(String),
    /// Not applicable, with the reason.
    NotApplicable(String),
}

use Verdict::{Failed, NotApplicable, Passed};

/// Runs every probe. `source` is the inventory of the restored snapshot: functions it had must exist.
/// An error means a lost connection; an error from the server is an outcome.
pub async fn probes(session: &Session, source: Option<&Inventory>) -> Result<Vec<ProbeOutcome>> {
    in_transaction(session, async {
        let facts = Facts::read(session).await?;
        let p = &Probe { session, facts };
        let mut found = vec![p.run("auth_admin_reads_users", p.auth_admin_reads_users()).await?];
        for role in ["anon", "authenticated", "service_role"] {
            found.push(p.run(&format!("authenticator_becomes_{role}"), p.authenticator_becomes(role)).await?);
        }
        found.push(p.run("storage_admin_inserts", p.storage_admin_inserts()).await?);
        found.push(p.run("hash_kinds", p.hash_kinds()).await?);
        found.push(p.run("hash_verifies", p.hash_verifies()).await?);
        found.push(p.run("token_columns_not_null", p.token_columns_not_null()).await?);
        found.push(p.run("pgbouncer_get_auth", p.pgbouncer_get_auth(source)).await?);
        Ok(found)
    })
    .await
}

/// Whether this password opens this account, checked like the auth service does. Neither it nor the hash is reported.
pub async fn known_login(session: &Session, email: &str, password: &Secret) -> Result<ProbeOutcome> {
    in_transaction(session, async {
        let facts = Facts::read(session).await?;
        let p = &Probe { session, facts };
        p.run("known_hash_verifies", p.known_hash_verifies(email, password)).await
    })
    .await
}

/// Runs `work` between BEGIN and ROLLBACK, also if it fails.
pub(super) async fn in_transaction<T>(session: &Session, work: impl Future<Output = Result<T>>) -> Result<T> {
    session.execute("BEGIN").await?;
    let limits =
        format!("SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'");
    let done = match session.execute(&limits).await {
        Ok(()) => work.await,
        Err(failure) => Err(failure),
    };
    session.execute("ROLLBACK").await?;
    done
}

/// Whether the server cancelled the statement because of our own time limits.
pub(super) fn took_too_long(failure: &Failure) -> bool {
    failure.is_sqlstate(sqlstate::QUERY_CANCELED) || failure.is_sqlstate(sqlstate::LOCK_NOT_AVAILABLE)
}

/// Facts read before the first probe.
struct Facts {
    read_only: bool,
    superuser: bool,
    has_users: bool,
    has_buckets: bool,
    /// Columns of `auth.users` that this role may read.
    columns: BTreeSet<String>,
    roles: BTreeSet<String>,
    /// Roles that this role may become.
    settable: BTreeSet<String>,
    /// The schema of pgcrypto's own `crypt`.
    crypt_schema: Option<String>,
    /// `SET` or `MEMBER`: the privilege type that `pg_has_role` needs on this server for becoming a role.
    become_word: &'static str,
}

impl Facts {
    async fn read(session: &Session) -> Result<Self> {
        let become_word = if session.version_num >= 160_000 { "SET" } else { "MEMBER" };
        let row = session.one(include_str!("sql/probe_facts.sql"), &[&become_word]).await?;
        let set = |index| Ok::<_, Failure>(get::<Vec<String>>(&row, index)?.into_iter().collect());
        Ok(Self {
            read_only: get(&row, 0)?,
            superuser: get::<Option<bool>>(&row, 1)?.unwrap_or(false),
            has_users: get(&row, 2)?,
            has_buckets: get(&row, 3)?,
            columns: set(4)?,
            roles: set(5)?,
            settable: set(6)?,
            crypt_schema: get(&row, 7)?,
            become_word,
        })
    }

    /// The reason why a probe that acts as `role` does not apply.
    fn cannot_become(&self, role: &str) -> Option<Verdict> {
        if !self.roles.contains(role) {
            return Some(NotApplicable(format!("there is no role {role}")));
        }
        (!self.settable.contains(role)).then(|| NotApplicable(format!("this role may not become {role}")))
    }

    /// The reason why `auth.users` cannot be read.
    fn users_unread(&self, column: &str) -> Option<Verdict> {
        if !self.has_users {
            return Some(NotApplicable("there is no table auth.users".to_string()));
        }
        (!self.columns.contains(column)).then(|| NotApplicable(format!("this role may not read auth.users.{column}")))
    }
}

struct Probe<'a> {
    session: &'a Session,
    facts: Facts,
}

impl Probe<'_> {
    /// Runs one probe in its savepoint.
    async fn run(&self, name: &str, work: impl Future<Output = Result<Verdict>>) -> Result<ProbeOutcome> {
        self.session.execute("SAVEPOINT stacksnap_probe").await?;
        let verdict = work.await;
        self.session.execute("ROLLBACK TO SAVEPOINT stacksnap_probe; RELEASE SAVEPOINT stacksnap_probe").await?;
        let (passed, detail) = match verdict {
            Ok(Passed(detail)) => (Some(true), detail),
            Ok(Failed(detail)) => (Some(false), detail),
            Ok(NotApplicable(why)) => (None, why),
            Err(failure) if failure.kind == FailureKind::Unreachable => return Err(failure),
            Err(failure) if took_too_long(&failure) => (None, "no result: it took too long".to_string()),
            Err(failure) => (Some(false), failure.to_string()),
        };
        Ok(ProbeOutcome { name: name.to_string(), passed, detail })
    }

    /// R35: the auth service works as this role. `row_security` is off, so rows hidden from it are an error.
    async fn auth_admin_reads_users(&self) -> Result<Verdict> {
        const ROLE: &str = "supabase_auth_admin";
        if !self.facts.has_users {
            return Ok(NotApplicable("there is no table auth.users".to_string()));
        }
        if let Some(not_applicable) = self.facts.cannot_become(ROLE) {
            return Ok(not_applicable);
        }
        self.become_role(ROLE).await?;
        let users: i64 = get(&self.session.one("SELECT count(*) FROM auth.users", &[]).await?, 0)?;
        Ok(Passed(format!("{users} users")))
    }

    /// R35: the gateway logs in as `authenticator` and becomes the role of each request.
    async fn authenticator_becomes(&self, role: &str) -> Result<Verdict> {
        for name in ["authenticator", role] {
            if !self.facts.roles.contains(name) {
                return Ok(NotApplicable(format!("there is no role {name}")));
            }
        }
        if self.facts.superuser {
            self.session.execute("SET LOCAL SESSION AUTHORIZATION authenticator").await?;
            self.become_role(role).await?;
            let now: String = get(&self.session.one("SELECT current_user::text", &[]).await?, 0)?;
            return Ok(if now == role {
                Passed("SET ROLE succeeded".to_string())
            } else {
                Failed(format!("SET ROLE gave {now}"))
            });
        }
        let sql = "SELECT pg_catalog.pg_has_role('authenticator', $1::text, $2)";
        let may: bool = get(&self.session.one(sql, &[&role, &self.facts.become_word]).await?, 0)?;
        Ok(if may { Passed("allowed".to_string()) } else { Failed(format!("authenticator is not a member of {role}")) })
    }

    /// R35, R37: the storage service creates a bucket. A user's trigger may act outside the database, which a rollback
    /// cannot undo, so it must not fire. If that cannot be prevented, only the INSERT privilege is checked.
    async fn storage_admin_inserts(&self) -> Result<Verdict> {
        const ROLE: &str = "supabase_storage_admin";
        if !self.facts.has_buckets {
            return Ok(NotApplicable("there is no table storage.buckets".to_string()));
        }
        if let Some(not_applicable) = self.facts.cannot_become(ROLE) {
            return Ok(not_applicable);
        }
        if self.facts.read_only {
            return Ok(NotApplicable("the server is read-only".to_string()));
        }
        let as_replica = self.replica_role().await?;
        let fired = self.bucket_triggers(as_replica).await?;
        self.session.execute("SET LOCAL row_security = on").await?;
        self.become_role(ROLE).await?;
        if !fired.is_empty() {
            let sql = "SELECT pg_catalog.has_table_privilege('storage.buckets', 'INSERT')";
            let may: bool = get(&self.session.one(sql, &[]).await?, 0)?;
            let why = format!("only the privilege was checked: an insert would fire {}", fired.join(", "));
            return Ok(if may { Passed(why) } else { Failed(format!("it has no INSERT on storage.buckets; {why}")) });
        }
        let sql = "INSERT INTO storage.buckets (id, name) SELECT b, b \
                   FROM (SELECT 'stacksnap-probe-' || pg_catalog.md5(pg_catalog.clock_timestamp()::text)) new(b)";
        self.session.execute(sql).await?;
        Ok(Passed("a bucket was made and taken back".to_string()))
    }

    /// Disables triggers within the savepoint, if this role may. Returns whether it did.
    async fn replica_role(&self) -> Result<bool> {
        self.session.execute("SAVEPOINT stacksnap_replica").await?;
        match self.session.execute("SET LOCAL session_replication_role = replica").await {
            Ok(()) => Ok(true),
            Err(failure) if failure.kind == FailureKind::Unreachable => Err(failure),
            Err(_) => {
                self.session.execute("ROLLBACK TO SAVEPOINT stacksnap_replica").await?;
                Ok(false)
            }
        }
    }

    async fn bucket_triggers(&self, as_replica: bool) -> Result<Vec<String>> {
        let states: &[&str] = if as_replica { &["A", "R"] } else { &["O", "A"] };
        let platform: Vec<&str> =
            PLATFORM_TRIGGERS.iter().filter(|(table, _)| *table == "storage.buckets").map(|(_, name)| *name).collect();
        let rows = self.session.rows(include_str!("sql/probe_bucket_triggers.sql"), &[&states, &platform]).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    /// R10: the kinds of password hashes in use.
    async fn hash_kinds(&self) -> Result<Verdict> {
        if let Some(not_applicable) = self.facts.users_unread("encrypted_password") {
            return Ok(not_applicable);
        }
        let rows = self.session.rows(include_str!("sql/probe_hash_kinds.sql"), &[]).await?;
        let counts = rows.iter().map(|row| Ok(format!("{} {}", get::<String>(row, 0)?, get::<i64>(row, 1)?)));
        let counts = counts.collect::<Result<Vec<String>>>()?;
        Ok(Passed(if counts.is_empty() { "no users".to_string() } else { counts.join(", ") }))
    }

    /// R10: the server computes a bcrypt hash with a stored salt, and a wrong password does not match.
    async fn hash_verifies(&self) -> Result<Verdict> {
        let crypt = match self.crypt() {
            Ok(crypt) => crypt,
            Err(not_applicable) => return Ok(not_applicable),
        };
        let sql = format!(
            "SELECT length(c) = 60 AND left(c, 29) = left(h, 29) AND c <> h FROM (SELECT encrypted_password::text AS h, \
             {crypt}('definitely wrong', encrypted_password::text) AS c FROM auth.users \
             WHERE encrypted_password LIKE '$2a$%' LIMIT 1) one"
        );
        let rows = self.session.rows(&sql, &[]).await?;
        let Some(row) = rows.first() else { return Ok(NotApplicable("no user has a $2a$ hash".to_string())) };
        Ok(if get::<Option<bool>>(row, 0)? == Some(true) {
            Passed("a wrong password did not match a stored hash".to_string())
        } else {
            Failed("crypt() did not compute a stored hash as bcrypt".to_string())
        })
    }

    async fn known_hash_verifies(&self, email: &str, password: &Secret) -> Result<Verdict> {
        let crypt = match self.crypt() {
            Ok(crypt) => crypt,
            Err(not_applicable) => return Ok(not_applicable),
        };
        let sql = format!(
            "SELECT encrypted_password LIKE '$2a$%', CASE WHEN encrypted_password LIKE '$2a$%' \
             THEN {crypt}($2::text, encrypted_password::text) = encrypted_password END FROM auth.users WHERE email = $1::text"
        );
        let rows = self.session.rows(&sql, &[&email, &password.reveal()]).await?;
        let mut kinds = Vec::new();
        for row in &rows {
            kinds.push(get::<Option<bool>>(row, 0)? == Some(true));
            if get::<Option<bool>>(row, 1)? == Some(true) {
                return Ok(Passed("the password opens the account".to_string()));
            }
        }
        Ok(match kinds.as_slice() {
            [] => Failed("there is no user with that address".to_string()),
            kinds if kinds.iter().all(|bcrypt| !bcrypt) => NotApplicable("its hash is not $2a$ bcrypt".to_string()),
            _ => Failed("the password does not open the account".to_string()),
        })
    }

    /// pgcrypto's own function. A user's function with the same name is never called.
    fn crypt(&self) -> Result<String, Verdict> {
        if let Some(not_applicable) = self.facts.users_unread("encrypted_password") {
            return Err(not_applicable);
        }
        let schema = self.facts.crypt_schema.as_deref();
        let schema = schema.ok_or_else(|| NotApplicable("the extension pgcrypto is not installed".to_string()))?;
        Ok(format!("{}.crypt", ident(schema)))
    }

    async fn token_columns_not_null(&self) -> Result<Verdict> {
        if let Some(not_applicable) = self.facts.users_unread("id") {
            return Ok(not_applicable);
        }
        let columns: Vec<&str> = TOKEN_COLUMNS.into_iter().filter(|c| self.facts.columns.contains(*c)).collect();
        if columns.is_empty() {
            return Ok(NotApplicable("auth.users has no token column that this role may read".to_string()));
        }
        let counts: Vec<String> = columns.iter().map(|c| format!("count(*) - count({})", ident(c))).collect();
        let row = self.session.one(&format!("SELECT {} FROM auth.users", counts.join(", ")), &[]).await?;
        let mut bad = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let nulls: i64 = get(&row, index)?;
            if nulls > 0 {
                bad.push(format!("{column} is NULL for {nulls}"));
            }
        }
        Ok(if bad.is_empty() {
            Passed(format!("{} columns", columns.len()))
        } else {
            Failed(format!("these users cannot log in: {}", bad.join(", ")))
        })
    }

    /// R35: the pooler reads verifiers through this function; a naive restore drops it.
    async fn pgbouncer_get_auth(&self, source: Option<&Inventory>) -> Result<Verdict> {
        let named = |i: &Inventory| {
            i.of_kind(ObjectKind::Function).map(|o| o.identity.clone()).find(|n| n.starts_with("pgbouncer.get_auth("))
        };
        let Some(identity) = source.and_then(named) else {
            return Ok(NotApplicable("the source has no function pgbouncer.get_auth".to_string()));
        };
        let may = if self.facts.roles.contains("pgbouncer") {
            "pg_catalog.has_schema_privilege('pgbouncer', 'pgbouncer', 'USAGE') \
             AND pg_catalog.has_function_privilege('pgbouncer', f.oid, 'EXECUTE')"
        } else {
            "true"
        };
        let sql = format!(
            "SELECT {may} FROM (SELECT pg_catalog.to_regprocedure({}) AS oid) f WHERE f.oid IS NOT NULL",
            literal(&identity)
        );
        let rows = self.session.rows(&sql, &[]).await?;
        let Some(row) = rows.first() else { return Ok(Failed(format!("there is no function {identity}"))) };
        Ok(if get(row, 0)? { Passed(identity) } else { Failed(format!("pgbouncer may not call {identity}")) })
    }

    async fn become_role(&self, role: &str) -> Result<()> {
        self.session.execute(&format!("SET LOCAL ROLE {}", ident(role))).await
    }
}

/// A column of a row; an unexpected type is an error, never a panic.
pub(super) fn get<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, index: usize) -> Result<T> {
    row.try_get(index).map_err(|error| anyhow::Error::new(error).into())
}
