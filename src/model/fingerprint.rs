//! The fingerprint of a table: the row count and the sum of a 128-bit hash of each line of COPY text.
//!
//! Invariant (trap 19): it depends only on the rows, not on their order; fingerprints of parts add up to the
//! fingerprint of the whole; equal rows do not cancel out (a sum, never XOR). `doc/format.md` defines it. Never
//! allocates.

/// The row count and the wrapping sum of the row hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableFingerprint {
    pub rows: u64,
    pub sum: u128,
}

impl TableFingerprint {
    pub const fn new() -> Self {
        Self { rows: 0, sum: 0 }
    }

    /// Adds one row: its line of COPY text without the newline.
    #[inline]
    pub fn add(&mut self, line: &[u8]) {
        self.add_hash(&blake3::hash(line));
    }

    /// Adds one row by the hash of its line, for lines too long to hold in memory.
    #[inline]
    pub fn add_hash(&mut self, hash: &blake3::Hash) {
        let mut first = [0u8; 16];
        first.copy_from_slice(&hash.as_bytes()[..16]);
        self.sum = self.sum.wrapping_add(u128::from_le_bytes(first));
        self.rows += 1;
    }

    /// Adds the rows of another part of the same table.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The sum as in the manifest: 32 hexadecimal digits, most significant first.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> TableFingerprint {
        let mut fingerprint = TableFingerprint::new();
        lines.into_iter().for_each(|line| fingerprint.add(line));
        fingerprint
    }

    #[test]
    fn the_definition_of_the_format_page() {
        assert_eq!(of([]).hex(), "0".repeat(32));
        // BLAKE3("") starts with af1349b9f5f9a1a6a0404dea36dcc949; as a little-endian number it is this one.
        assert_eq!(of([&b""[..]]).hex(), "49c9dc36ea4d40a0a6a1f9f5b94913af");
    }

    #[test]
    fn trap_19_equal_rows_do_not_cancel() {
        let (none, two, four) = (of([]), of([&b"x"[..]; 2]), of([&b"x"[..]; 4]));
        assert!(none.sum != two.sum && two.sum != four.sum && none.sum != four.sum);
    }

    #[test]
    fn a_row_moved_between_columns_is_another_row() {
        assert_ne!(of([&b"ab\tc"[..]]), of([&b"a\tbc"[..]]));
        assert_ne!(of([&b"a"[..], &b"b"[..]]), of([&b"ab"[..], &b""[..]]));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_parts_add_up(
            mut lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
            cut in 0usize..20,
        ) {
            let whole = of(lines.iter().map(Vec::as_slice));
            let cut = cut.min(lines.len());
            let mut parts = of(lines[..cut].iter().map(Vec::as_slice));
            parts.merge(of(lines[cut..].iter().map(Vec::as_slice)));
            prop_assert_eq!(whole, parts);
            lines.reverse();
            prop_assert_eq!(whole, of(lines.iter().map(Vec::as_slice)));
        }
    }
}
