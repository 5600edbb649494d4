//! Schemas that a shorter way of reading the catalogs would take wrongly.

use crate::support::server;
use crate::{numbers, of_table, tenant};

/// Checks a schema of its own, whose tenants are `public.orgs`.
#[track_caller]
fn check(name: &str, ddl: &str, block: &str) -> serde_json::Value {
    let server = server();
    let database = server.empty(name);
    server.sql(&database, ddl);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("stacksnap.toml"),
        format!("schema = 1\n[projects.p.tenants]\nroot = \"public.orgs\"\n{block}\n"),
    )
    .unwrap();
    let ran = tenant(&server, &database, folder.path(), &["check"]);
    assert_eq!(ran.code, 0, "{}", ran.text);
    ran.document
}

#[test]
fn keys_whose_equal_values_have_other_texts_go_by_the_root() {
    let found = check(
        "tenant_texts",
        "CREATE TABLE orgs (id numeric PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY, org_id numeric REFERENCES orgs);
         CREATE TABLE b (id int PRIMARY KEY, org_id numeric(10, 3) REFERENCES orgs);
         INSERT INTO orgs VALUES (1.0), (2); INSERT INTO a VALUES (1, 1.00), (2, 2.0), (3, NULL); INSERT INTO b VALUES (1, 1), (2, 2)",
        "",
    );
    assert_eq!(numbers(&found, "public.a"), [3, 2, 1, 0, 0, 0, 2, 0]);
    assert_eq!(numbers(&found, "public.b"), [2, 2, 0, 0, 0, 0, 2, 0]);
    // Whole numbers of other widths have the same text.
    let found = check(
        "tenant_widths",
        "CREATE TABLE orgs (id bigint PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY, org_id smallint NOT NULL REFERENCES orgs);
         INSERT INTO orgs VALUES (1), (2); INSERT INTO a VALUES (1, 1), (2, 2)",
        "",
    );
    assert_eq!((of_table(&found, "public.a")["class"].as_str(), numbers(&found, "public.a")[1]), (Some("direct"), 2));
}

#[test]
fn parents_of_an_inheritance_are_read_without_their_children() {
    let found = check(
        "tenant_inherits",
        "CREATE TABLE orgs (id int PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY, org_id int REFERENCES orgs);
         CREATE TABLE a_child (extra int, FOREIGN KEY (org_id) REFERENCES orgs) INHERITS (a); CREATE TABLE line (id int PRIMARY KEY, a_id int REFERENCES a);
         INSERT INTO orgs VALUES (1), (2); INSERT INTO a VALUES (1, 1); INSERT INTO a_child VALUES (1, 2), (2, 2); INSERT INTO line VALUES (1, 1)",
        "",
    );
    assert_eq!(numbers(&found, "public.a"), [1, 1, 0, 0, 0, 0, 1, 0]);
    assert_eq!(numbers(&found, "public.a_child"), [2, 2, 0, 0, 0, 0, 1, 0]);
    // The child's row with the same id is no parent of it.
    assert_eq!(numbers(&found, "public.line"), [1, 1, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn partitioned_tables_are_parents_and_circles_go_through_them() {
    let found = check(
        "tenant_partitions",
        "CREATE TABLE orgs (id int PRIMARY KEY);
         CREATE TABLE doc (id int, k int, org_id int REFERENCES orgs, up_id int, up_k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE doc_1 PARTITION OF doc FOR VALUES IN (1); CREATE TABLE doc_2 PARTITION OF doc FOR VALUES IN (2);
         INSERT INTO orgs VALUES (1), (2);
         INSERT INTO doc VALUES (1, 1, 1, NULL, NULL), (1, 2, NULL, 1, 1), (2, 1, NULL, 1, 2), (3, 2, 2, NULL, NULL), (4, 1, NULL, NULL, 1), (5, 1, 2, 1, 1);
         ALTER TABLE doc ADD FOREIGN KEY (up_id, up_k) REFERENCES doc (id, k)",
        "",
    );
    // Row (5, 1) is of 2 and below a row of 1; row (4, 1) names nothing, as half of its key is empty.
    assert_eq!(numbers(&found, "public.doc"), [6, 5, 1, 0, 0, 0, 2, 1]);
    assert_eq!(found["leaks"][0]["examples"][0]["key"], serde_json::json!(["5", "1"]));
    assert_eq!(of_table(&found, "public.doc")["recursive"], true);
}

#[test]
fn a_key_that_was_never_validated_may_dangle() {
    let found = check(
        "tenant_not_valid",
        "CREATE TABLE orgs (id int PRIMARY KEY); CREATE TABLE a (id int PRIMARY KEY, org_id int NOT NULL REFERENCES orgs);
         CREATE TABLE line (id int PRIMARY KEY, a_id int NOT NULL, b_id int); CREATE TABLE b (id int PRIMARY KEY, org_id int NOT NULL REFERENCES orgs);
         INSERT INTO orgs VALUES (1); INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1); INSERT INTO line VALUES (1, 1, NULL), (2, 9, 1), (3, 9, NULL);
         ALTER TABLE line ADD FOREIGN KEY (a_id) REFERENCES a NOT VALID; ALTER TABLE line ADD FOREIGN KEY (b_id) REFERENCES b",
        "",
    );
    assert_eq!(numbers(&found, "public.line"), [3, 2, 0, 1, 0, 0, 1, 0]);
}

#[test]
fn operators_and_collations_of_other_schemas_compare_as_the_key_does() {
    let server = server();
    if server.sql("postgres", "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'") == "0" {
        // Servers from wheels have no contrib modules; the one of Debian has.
        assert_ne!(server.major(), 15, "citext belongs to the tree of 15");
        return;
    }
    let found = check(
        "tenant_citext",
        "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE orgs (id ext.citext PRIMARY KEY);
         CREATE TABLE a (id int PRIMARY KEY, org_id ext.citext NOT NULL REFERENCES orgs); CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);
         CREATE TABLE c (id text COLLATE \"C\" PRIMARY KEY, a_id int REFERENCES a); CREATE TABLE d (id int PRIMARY KEY, c_id text COLLATE \"POSIX\" REFERENCES c);
         INSERT INTO orgs VALUES ('Acme'), ('b'); INSERT INTO a VALUES (1, 'ACME'), (2, 'B'); INSERT INTO b VALUES (1, 1), (2, 2);
         INSERT INTO c VALUES ('x', 1); INSERT INTO d VALUES (1, 'x')",
        "",
    );
    assert_eq!(numbers(&found, "public.a"), [2, 2, 0, 0, 0, 0, 2, 0]);
    assert_eq!(numbers(&found, "public.b"), [2, 2, 0, 0, 0, 0, 2, 0]);
    assert_eq!(numbers(&found, "public.d"), [1, 1, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn ids_of_tenants_are_text_whatever_they_hold() {
    let server = server();
    let database = server.empty("tenant_ids");
    let ids = [
        "' OR 1=1--",
        "a",
        "ab",
        "../../etc/passwd",
        "é\u{202e}x",
        "\u{1b}]0;t\u{7}",
        "$1",
        "\\x",
        "{\"a\":1}",
        " ",
        "NULL",
    ];
    server.sql(&database, "CREATE TABLE orgs (id text PRIMARY KEY, name text); CREATE TABLE a (id serial PRIMARY KEY, org_id text NOT NULL REFERENCES orgs);
        CREATE TABLE log (org_id text)");
    for id in ids {
        let id = stacksnap::model::name::literal(id);
        server.sql(&database, &format!("INSERT INTO orgs VALUES ({id}, {id}); INSERT INTO a (org_id) VALUES ({id}); INSERT INTO log VALUES ({id})"));
    }
    // A megabyte of a tenant that is not there.
    server.sql(&database, "INSERT INTO log VALUES (repeat('x', 1048576)), ('')");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stacksnap.toml"), "schema = 1\n[projects.p.tenants]\nroot = \"public.orgs\"\n")
        .unwrap();
    let ran = tenant(&server, &database, folder.path(), &["list"]);
    let tenants = ran.document["tenants"].as_array().unwrap_or_else(|| panic!("{}", ran.text));
    let mut found: Vec<&str> = tenants.iter().map(|t| t["id"].as_str().unwrap()).collect();
    assert!(tenants.iter().all(|t| t["rows"] == 3 && t["id"] == t["label"]), "{}", ran.text);
    let mut expected = ids.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let unknown: Vec<usize> =
        ran.document["unknown"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap().len()).collect();
    assert_eq!(unknown, [0, 1_048_576]);
    let text = tenant(&server, &database, folder.path(), &["list", "--text"]).text;
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text}");
    let ran = tenant(&server, &database, folder.path(), &["check"]);
    assert_eq!(numbers(&ran.document, "public.log"), [13, 11, 0, 0, 0, 2, 11, 0], "{}", ran.text);
}

#[test]
fn nothing_is_written_and_a_standby_would_do() {
    let server = server();
    let database = server.load("tenant_reads_only", "revoked", &["tenancy"]);
    server.sql("postgres", &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    server.sql("postgres", &format!("ALTER DATABASE {database} SET search_path = public"));
    let folder = tempfile::tempdir().unwrap();
    let before = server.sql(
        &database,
        "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del), pg_current_xact_id_if_assigned() FROM pg_stat_user_tables",
    );
    for verb in ["detect", "classify", "list", "check"] {
        assert_eq!(tenant(&server, &database, folder.path(), &[verb]).code, 0, "{verb}");
    }
    assert_eq!(
        server.sql(
            &database,
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del), pg_current_xact_id_if_assigned() FROM pg_stat_user_tables"
        ),
        before
    );
}
