//! What was asked of one `create`, as plain data.
//!
//! Invariant: what can also be set in the configuration (formats, jobs, time limits, folders, patterns of rows to
//! leave out) is in the settings, where flag, variable and file are already merged; here is only the rest. No secret.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::category::Category;
use super::ids::Label;

/// One `create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequest {
    /// The moment of the call: names the folder and is the snapshot's `created_at`.
    pub now: Timestamp,
    pub label: Option<Label>,
    pub note: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Only these parts (and what they need); empty: all.
    pub only: Vec<Category>,
    pub skip: Vec<Category>,
    /// `schema.table` or a pattern with `*` and `?`; empty: all tables.
    pub tables: Vec<String>,
    /// Do nothing when nothing changed since the last complete snapshot.
    pub if_changed: bool,
    /// Already applied by `ops::flight` before the run is called; here for the record.
    pub min_interval: Option<Duration>,
    /// Started by `--background`: one job unless the settings say otherwise.
    pub background: bool,
}

impl CreateRequest {
    /// A request for everything, at `now`.
    pub fn full(now: Timestamp) -> Self {
        Self {
            now,
            label: None,
            note: None,
            tags: BTreeMap::new(),
            only: Vec::new(),
            skip: Vec::new(),
            tables: Vec::new(),
            if_changed: false,
            min_interval: None,
            background: false,
        }
    }

    /// Is less asked for than everything? Then the snapshot is of kind `partial` and protects nothing.
    pub fn is_narrowed(&self) -> bool {
        !(self.only.is_empty() && self.skip.is_empty() && self.tables.is_empty())
    }
}
