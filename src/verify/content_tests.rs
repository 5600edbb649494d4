//! Tests of the decoders: truncated input, splits at every byte, several members and frames in a row.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::model::fingerprint::TableFingerprint;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_frame(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn table(packing: Packing, lines: &[&[u8]]) -> Content {
    let mut fingerprint = TableFingerprint::new();
    lines.iter().for_each(|line| fingerprint.add(line));
    let bytes_raw = lines.iter().map(|l| l.len() as u64 + 1).sum();
    Content::Table { packing, rows: fingerprint.rows, fingerprint: fingerprint.hex(), bytes_raw }
}

fn code(result: Result<(), Problem>) -> &'static str {
    result.err().map_or("", |problem| problem.code)
}

#[test]
fn members_and_frames_follow_each_other() {
    let lines: [&[u8]; 3] = [b"1\tx", b"", b"\\N\t\\\\."];
    let parts: [&[u8]; 2] = [b"1\tx\n\n\\N", b"\t\\\\.\n\\.\n\n\n"];
    for (packing, pack) in [(Packing::Gzip, gzip as fn(&[u8]) -> Vec<u8>), (Packing::Zstd, zstd_frame)] {
        let file: Vec<u8> = parts.iter().flat_map(|part| pack(part)).collect();
        assert_eq!(table(packing, &lines).check(&mut &file[..]), Ok(()));
        for cut in 0..file.len() {
            let found = code(table(packing, &lines).check(&mut &file[..cut]));
            assert!(["undecodable", "bad_end"].contains(&found), "{packing:?} cut at {cut}: {found}");
        }
    }
    assert_eq!(table(Packing::Plain, &lines).check(&mut &parts.concat()[..]), Ok(()));
}

#[test]
fn trap_3_cut_at_a_row_boundary_or_emptied() {
    let lines: [&[u8]; 2] = [b"1", b"2"];
    for (text, expected) in [
        ("", "bad_end"),
        ("1\n", "bad_end"),
        ("1\n2\n", "bad_end"),
        ("1\n\\.\n", "wrong_rows"),
        ("1\n3\n\\.\n", "wrong_fingerprint"),
        ("1\n2\n\\.\nx", "bad_end"),
        ("1\n2\n\\.", "bad_end"),
        ("2\n1\n\\.\n\n\n", ""),
    ] {
        assert_eq!(code(table(Packing::Plain, &lines).check(&mut text.as_bytes())), expected, "{text:?}");
    }
    let bomb = "9".repeat(3 << 20) + "\n\\.\n";
    assert_eq!(code(table(Packing::Plain, &lines).check(&mut bomb.as_bytes())), "wrong_rows");
}

#[test]
fn csv_records_may_hold_newlines_and_quotes() {
    let csv = |text: &str, rows| code(Content::Csv { packing: Packing::Plain, rows }.check(&mut text.as_bytes()));
    assert_eq!(csv("a,b\n1,\"x\ny\"\n2,\"\"\"\n\"\"\"\n", 2), "");
    assert_eq!(csv("a,b\n1,\"x\ny\"\n", 2), "wrong_rows");
    assert_eq!(csv("a,b\n1,\"x\n", 1), "bad_end");
    assert_eq!(csv("a,b\n1", 1), "bad_end");
    assert_eq!(csv("", 0), "bad_end");
    assert_eq!(csv("a\n", 0), "");
}

#[test]
fn trap_1_sql_without_its_last_lines() {
    let own = |text: &str| code(Content::OwnSql.check(&mut text.as_bytes()));
    assert_eq!(own("BEGIN;\nSELECT 1;\n\nCOMMIT;\n\n-- stacksnap: end of file\n"), "");
    assert_eq!(own("BEGIN;\nSELECT 1;\n\nCOMMIT;\n\n-- stacksnap: end of fil"), "bad_end");
    let dump = |text: &str| code(Content::DumpSql { packing: Packing::Plain }.check(&mut text.as_bytes()));
    assert_eq!(dump("x\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n"), "");
    assert_eq!(dump("x\n--\n-- PostgreSQL database dump complet"), "bad_end");
    assert_eq!(dump(""), "bad_end");
}

#[test]
fn a_table_of_contents_has_its_magic() {
    assert_eq!(code(Content::Toc.check(&mut &b"PGDMP\x01\x0e\x00\x04"[..])), "");
    assert_eq!(code(Content::Toc.check(&mut &b"PGDMQ\x01\x0e\x00\x04"[..])), "bad_toc");
    assert_eq!(code(Content::Toc.check(&mut &b"PGD"[..])), "bad_toc");
}

proptest! {
    #[test]
    fn lines_split_anywhere_are_the_same_rows(
        lines in proptest::collection::vec("[a-z\\\\.]{0,6}", 0..12),
        cuts in proptest::collection::vec(0usize..80, 0..6),
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).filter(|l| *l != b"\\.").collect();
        let mut text: Vec<u8> = lines.iter().flat_map(|l| [l, &b"\n"[..]].concat()).collect();
        text.extend_from_slice(b"\\.\n\n\n");
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).chain([0, text.len()]).collect();
        cuts.sort_unstable();
        let mut check = CopyCheck::default();
        for pair in cuts.windows(2) {
            check.push(&text[pair[0]..pair[1]]).unwrap();
        }
        let mut expected = TableFingerprint::new();
        lines.iter().for_each(|l| expected.add(l));
        prop_assert_eq!(check.finish(expected.rows, &expected.hex()), Ok(()));
    }
}
