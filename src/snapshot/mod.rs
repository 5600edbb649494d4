//! The bytes of one snapshot as `doc/format.md` says: layout, writing, reading, deriving, sealing.
//!
//! Invariant: every file of a snapshot is written through the sink (hashed and counted in the same pass) and no
//! file has its final folder's name before the manifest is in place. It never talks to a database, and knows of no
//! other snapshot: the folder of snapshots is `root`'s.

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
pub mod sealed;
pub mod signature;
pub mod sink;
