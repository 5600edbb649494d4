//! The readable SQL, plain and compressed, against what pg_restore makes of the archive.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::support::compare::differences;
use crate::support::{Cluster, Snapshot, ok, text};

/// What keeps a plain server from restoring everything in one go; see the README of the fixtures.
const PLAIN: &str = "ALTER EVENT TRIGGER log_ddl OWNER TO supabase_admin; \
    SET session_replication_role = replica; \
    DELETE FROM zoo.ri_disabled d WHERE NOT EXISTS (SELECT FROM zoo.parents p WHERE p.id = d.parent)";

fn unpacked(place: &Path) -> Vec<u8> {
    let bytes = std::fs::read(place).unwrap();
    if place.extension().is_some_and(|e| e == "zst") { zstd::stream::decode_all(&bytes[..]).unwrap() } else { bytes }
}

/// Without the lines that hold the random key.
fn without_key(sql: &[u8]) -> Vec<&[u8]> {
    sql.split(|b| *b == b'\n').filter(|l| !l.starts_with(b"\\restrict ") && !l.starts_with(b"\\unrestrict ")).collect()
}

/// The roles of `original` are in the target cluster already.
pub fn sql_equals_the_archive(source: &Cluster, original: &str, target: &Cluster, root: &Path) {
    let copy = source.copy(original, "round_plain");
    source.sql(&copy, PLAIN);
    let plain = source.create(&copy, &root.join("plain"), 3, &["--skip", "edge_functions,project"]);
    let packed = source.create(&copy, &root.join("packed"), 3, &["--readable-compression", "zstd"]);
    plain.is_good();
    packed.is_good();
    same_text(&plain, &packed);

    let (by_sql, by_archive) = (target.empty("round_sql"), target.empty("round_archive"));
    let mut psql = target.program("psql", &by_sql);
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-1", "-o", "/dev/null"]).stdin(Stdio::piped());
    let mut running = psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sql = unpacked(&packed.folder.join("complete_database_with_data.sql.zst"));
    let _ = running.stdin.take().unwrap().write_all(&sql);
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let mut restore = target.program("pg_restore", &by_archive);
    restore.args(["-1", "-e", "-d", &by_archive]).arg(packed.folder.join("complete_database_with_data.dump"));
    ok(&mut restore);
    let left = differences(&target.look(&by_archive), &target.look(&by_sql));
    assert!(left.is_empty(), "pg_restore of the archive and psql of the SQL differ: {left:#?}");
    source.drop_database(&copy);
}

fn same_text(plain: &Snapshot, packed: &Snapshot) {
    let sql = "complete_database_with_data.sql";
    assert!(plain.has(sql) && !plain.has(&format!("{sql}.zst")));
    assert!(packed.has(&format!("{sql}.zst")) && !packed.has(sql));
    let (a, b) = (unpacked(&plain.folder.join(sql)), unpacked(&packed.folder.join(format!("{sql}.zst"))));
    assert!(without_key(&a) == without_key(&b), "the compressed SQL is not the same text");
    let page = std::fs::read_to_string(packed.folder.join("BACKUP_MANIFEST.md")).unwrap();
    assert!(page.contains("complete_database_with_data.sql.zst"), "{page}");
    let mut compared = 0;
    for table in &plain.manifest.tables {
        let other = packed.manifest.tables.iter().find(|t| t.name == table.name).unwrap();
        let (csv, zst) = (table.csv_file.as_ref().unwrap(), other.csv_file.as_ref().unwrap());
        assert_eq!(&format!("{csv}.zst"), zst);
        let mut rows = [csv, zst].map(|path| {
            let bytes = unpacked(&[plain, packed][usize::from(path == zst)].folder.join(path));
            bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
        });
        rows.iter_mut().for_each(|lines| lines.sort());
        assert!(rows[0] == rows[1], "{csv}");
        compared += 1;
    }
    assert!(compared > 200);
}
