//! `tenant detect`: every candidate with what speaks for it, and the block that would freeze the choice.
//!
//! Invariant: it proposes only what it has seen, and what is open stays open: the block holds no guess about whose an
//! ambiguous table is.

use serde::Serialize;

use super::{Reading, TenantRequest};
use crate::model::failure::Result;
use crate::model::relations::Relations;
use crate::model::tenancy::{Class, Root, Tenancy};
use crate::model::tenant_settings::TenantSettings;
use crate::tenant::candidates::Candidate;
use crate::tenant::evidence::{self, BucketGuess, ReferenceGuess};
use crate::tenant::roots;

/// Columns that say when a row was changed.
const CHANGED: [&str; 5] = ["updated_at", "modified_at", "atualizado_em", "mis_a_jour_le", "last_modified"];

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detected {
    pub root: Root,
    /// The likeliest first.
    pub candidates: Vec<Candidate>,
    /// How many tables are of each class.
    pub classes: Vec<ClassCount>,
    pub storage: Vec<BucketGuess>,
    pub references: Vec<ReferenceGuess>,
    /// Tables of which a person has to say whose they are, and why.
    pub ambiguous: Vec<Open>,
    #[serde(skip)]
    pub block: TenantSettings,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    pub class: Class,
    pub tables: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Open {
    pub table: crate::model::name::QualifiedName,
    pub why: String,
}

/// Looks.
pub async fn detect(request: &TenantRequest) -> Result<Detected> {
    let reading = Reading::open(request).await?;
    let settings = &request.settings;
    let hidden = reading.hidden_names();
    let (session, relations) = (&reading.session, &reading.relations);
    let candidates = reading.candidates(settings).await?;
    let root = roots::root(relations, settings, &candidates)?;
    let given = reading.decide_with(&root, settings).await?;
    let by_owner = given.tables.iter().any(|t| !t.storage.is_empty());
    let buckets = if by_owner { Vec::new() } else { evidence::buckets(session, relations, &root, &hidden).await? };
    let open = |name: &crate::model::name::QualifiedName| {
        given.table(name).is_some_and(|t| t.class != Class::Excluded && !t.certain)
            && !settings.references.iter().any(|r| &r.table == name)
            && !settings.shared_tables.contains(name)
    };
    let mut references = evidence::polymorphic(session, relations, &hidden, open).await?;
    references.retain(|guess| given.is_owned(&guess.parent));
    let mut block = TenantSettings {
        references: settings.references.clone(),
        storage: settings.storage.clone(),
        ..settings.clone()
    };
    block.storage.extend(buckets.iter().map(|guess| (guess.bucket.clone(), guess.rule.clone())));
    block.references.extend(references.iter().filter(|guess| guess.likely).map(|guess| guess.reference.clone()));
    let decided = reading.decide_with(&root, &block).await?;
    reading.prove(&decided).await?;
    fill(&mut block, relations, &root, &candidates, &decided);
    let classes = Class::ALL.map(|class| ClassCount { class, tables: decided.of_class(class).count() as u64 });
    let ambiguous = decided.of_class(Class::Ambiguous).map(|t| Open { table: t.table.clone(), why: t.why.clone() });
    Ok(Detected {
        ambiguous: ambiguous.collect(),
        classes: classes.to_vec(),
        root,
        candidates,
        storage: buckets,
        references,
        block,
    })
}

/// The rest of the block: the root, and what hangs on it.
fn fill(block: &mut TenantSettings, relations: &Relations, root: &Root, candidates: &[Candidate], decided: &Tenancy) {
    block.root = root.table.clone();
    block.key = root.key.clone();
    block.label = root.label.clone();
    block.membership = root.membership.clone();
    if block.columns.is_empty()
        && let Some(found) = candidates.iter().find(|c| Some(&c.table) == root.table.as_ref())
    {
        block.columns = found.columns.clone();
        // Names that only rows speak for.
        let by_value =
            found.unlinked.iter().filter(|u| u.values.is_some_and(crate::tenant::candidates::Hits::are_enough));
        for unlinked in by_value {
            if !block.columns.contains(&unlinked.column) {
                block.columns.push(unlinked.column.clone());
            }
        }
    }
    if block.shared_tables.is_empty() {
        block.shared_tables = decided.of_class(Class::Shared).map(|t| t.table.clone()).collect();
    }
    if block.changed_column.is_none() {
        let owned = || decided.tables.iter().filter(|t| t.class.is_owned()).filter_map(|t| relations.table(&t.table));
        let carries =
            |name: &&&str| owned().any(|t| t.column(name).is_some_and(|c| c.type_name.starts_with("timestamp")));
        block.changed_column = CHANGED.iter().find(carries).map(|name| (*name).to_string());
    }
}
