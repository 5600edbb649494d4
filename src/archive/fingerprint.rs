//! The fingerprint of a table's rows: how many there are, and the sum of a hash of each COPY text line.
//!
//! Invariant (facts 19): independent of the order of rows, additive over parts, and two equal rows never cancel
//! (a sum modulo 2^128, never XOR). It proves equality, not authenticity: tampering is caught by sha256.

/// Rows and Σ of the first 16 bytes of blake3(line), read as a little-endian number, modulo 2^128.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableFingerprint {
    pub rows: u64,
    pub sum: u128,
}

impl TableFingerprint {
    /// Adds one line, without its newline.
    #[inline]
    pub fn add(&mut self, line: &[u8]) {
        let hash = blake3::hash(line);
        let mut first = [0; 16];
        first.copy_from_slice(&hash.as_bytes()[..16]);
        self.sum = self.sum.wrapping_add(u128::from_le_bytes(first));
        self.rows += 1;
    }

    /// Adds another part of the same table.
    pub fn merge(&mut self, part: &Self) {
        self.sum = self.sum.wrapping_add(part.sum);
        self.rows += part.rows;
    }

    /// The sum as 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.sum)
    }
}
