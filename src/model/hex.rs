//! Bytes as lower-case hexadecimal digits: how checksums are written everywhere.
//!
//! Invariant: two digits a byte, in order. Pure.

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
