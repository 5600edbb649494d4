//! The wall clock. It is read only here and passed down as a parameter.

use jiff::Timestamp;

/// The time now.
#[allow(clippy::disallowed_methods, reason = "the only place that reads the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
