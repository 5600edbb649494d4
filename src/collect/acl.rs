//! ACLs as a state: objects grouped by equal ACLs, and the DO block that makes a target equal to them.
//!
//! Invariant (R6, R32): an ACL is the full list of (grantee, grantor, privileges), never a difference; applying it
//! revokes everything else. The owner is written as `pg_object_owner` (no role can have that name) and PUBLIC as
//! `public`, so the same state fits a target whose objects have another owner.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::do_block::do_block;
use crate::model::failure::{Failure, FailureKind, Result};
use crate::pg::session::Row;

const APPLY: &str = include_str!("sql/acl_apply.sql");

/// The order in which groups are applied: kind, whether they are members of extensions, their owner, the ACL as text.
type GroupKey = (usize, bool, Option<String>, Option<String>);

/// The objects with their ACLs, grouped.
#[derive(Default)]
pub struct AclState {
    groups: BTreeMap<GroupKey, Vec<Value>>,
    kinds: Vec<String>,
    /// Explicit privileges: one for each object, grantee and privilege.
    pub grants: u64,
}

impl AclState {
    /// Adds one object. `name` has one element, or a table and its column. `acl` is JSON as `sql/acl_state.sql` returns
    /// it.
    pub fn add(&mut self, kind: &str, name: &[String], acl: Option<String>) -> Result<()> {
        self.add_object(kind, name, false, None, acl)
    }

    fn add_object(
        &mut self,
        kind: &str,
        name: &[String],
        optional: bool,
        owner: Option<String>,
        acl: Option<String>,
    ) -> Result<()> {
        let rank = match self.kinds.iter().position(|k| k == kind) {
            Some(rank) => rank,
            None => {
                self.kinds.push(kind.to_string());
                self.kinds.len() - 1
            }
        };
        if let Some(text) = &acl {
            self.grants += privileges(text)?;
        }
        let object = if let [one] = name { json!(one) } else { json!(name) };
        self.groups.entry((rank, optional, owner, acl)).or_default().push(object);
        Ok(())
    }

    /// Adds the rows of a query with the columns kind, name, optional, owner, acl.
    pub fn add_rows(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let name: Vec<String> = row.get("name");
            self.add_object(row.get("kind"), &name, row.get("optional"), row.get("owner"), row.get("acl"))?;
        }
        Ok(())
    }

    /// The statement that makes the grants of all added objects equal to the state.
    pub fn statement(&self, server_version: u32) -> Result<String> {
        let mut groups = Vec::new();
        for ((rank, optional, owner, acl), objects) in &self.groups {
            let acl: Value = match acl {
                Some(text) => parse(text)?,
                None => Value::Null,
            };
            groups.push(json!({
                "kind": self.kinds[*rank], "optional": optional, "owner": owner, "acl": acl, "objects": objects,
            }));
        }
        Ok(do_block(APPLY, &json!({"server": server_version, "groups": groups})))
    }
}

fn parse(acl: &str) -> Result<Value> {
    serde_json::from_str(acl).map_err(|e| Failure::new(FailureKind::Failed, e).context("the grants of an object"))
}

fn privileges(acl: &str) -> Result<u64> {
    let entries = parse(acl)?;
    let count = |entry: &Value| entry[2].as_str().map_or(0, |list| list.split(',').count() as u64);
    Ok(entries.as_array().map_or(0, |list| list.iter().map(count).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_with_the_same_grants_are_one_group() {
        let mut state = AclState::default();
        let acl = Some(r#"[["anon", "pg_object_owner", "INSERT,SELECT*"]]"#.to_string());
        for name in ["public.a", "public.b"] {
            state.add("relation", &[name.to_string()], acl.clone()).unwrap();
        }
        state.add("column", &["public.a".to_string(), "x".to_string()], acl).unwrap();
        state.add("relation", &["public.c".to_string()], None).unwrap();
        assert_eq!(state.grants, 6);
        let sql = state.statement(150_018).unwrap();
        assert!(sql.contains(r#""objects":["public.a","public.b"]"#), "{sql}");
        assert!(sql.contains(r#""objects":[["public.a","x"]]"#), "{sql}");
    }
}
