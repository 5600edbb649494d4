//! `tenant classify`, `tenant list`, `tenant check`: what each gives back.
//!
//! Invariant: see the module above. `check` says `sums_up` only after it was asserted for every table that has owners.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Reading, TenantRequest};
use crate::model::failure::Result;
use crate::model::tenancy::{Class, Root, Tenancy};
use crate::tenant::count::{self, TableCount, Tenant};
use crate::tenant::leaks::{self, Leak};

/// What makes `check` end with 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    Leak,
    Ambiguous,
}

/// The class of every table.
pub async fn classify(request: &TenantRequest) -> Result<Tenancy> {
    let reading = Reading::open(request).await?;
    let tenancy = reading.decide(&request.settings).await?;
    reading.prove(&tenancy).await?;
    Ok(tenancy)
}

/// The tenants with their rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListReport {
    pub root: Root,
    /// By id.
    pub tenants: Vec<TenantRows>,
    /// Owners that are no tenants, by id: rows of tenants that went.
    pub unknown: Vec<TenantRows>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantRows {
    #[serde(flatten)]
    pub tenant: Tenant,
    pub rows: u64,
    /// By table, as schema.table.
    pub tables: BTreeMap<String, u64>,
}

impl TenantRows {
    fn new(tenant: Tenant) -> Self {
        Self { tenant, rows: 0, tables: BTreeMap::new() }
    }
}

/// Counts the rows of every tenant.
pub async fn list(request: &TenantRequest) -> Result<ListReport> {
    let reading = Reading::open(request).await?;
    let tenancy = reading.decide(&request.settings).await?;
    reading.demand_all_rows(&tenancy, true)?;
    reading.prove(&tenancy).await?;
    let session = &reading.session;
    let query = count::tenants_sql(session, &tenancy, request.settings.tenants_query.as_deref()).await?;
    let listed = match &query {
        Some(query) => count::tenants(session, query).await?,
        None => Vec::new(),
    };
    let mut known: BTreeMap<String, TenantRows> =
        listed.into_iter().map(|t| (t.id.clone(), TenantRows::new(t))).collect();
    let mut unknown: BTreeMap<String, TenantRows> = BTreeMap::new();
    for table in tenancy.tables.iter().filter(|t| t.class.is_owned()) {
        for (owner, rows) in count::rows_by_owner(session, &reading.relations, &tenancy, &table.table).await? {
            let new = || TenantRows::new(Tenant { id: owner.clone(), label: None });
            let of = match known.get_mut(&owner) {
                Some(of) => of,
                None if query.is_none() => known.entry(owner.clone()).or_insert_with(new),
                None => unknown.entry(owner.clone()).or_insert_with(new),
            };
            of.rows += rows;
            of.tables.insert(table.table.plain(), rows);
        }
    }
    Ok(ListReport {
        root: tenancy.root,
        tenants: known.into_values().collect(),
        unknown: unknown.into_values().collect(),
    })
}

/// Every table in numbers, and what points into another tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub root: Root,
    pub tenants: u64,
    /// Of each table that has owners: the sum of all tenants and what has no owner is the table.
    pub sums_up: bool,
    pub tables: Vec<CheckedTable>,
    pub leaks: Vec<Leak>,
    pub ambiguous: Vec<super::detect::Open>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedTable {
    #[serde(flatten)]
    pub count: TableCount,
    pub owner_path: String,
    pub recursive: bool,
    /// The tenant column is verified by no foreign key.
    pub unverified: bool,
    /// Rows that point into another tenant.
    pub leaked: u64,
}

impl CheckReport {
    /// Does it hold what `--fail-on` names?
    pub fn fails(&self, on: &[FailOn]) -> bool {
        on.iter().any(|on| match on {
            FailOn::Leak => !self.leaks.is_empty() || self.tables.iter().any(|t| t.count.conflicts > 0),
            FailOn::Ambiguous => !self.ambiguous.is_empty(),
        })
    }
}

/// Counts every table.
pub async fn check(request: &TenantRequest) -> Result<CheckReport> {
    let reading = Reading::open(request).await?;
    let tenancy = reading.decide(&request.settings).await?;
    reading.demand_all_rows(&tenancy, false)?;
    reading.prove(&tenancy).await?;
    let (session, relations) = (&reading.session, &reading.relations);
    let query = count::tenants_sql(session, &tenancy, request.settings.tenants_query.as_deref()).await?;
    let mut tenants = match &query {
        Some(query) => session
            .one(&format!("SELECT count(*) FROM ({query}) q"), &[])
            .await?
            .try_get::<_, i64>(0)
            .map_err(anyhow::Error::new)?
            .unsigned_abs(),
        None => 0,
    };
    let (mut tables, mut leaks) = (Vec::new(), Vec::new());
    for table in tenancy.tables.iter().filter(|t| t.class != Class::Excluded) {
        let count = count::count(session, relations, &tenancy, &table.table, query.as_deref()).await?;
        for (reference, rows) in &count.leaks {
            leaks.push(leaks::leak(session, relations, &tenancy, *reference, *rows).await?);
        }
        if query.is_none() {
            // Nobody lists them: at least as many as the table with most of them has.
            tenants = tenants.max(count.tenants);
        }
        tables.push(CheckedTable {
            owner_path: tenancy.path_text(table),
            recursive: table.circle.is_some(),
            unverified: table.column.as_ref().is_some_and(|c| !c.verified),
            leaked: count.leaks.iter().map(|(_, rows)| rows).sum(),
            count,
        });
    }
    let ambiguous = tenancy.of_class(Class::Ambiguous);
    let ambiguous = ambiguous.map(|t| super::detect::Open { table: t.table.clone(), why: t.why.clone() }).collect();
    // `count` ends with an error for a table that does not sum up.
    Ok(CheckReport { root: tenancy.root, tenants, sums_up: true, tables, leaks, ambiguous })
}
