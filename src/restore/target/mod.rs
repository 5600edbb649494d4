//! What a restore knows about its target before it plans or writes: facts, rights, scope, services, locks.
//!
//! Invariant: everything here only reads the target.

pub(crate) mod belongs;
pub(crate) mod built_on;
pub(crate) mod libraries;
pub(crate) mod locks;
pub(crate) mod other_platform;
pub mod scope;
pub(crate) mod services;
pub(crate) mod state;
pub(crate) mod versions;
pub(crate) mod waiting;
