//! Databases of other encodings than UTF-8: rows come back byte for byte, and what cannot be captured is named.

use std::path::Path;

use crate::support::restored::restore;
use crate::support::{Cluster, ok, server, text};

const C: &str = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING";

fn database(cluster: &Cluster, name: &str, encoding: &str) -> String {
    cluster.drop_database(name);
    cluster.sql("template1", &format!("CREATE DATABASE {name} {C} '{encoding}'"));
    name.to_string()
}

/// Runs SQL whose text is UTF-8, and gives back what is.
fn utf8(cluster: &Cluster, database: &str, sql: &str) -> String {
    ok(cluster.psql(database).env("PGCLIENTENCODING", "UTF8").args(["-c", sql]))
}

/// All rows as bytes, and what the catalogs say.
fn seen(cluster: &Cluster, database: &str) -> String {
    let rows = "SELECT id, encode(convert_to(b, 'SQL_ASCII'), 'hex'), encode(convert_to(g, 'SQL_ASCII'), 'hex') FROM r
        UNION ALL SELECT id, encode(convert_to(b, 'SQL_ASCII'), 'hex'), '' FROM m ORDER BY 1, 3";
    // In a database of another encoding the text is converted.
    let raw = cluster.sql(database, "SHOW server_encoding") == "SQL_ASCII";
    let rows = if raw { rows.to_string() } else { rows.replace("'SQL_ASCII'", "'UTF8'") };
    let objects = "SELECT relname, obj_description(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1";
    format!("{}\n{}", utf8(cluster, database, &rows), utf8(cluster, database, objects))
}

fn there_and_back(cluster: &Cluster, from: &str, others: &[&str], place: &Path) {
    let before = seen(cluster, from);
    let snapshot = cluster.create(from, &place.join("snapshots"), 0, &[]);
    snapshot.is_good();
    assert_eq!(snapshot.gaps(), Vec::<String>::new());
    let own = cluster.sql(from, "SHOW server_encoding");
    for encoding in std::iter::once(own.as_str()).chain(others.iter().copied()) {
        let to = database(cluster, &format!("{from}_{}", encoding.to_lowercase()), encoding);
        let done = restore(cluster, "supabase_admin", "postgres", &to, &snapshot, place);
        let named: Vec<String> = if encoding == own { Vec::new() } else { done.exceptions() };
        assert!(named.iter().all(|e| e.contains("DATABASE")), "{encoding}: {}", done.said);
        assert_eq!((done.code, done.findings()), (if encoding == own { 0 } else { 3 }, Vec::new()), "{}", done.said);
        assert_eq!(done.exceptions(), named, "{encoding}: {}", done.said);
        assert_eq!(seen(cluster, &to), before, "{own} into {encoding}");
        cluster.drop_database(&to);
    }
    cluster.sql(from, "UPDATE r SET b = 'lost' WHERE id = 2; DELETE FROM r WHERE id = 1; DROP MATERIALIZED VIEW m");
    let done = restore(cluster, "supabase_admin", "postgres", from, &snapshot, place);
    assert_eq!((done.code, done.exceptions(), done.findings()), (0, Vec::new(), Vec::new()), "{}", done.said);
    assert_eq!(seen(cluster, from), before, "{own} in place");
}

const TABLES: &str = "CREATE TABLE r (id int PRIMARY KEY, b text, g text GENERATED ALWAYS AS (b || '!') STORED);
    CREATE MATERIALIZED VIEW m AS SELECT id, b FROM r WITH NO DATA";

/// Roles belong to the whole server, and others may have names that one of these encodings does not know.
fn own_server() -> Cluster {
    Cluster::start(server().major())
}

#[test]
fn bytes_of_any_encoding_come_back_from_a_database_that_knows_none() {
    for cluster in [own_server(), Cluster::start(17)] {
        let place = tempfile::tempdir().unwrap();
        let from = database(&cluster, "enc_ascii", "SQL_ASCII");
        cluster.sql(&from, TABLES);
        cluster.sql(
            &from,
            "INSERT INTO r (id, b) VALUES (1, E'caf\\351'), (2, E'\\377\\376\\t\\\\.'), (3, 'plain'), (4, E'\\303\\251');
             CREATE TABLE \"käse\" (a int); COMMENT ON TABLE \"käse\" IS 'ö'; REFRESH MATERIALIZED VIEW m",
        );
        there_and_back(&cluster, &from, &[], place.path());
        cluster.drop_database(&from);
    }
}

#[test]
fn objects_that_are_not_utf8_are_named() {
    let (cluster, place) = (own_server(), tempfile::tempdir().unwrap());
    let from = database(&cluster, "enc_named", "SQL_ASCII");
    cluster.sql(
        &from,
        "CREATE TABLE t (a int); CREATE FUNCTION good() RETURNS text LANGUAGE sql AS 'SELECT ''ö''::text';
         DO $$ BEGIN EXECUTE 'COMMENT ON TABLE t IS ' || quote_literal(convert_from('\\x636166e9'::bytea, 'SQL_ASCII'));
         EXECUTE 'CREATE FUNCTION bad() RETURNS text LANGUAGE sql AS ' || quote_literal(convert_from('\\x73656c65637420276361e9273a3a74657874'::bytea, 'SQL_ASCII')); END $$",
    );
    let mut command = cluster.stacksnap(&from, &place.path().join("snapshots"));
    let output = command.args(["create", "--pg-bin"]).arg(&cluster.bin).output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("2 objects are not UTF-8")
            && said.contains("function public.bad()")
            && said.contains("table public.t"),
        "{said}"
    );
    assert!(!said.contains("good()"), "{said}");
    cluster.drop_database(&from);
}

#[test]
fn text_of_other_encodings_comes_back_in_them_and_in_utf8() {
    let (cluster, place) = (own_server(), tempfile::tempdir().unwrap());
    for (encoding, word) in [("LATIN1", "café"), ("WIN1252", "„€“"), ("EUC_JP", "日本語")] {
        let from = database(&cluster, "enc_other", encoding);
        cluster.sql(&from, TABLES);
        let fill = format!(
            "INSERT INTO r (id, b) VALUES (1, '{word}'), (2, 'plain'), (3, E'{word}\\t\\\\.');
             CREATE TABLE \"{word}\" (a int); COMMENT ON TABLE \"{word}\" IS '{word}'; REFRESH MATERIALIZED VIEW m"
        );
        utf8(&cluster, &from, &fill);
        there_and_back(&cluster, &from, &["UTF8"], place.path());
        cluster.drop_database(&from);
    }
}
