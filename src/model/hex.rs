//! Bytes as lower-case hexadecimal digits, the notation of every checksum.
//!
//! Invariant: two digits per byte, in order. Pure.

/// Two lower-case hexadecimal digits per byte.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
