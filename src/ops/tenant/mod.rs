//! `tenant`: who the tenants are, whose every table is, who has how many rows, and whose row points into another's.
//!
//! Invariant: one transaction, REPEATABLE READ and READ ONLY, so everything is of one instant and nothing is written. A
//! role that would not see every row is refused before anything is counted: numbers that leave rows out are no proof.

mod detect;
mod report;

pub use detect::{Detected, detect};
pub use report::{CheckReport, FailOn, ListReport, TenantRows, check, classify, list};

use std::time::Duration;

use crate::model::connection::ConnSpec;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::{QualifiedName, literal, shell, visible};
use crate::model::relations::Relations;
use crate::model::tenancy::{Class, Root, Tenancy};
use crate::model::tenant_settings::TenantSettings;
use crate::pg::catalog::relations::{Unreadable, not_readable, relations};
use crate::pg::session::Session;
use crate::tenant::{candidates, classify as classes, evidence, roots};

/// What is asked.
#[derive(Debug)]
pub struct TenantRequest {
    pub source: ConnSpec,
    pub settings: TenantSettings,
    /// How long to wait for a locked table.
    pub lock_wait: Duration,
}

/// The transaction that everything is read in.
struct Reading {
    session: Session,
    relations: Relations,
    /// What this role cannot read whole.
    hidden: Vec<(QualifiedName, Unreadable)>,
    role: String,
}

impl Reading {
    async fn open(request: &TenantRequest) -> Result<Self> {
        let session = Session::open(&request.source, "stacksnap tenant").await?;
        let wait = literal(&format!("{}ms", request.lock_wait.as_millis()));
        session
            .execute(&format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL lock_timeout = {wait}; SET LOCAL jit = off"
            ))
            .await?;
        let relations = relations(&session).await?;
        let oids: Vec<u32> = relations.tables.iter().map(|t| t.oid).collect();
        let hidden = not_readable(&session, &oids).await?;
        let row = session.one("SELECT current_user::text", &[]).await?;
        let role = row.try_get(0).map_err(anyhow::Error::new)?;
        Ok(Self { session, relations, hidden, role })
    }

    fn hidden_names(&self) -> Vec<QualifiedName> {
        self.hidden.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The candidates, with what their values say.
    async fn candidates(&self, settings: &TenantSettings) -> Result<Vec<candidates::Candidate>> {
        let mut found = candidates::candidates(&self.relations, &settings.columns);
        evidence::measure(&self.session, &self.relations, &mut found, &self.hidden_names()).await?;
        found.retain(candidates::is_likely);
        candidates::sort(&mut found);
        Ok(found)
    }

    /// The root of the configuration, else the likeliest one.
    async fn root(&self, settings: &TenantSettings) -> Result<Root> {
        let said = settings.root.is_some() || settings.tenants_query.is_some();
        let found = if said { Vec::new() } else { self.candidates(settings).await? };
        roots::root(&self.relations, settings, &found)
    }

    async fn decide(&self, settings: &TenantSettings) -> Result<Tenancy> {
        let root = self.root(settings).await?;
        self.decide_with(&root, settings).await
    }

    async fn decide_with(&self, root: &Root, settings: &TenantSettings) -> Result<Tenancy> {
        let files = evidence::stored_files(&self.session, &self.relations, &self.hidden_names()).await?;
        classes::classify(&self.relations, root, settings, files)
    }

    /// Refuses where the role does not see all rows of the tables that are counted.
    fn demand_all_rows(&self, tenancy: &Tenancy, owned_only: bool) -> Result<()> {
        let counted = |name: &QualifiedName| {
            tenancy
                .table(name)
                .is_some_and(|t| if owned_only { t.class.is_owned() } else { t.class != Class::Excluded })
        };
        let lacking: Vec<_> = self.hidden.iter().filter(|(name, _)| counted(name)).collect();
        let Some((first, _)) = lacking.first() else { return Ok(()) };
        let list = |why: Unreadable| {
            let names: Vec<String> =
                lacking.iter().filter(|(_, w)| *w == why).map(|(n, _)| visible(&n.plain())).collect();
            names.join(", ")
        };
        let mut parts = Vec::new();
        for (why, words) in
            [(Unreadable::Privilege, "has no SELECT on"), (Unreadable::RowSecurity, "is held back by row security on")]
        {
            let names = list(why);
            if !names.is_empty() {
                parts.push(format!("{words} {names}"));
            }
        }
        let text = format!("the role {} does not see every row: it {}", visible(&self.role), parts.join(", and "));
        let mut failure = Failure::msg(FailureKind::Denied, text);
        let role = crate::model::name::ident(&self.role);
        if lacking.iter().any(|(_, why)| *why == Unreadable::Privilege) {
            let first = lacking.iter().find(|(_, w)| *w == Unreadable::Privilege).map_or(first, |(n, _)| n);
            let (schema, table) = (crate::model::name::ident(&first.schema), first.sql());
            failure = failure.hint(format!(
                "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON {table} TO {role}; and so on"
            ));
        }
        if lacking.iter().any(|(_, why)| *why == Unreadable::RowSecurity) {
            failure = failure
                .hint(format!("as a superuser: ALTER ROLE {role} BYPASSRLS; or read as a role that has it: --db-url"));
        }
        Err(failure)
    }

    /// Counts only what cannot be counted twice.
    async fn prove(&self, tenancy: &Tenancy) -> Result<()> {
        evidence::prove(&self.session, &self.relations, &tenancy.references).await
    }
}

/// Said where the root was only found.
pub fn unconfirmed(root: &Root) -> Option<String> {
    let table = root.table.as_ref().filter(|_| !root.confirmed)?;
    let shown = shell(&table.plain());
    Some(format!(
        "the root {} was found, not confirmed: stacksnap tenant detect --write-config writes it down",
        visible(&shown)
    ))
}
