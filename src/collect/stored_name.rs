//! Encodes a name from a file system or a bucket as a file name in the snapshot.
//!
//! Invariant: pure and one-to-one. Ordinary names are unchanged. Bytes that are not UTF-8, control characters, line and
//! direction marks and backslashes become `%XX`, and so does a `%` that looks like such a code.

use crate::model::name::visible;

const LONGEST: usize = 200;

/// Encodes one part of a path (without `/`). `.` and `..` are encoded too.
pub fn stored_part(bytes: &[u8]) -> String {
    if bytes == b"." || bytes == b".." {
        return "%2E".repeat(bytes.len());
    }
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let len = c.len_utf8();
            let mistakable = c == '%' && bytes[at + 1..].iter().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2;
            if mistakable || c == '\\' || c == '/' || visible(c.encode_utf8(&mut [0; 4])).len() != len {
                encode(&bytes[at..at + len], &mut out);
            } else {
                out.push(c);
            }
            at += len;
        }
        encode(chunk.invalid(), &mut out);
        at += chunk.invalid().len();
    }
    if out.len() <= LONGEST {
        return out;
    }
    let cut = (0..=LONGEST - 17).rev().find(|i| out.is_char_boundary(*i)).unwrap_or(0);
    format!("{}~{}", &out[..cut], &blake3::hash(bytes).to_hex()[..16])
}

fn encode(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        out.push_str(&format!("%{byte:02X}"));
    }
}

/// Encodes a whole path, part by part, joined by `/`.
pub fn stored_path<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    parts.into_iter().map(stored_part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(text: &str) -> Vec<u8> {
        percent_encoding::percent_decode_str(text).collect()
    }

    #[test]
    fn ordinary_names_stay() {
        for name in ["index.ts", "über größe.ts", "100%.ts", "a b'c\"$(x).sql", "_shared", ".hidden"] {
            assert_eq!(stored_part(name.as_bytes()), name);
        }
    }

    #[test]
    fn hostile_names_are_written_in_percent() {
        assert_eq!(stored_part(b".."), "%2E%2E");
        assert_eq!(stored_part(b"a\nb\x1b[2J\\"), "a%0Ab%1B[2J%5C");
        assert_eq!(stored_part(b"caf\xe9.ts"), "caf%E9.ts");
        assert_eq!(stored_part(b"a%0A"), "a%250A");
        assert_eq!(stored_part("x\u{202e}y".as_bytes()), "x%E2%80%AEy");
        assert!(stored_part("é".repeat(120).as_bytes()).len() <= 200);
    }

    proptest! {
        #[test]
        fn short_names_come_back(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'%'), Just(b'0'), Just(b'A')], 1..40)) {
            prop_assume!(!bytes.contains(&b'/'));
            let stored = stored_part(&bytes);
            prop_assert_eq!(decoded(&stored), bytes);
            prop_assert!(!stored.contains(['\n', '\\', '/']) && stored != "." && stored != "..");
        }
    }
}
