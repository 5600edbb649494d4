//! The wall clock, read here and passed down.

use jiff::Timestamp;

/// The time now.
#[allow(clippy::disallowed_methods, reason = "this is the door")]
pub fn now() -> Timestamp {
    Timestamp::now()
}
