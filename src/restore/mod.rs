//! The restore engine: examines a target, makes a plan, and executes a confirmed plan.
//!
//! Invariant: nothing is written without a [`ConfirmedPlan`](crate::model::restore::ConfirmedPlan). The data comes from
//! a snapshot whose checksums the caller has verified. Statements are sent over the protocol, never through psql. No
//! error is ignored. It takes no snapshot, proves nothing and asks the user nothing: `ops` does.
//!
//! `plan`, `execute`, `settle` and `beside` use the modules below, each named for what it handles.

mod engine;
pub mod entries;
mod execute;
pub mod failures;
mod fence;
pub mod into_schema;
pub mod objects;
mod only_schema;
pub mod parts;
mod plan;
mod predicted;
pub mod rows;
mod settle;
pub mod source;
pub mod sql;
pub mod stubs;
pub mod target;

pub use engine::{Done, Engine};
pub use objects::roles::OWN_PASSWORD;
pub use only_schema::SERVER_MIN as ONLY_SCHEMA_SERVER_MIN;
pub use target::libraries::LIBRARY_MISSING;
pub use target::services::{PLATFORM_OPEN, is_left};
