//! The only module that speaks the PostgreSQL protocol: connecting, sessions on one exported snapshot, catalog queries.
//!
//! Invariant: every session pins the settings that affect text (time zone, date style, search_path, …), never writes to
//! a source, and never prints or logs a password. It knows objects and rows, not the parts of a snapshot.

pub mod catalog;
pub mod census;
pub mod certificate;
pub mod computed;
pub mod connect;
pub mod copy;
pub mod exported;
pub mod hints;
pub mod locks;
pub mod meaning;
pub mod probe_rls;
pub mod probes;
mod pulse;
pub mod rows;
pub mod session;
mod silence;
pub mod snapshot;
pub mod tls;
mod wire;
