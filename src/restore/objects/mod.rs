//! The objects of a target made equal to the snapshot's: what differs, what is dropped, made, altered and set.
//!
//! Invariant: matched by kind and identity, compared by definition and owner; a statement is never believed, the
//! inventory is read again after each pass (`converge`). It writes no rows.

pub(crate) mod constraint;
pub(crate) mod converge;
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
pub(crate) mod put_right;
pub(crate) mod replace;
pub(crate) mod roles;
pub(crate) mod take_away;
pub(crate) mod unwritten;
