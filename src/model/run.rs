//! The ID of one run of `create`; its log, lock and status entry are named after it.
//!
//! Invariant: safe in a path, and never a valid snapshot name.

use std::fmt;

use jiff::Timestamp;

const PREFIX: &str = "run_";

/// `run_YYYYMMDD_HHMMSS_<pid>` (UTC). Two runs in the same second differ by process ID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunId(String);

impl RunId {
    pub fn at(moment: Timestamp, pid: u32) -> Self {
        let stamp = moment.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d_%H%M%S");
        Self(format!("{PREFIX}{stamp}_{pid}"))
    }

    /// Parses a run ID; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix(PREFIX)?.split('_').collect();
        let digits = |part: &str, least: usize, most: usize| {
            (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        let fine =
            matches!(parts[..], [day, time, pid] if digits(day, 8, 8) && digits(time, 6, 6) && digits(pid, 1, 10));
        fine.then(|| Self(text.to_string()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_names_are_read_back_and_nothing_else_is() {
        let id = RunId::at("2026-01-30T12:00:05Z".parse().unwrap(), 4711);
        assert_eq!(id.as_str(), "run_20260130_120005_4711");
        assert_eq!(RunId::parse(id.as_str()), Some(id));
        for text in ["", "run_", "run_20260130_120005", "run_20260130_120005_x", "run_20260130_120005_1/../x", "latest"]
        {
            assert_eq!(RunId::parse(text), None, "{text}");
        }
    }
}
