//! What may be missing after a restore: into an empty database everything that cannot be created, in place what
//! `--leave-out` names.
//!
//! Invariant: a name is an object of the snapshot, or the request is refused before anything is written. Nothing is
//! left out because the server ran out of a resource: that is not the object's fault.

use super::refusals::Refusal;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::model::inventory::{CatalogObject, Inventory};
use crate::model::left_out::{Instead, LeftOut, TABLE_DATA};
use crate::model::name::{QualifiedName, visible};
use crate::model::object_kind::ObjectKind;
use crate::model::restore::{ObjectName, RestorePlan, RestoreRequest, TargetKind};
use crate::model::sqlstate::SqlState;
use crate::restore::target::belongs::belongs;
use crate::restore::target::scope::Scope;

const CHECK: ObjectKind = ObjectKind::CheckConstraint;

/// What a restore may leave out.
#[derive(Debug, Clone, Default)]
pub struct MayLack {
    anything: bool,
    /// CHECK constraints that existing rows violate are created NOT VALID.
    checks_not_valid: bool,
    named: Vec<ObjectName>,
}

impl MayLack {
    /// Into an empty database: whatever cannot be created. Anywhere else: what the plan names.
    pub fn new(plan: &RestorePlan, scope: &Scope, request: &RestoreRequest) -> Self {
        let empty = matches!(scope.kind, TargetKind::Bare | TargetKind::FreshProject);
        Self {
            anything: empty && scope.is_whole() && !scope.untrusted,
            checks_not_valid: request.checks_not_valid,
            named: plan.leave_out.clone(),
        }
    }

    /// May it be created NOT VALID because validating it failed?
    pub fn not_valid(&self, object: &ObjectName, refusal: &Refusal) -> bool {
        let of_the_server = refusal.sqlstate.is_none_or(|s| s.is_of_the_server());
        self.object(object) || (self.checks_not_valid && object.kind == CHECK && !of_the_server)
    }

    pub fn object(&self, object: &ObjectName) -> bool {
        self.anything || self.named.contains(object)
    }

    /// May this object be missing, either by itself or because its cause may be?
    pub fn allows(&self, one: &LeftOut) -> bool {
        let own = self.object(&one.object) || one.because_of.as_ref().is_some_and(|cause| self.object(cause));
        let table_of_rows =
            one.object.kind == TABLE_DATA && self.named.iter().any(|o| is_table(o, &one.object.identity));
        let of_the_server = one.sqlstate.as_deref().and_then(SqlState::parse).is_some_and(|s| s.is_of_the_server());
        let unproved = self.checks_not_valid && one.object.kind == CHECK && one.instead == Instead::NotValid;
        (own || table_of_rows || unproved) && !of_the_server
    }

    /// May rows of this table be loaded around whatever refuses them? True if the table, its rows or one of its
    /// constraints may be missing.
    pub fn rows_of(&self, table: &QualifiedName, inventory: &Inventory) -> bool {
        let is_of = |o: &CatalogObject| {
            self.named.contains(&ObjectName::of(o)) && (belongs(o, table) || o.identity.contains(" on domain "))
        };
        let is_check = |o: &CatalogObject| o.kind == CHECK && (belongs(o, table) || o.identity.contains(" on domain "));
        self.anything
            || (self.checks_not_valid && inventory.objects.iter().any(is_check))
            || (!self.named.is_empty()
                && (self.named.iter().any(|o| o.kind == TABLE_DATA && o.identity == identity(table, inventory))
                    || inventory.objects.iter().any(is_of)))
    }
}

fn is_table(object: &ObjectName, identity: &str) -> bool {
    object.kind == ObjectKind::Table && object.identity == identity
}

/// The table's name as the inventory writes it.
pub fn identity(table: &QualifiedName, inventory: &Inventory) -> String {
    let own = |o: &&CatalogObject| belongs(o, table);
    inventory.of_kind(ObjectKind::Table).find(own).map_or_else(|| table.sql(), |o| o.identity.clone())
}

/// Resolves the names given to `--leave-out`.
pub fn resolve(names: &[String], inventory: &Inventory) -> Result<Vec<ObjectName>> {
    let mut found: Vec<ObjectName> =
        names.iter().map(|name| resolve_one(name.trim(), inventory)).collect::<Result<_>>()?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn resolve_one(name: &str, inventory: &Inventory) -> Result<ObjectName> {
    let all = || inventory.objects.iter().map(ObjectName::of);
    if let Some(object) = all().find(|o| o.to_string() == name) {
        return Ok(object);
    }
    if let Some(identity) = name.strip_prefix(&format!("{TABLE_DATA} "))
        && inventory.of_kind(ObjectKind::Table).any(|o| o.identity == identity)
    {
        return Ok(ObjectName { kind: TABLE_DATA, identity: identity.into() });
    }
    let text = format!("--leave-out: the snapshot has no object {}", visible(name));
    let failure = Failure::msg(FailureKind::Usage, text);
    // Take the longest match: a CHECK's identity contains its table's.
    let alike = all().filter(|o| o.identity == name || name.ends_with(&format!(" {}", o.identity)));
    let ends_alike = alike.max_by_key(|o| o.identity.len());
    Err(match ends_alike {
        Some(object) => failure.hint(format!("did you mean --leave-out '{}'?", visible(&object.to_string()))),
        None => failure.hint(
            "write the kind and the name, as in the error message and in inventory.json: \
             'INDEX public.orders_idx', 'CHECK CONSTRAINT positive on public.orders', 'TABLE DATA public.orders'",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    #[test]
    fn names_are_those_of_the_snapshot() {
        let objects = vec![object("TABLE", "public.t", ""), object("CHECK CONSTRAINT", "c on public.t", "")];
        let inventory = Inventory { objects, ..Inventory::default() };
        let names = |text: &str| resolve(&[text.to_string()], &inventory);
        assert_eq!(names("CHECK CONSTRAINT c on public.t").unwrap()[0].to_string(), "CHECK CONSTRAINT c on public.t");
        assert_eq!(names(" TABLE DATA public.t ").unwrap()[0].kind, TABLE_DATA);
        let wrong = names("CONSTRAINT c on public.t").unwrap_err();
        assert_eq!(wrong.kind, FailureKind::Usage);
        assert!(wrong.hints[0].contains("'CHECK CONSTRAINT c on public.t'"), "{:?}", wrong.hints);
        assert!(names("INDEX public.i").is_err() && names("TABLE DATA public.u").is_err() && names("").is_err());
    }

    #[test]
    fn a_server_that_is_short_of_something_excuses_nothing() {
        let named = vec![ObjectName { kind: "INDEX".into(), identity: "public.i".into() }];
        let may = MayLack { named: named.clone(), ..MayLack::default() };
        let one = |state: &str| LeftOut {
            object: named[0].clone(),
            instead: crate::model::left_out::Instead::Missing,
            because_of: None,
            sqlstate: Some(state.into()),
            said: String::new(),
            security: false,
        };
        assert!(may.allows(&one("42883")) && !may.allows(&one("53100")));
        assert!(!MayLack::default().allows(&one("42883")));
    }
}
