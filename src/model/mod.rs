//! Vocabulary and rules of stacksnap: the parts of a snapshot, their names, quoting and comparison.
//!
//! Invariant: everything here is a value or a pure function. It never does IO, reads a clock, awaits or reads the
//! environment, so each rule can be tested on its own.

pub mod abilities;
pub mod artifact;
pub mod bootstrap;
pub mod cancel;
pub mod category;
pub mod computed;
pub mod connection;
pub mod count;
pub mod deparsed;
pub mod difference;
pub mod exception;
pub mod failure;
pub mod fingerprint;
pub mod gap;
pub mod hex;
pub mod identity;
pub mod ids;
pub mod index_state;
pub mod inventory;
pub mod left_out;
pub mod load_reason;
pub mod manifest;
pub mod membership;
pub mod name;
pub mod object_kind;
pub mod object_name;
pub mod outcome;
pub mod pattern;
pub mod pins;
pub mod platform;
pub mod relations;
pub mod replication;
pub mod report;
pub mod request;
pub mod restore;
pub mod restore_request;
pub mod rls_view;
pub mod run;
pub mod schema_verification;
pub mod secret;
pub mod sql_lexer;
pub mod sqlstate;
pub mod table_record;
pub mod tenancy;
pub mod tenant_settings;
