//! The request of one `create`, as plain data.
//!
//! Invariant: it never repeats a setting that the configuration can hold too (formats, jobs, time limits, folders,
//! patterns of excluded rows): those are merged from flag, variable and file in the settings. No secret.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::category::Category;
use super::ids::Label;

/// One `create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRequest {
    /// The time of the call: it names the folder and is the snapshot's `created_at`.
    pub now: Timestamp,
    pub label: Option<Label>,
    pub note: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Only these parts (and what they depend on); empty: all.
    pub only: Vec<Category>,
    pub skip: Vec<Category>,
    /// `schema.table` or a pattern with `*` and `?`; empty: all tables.
    pub tables: Vec<String>,
    /// Skip the run if nothing changed since the last complete snapshot.
    pub if_changed: bool,
    /// Already enforced by `ops::flight` before the run starts; kept for the record.
    pub min_interval: Option<Duration>,
    /// Started by `--background`: one job, unless the settings say otherwise.
    pub background: bool,
}

impl CreateRequest {
    /// A request for a full snapshot at `now`.
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

    /// Whether less than everything is requested. The snapshot's kind is `partial` then, and it does not count as
    /// protection.
    pub fn is_narrowed(&self) -> bool {
        !(self.only.is_empty() && self.skip.is_empty() && self.tables.is_empty())
    }
}
