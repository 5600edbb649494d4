//! References between tables: declared foreign keys, and those of the configuration, which have to be proved.
//!
//! Invariant: the parent's side of a reference is unique, else a row could be counted twice: by a unique index, or by
//! counting (`unproved` says where that is needed). Names come from the catalogs.

use super::roots::{known_column, known_table};
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::name::visible;
use crate::model::relations::{ForeignKey, Relation, Relations};
use crate::model::tenancy::{JoinColumn, Reference, ReferenceKind};
use crate::model::tenant_settings::{Operand, TenantSettings, VirtualReference};

/// All of them, the configuration's last.
pub fn references(relations: &Relations, settings: &TenantSettings) -> Result<Vec<Reference>> {
    let mut found: Vec<Reference> = relations.foreign_keys.iter().map(|fk| declared(relations, fk)).collect();
    for reference in &settings.references {
        found.push(virtual_one(relations, reference)?);
    }
    Ok(found)
}

fn declared(relations: &Relations, fk: &ForeignKey) -> Reference {
    let child = relations.table(&fk.child);
    let not_null = |column: &String| child.and_then(|t| t.column(column)).is_some_and(|c| c.not_null);
    let primary = child.and_then(Relation::primary_key);
    let columns = fk.columns.iter().zip(&fk.parent_columns).zip(&fk.operators);
    Reference {
        kind: ReferenceKind::ForeignKey,
        name: fk.name.clone(),
        child: fk.child.clone(),
        parent: fk.parent.clone(),
        columns: columns
            .map(|((child, parent), operator)| JoinColumn {
                child: child.clone(),
                parent: parent.clone(),
                operator: operator.clone(),
                child_as_text: false,
                parent_as_text: false,
            })
            .collect(),
        when: Vec::new(),
        not_null: fk.columns.iter().all(not_null),
        on_delete_cascade: fk.on_delete_cascade,
        identifying: primary.is_some_and(|key| fk.columns.iter().all(|c| key.columns.contains(c))),
        trusted: fk.trusted,
        recursive: false,
    }
}

fn virtual_one(relations: &Relations, given: &VirtualReference) -> Result<Reference> {
    let child = known_table(relations, "references", &given.table)?;
    let parent = known_table(relations, "references", &given.parent)?;
    for condition in &given.when {
        known_column(child, "references", &condition.column)?;
    }
    let mut columns = Vec::new();
    for equality in &given.on {
        known_column(child, "references", &equality.child.column)?;
        known_column(parent, "references", &equality.parent.column)?;
        let families = (family(child, &equality.child), family(parent, &equality.parent));
        if families.0.is_none() || families.0 != families.1 {
            let (p, t) = (visible(&equality.parent.column), visible(&equality.child.column));
            let text = format!(
                "[projects.NAME.tenants] references: {}.{t} and {}.{p} are of types that do not compare",
                visible(&given.table.plain()),
                visible(&given.parent.plain())
            );
            return Err(Failure::msg(FailureKind::Configuration, text)
                .hint(format!("compare them as texts: p.\"{p}\"::text = t.\"{t}\"::text")));
        }
        columns.push(JoinColumn {
            child: equality.child.column.clone(),
            parent: equality.parent.column.clone(),
            operator: "OPERATOR(pg_catalog.=)".to_string(),
            child_as_text: equality.child.as_text,
            parent_as_text: equality.parent.as_text,
        });
    }
    let filled = columns.iter().all(|c| child.column(&c.child).is_some_and(|c| c.not_null));
    Ok(Reference {
        kind: ReferenceKind::Virtual,
        name: "virtual".to_string(),
        child: given.table.clone(),
        parent: given.parent.clone(),
        columns,
        not_null: filled && given.when.is_empty(),
        when: given.when.clone(),
        on_delete_cascade: false,
        identifying: false,
        trusted: false,
        recursive: false,
    })
}

fn family<'r>(table: &'r Relation, operand: &Operand) -> Option<&'r str> {
    if operand.as_text { Some("text") } else { table.column(&operand.column)?.text_family.as_deref() }
}

/// Is the parent's side unique by an index? A text stands for its value only where types say so.
pub fn is_proved(relations: &Relations, reference: &Reference) -> bool {
    let Some(parent) = relations.table(&reference.parent) else { return false };
    let exact =
        |c: &&JoinColumn| !c.parent_as_text || parent.column(&c.parent).is_some_and(|c| c.text_family.is_some());
    let columns: Vec<&str> = reference.columns.iter().filter(exact).map(|c| c.parent.as_str()).collect();
    parent.is_unique(&columns)
}

/// Those of the configuration whose parent's values have to be counted.
pub fn unproved<'r>(relations: &Relations, references: &'r [Reference]) -> Vec<&'r Reference> {
    references.iter().filter(|r| r.kind == ReferenceKind::Virtual && !is_proved(relations, r)).collect()
}
