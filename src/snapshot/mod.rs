//! The files of one snapshot as specified in `doc/format.md`: layout, writing, reading, deriving, sealing.
//!
//! Invariant: every file of a snapshot is written through the sink (hashed and counted in the same pass), and the
//! folder gets its final name only after the manifest is in place. It never talks to a database, and never handles
//! other snapshots: the root folder belongs to `root`.

pub mod age_file;
pub mod beneath;
pub mod codec;
pub mod copy_text;
pub mod csv;
mod csv_row;
pub mod derive;
pub mod follow;
pub mod key;
pub mod layout;
pub mod manifest_file;
pub mod member_tables;
pub mod readable;
pub mod reader;
pub mod rows_mark;
pub mod seal;
pub mod signature;
pub mod sink;
