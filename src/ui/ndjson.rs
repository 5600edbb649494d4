//! Progress for scripts: each event is one line of JSON on standard output; the result document comes last.
//!
//! Invariant: no line contains a raw control character; lines are never interleaved (standard output is locked for
//! each).

use super::out::data;
use super::text::safe_json;
use crate::monitor::{Event, Monitor};

#[derive(Debug, Default)]
pub struct Ndjson;

impl Monitor for Ndjson {
    fn event(&self, event: Event) {
        if let Ok(json) = serde_json::to_string(&event) {
            data(&safe_json(&json));
        }
    }
}
