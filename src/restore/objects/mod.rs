//! Makes the target's objects equal to the snapshot's: compares them, then drops, creates, alters and sets what
//! differs.
//!
//! Invariant: objects are matched by kind and identity, compared by definition and owner. No statement is trusted: each
//! pass reads the inventory again (`converge` has a worked example). It writes no rows.

pub(crate) mod attributes;
pub(crate) mod constraint;
pub(crate) mod converge;
pub(crate) mod default_acls;
pub(crate) mod defaults;
pub(crate) mod delta;
pub(crate) mod domains;
pub(crate) mod drop;
pub(crate) mod extensions;
pub(crate) mod invalid_indexes;
pub(crate) mod made_roles;
pub(crate) mod members;
pub(crate) mod overloads;
pub(crate) mod own_settings;
pub(crate) mod partitions;
pub(crate) mod removal;
pub(crate) mod replace;
pub(crate) mod roles;
