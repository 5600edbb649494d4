//! `--write-config`, and what the configuration may and may not say.

use std::os::unix::fs::PermissionsExt;

use crate::support::server;
use crate::{numbers, of_table, tenant};

const WITH_COMMENTS: &str = "# ours\nschema = 1   # the only one\n\n[snapshot]\nkeep_days = 9 # nine\n\n[projects.shop]\nprotect = \"production\"  # careful\n\n\
    [projects.shop.tenants] # whose is what\nlabel = \"slug\" # people say the slug\n";

#[test]
fn the_choice_is_written_and_every_comment_stays() {
    let server = server();
    let database = server.load("tenant_config", "revoked", &["tenancy"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stacksnap.toml");
    std::fs::write(&file, WITH_COMMENTS).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let ran = tenant(&server, &database, folder.path(), &["detect", "--write-config"]);
    assert_eq!(ran.code, 0, "{}", ran.text);
    assert_eq!(
        (&ran.document["written"]["project"], &ran.document["written"]["kept"]),
        (&"shop".into(), &serde_json::json!(["label"]))
    );
    let text = std::fs::read_to_string(&file).unwrap();
    for kept in WITH_COMMENTS.lines() {
        assert!(text.contains(kept), "{kept}\n{text}");
    }
    assert!(text.starts_with("# ours\nschema = 1   # the only one\n"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    for line in [
        "root = \"public.orgs\"",
        "membership = \"public.org_members\"",
        "columns = [\"org_id\"]",
        "shared_tables = [\"public.countries\"]",
        "papers = \"{tenant}/\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }

    // What was written is read, and is a decision now; only a person can say whose a transfer is.
    let ran = tenant(&server, &database, folder.path(), &["check", "--fail-on", "ambiguous"]);
    assert_eq!((ran.code, ran.document["root"]["confirmed"].as_bool()), (4, Some(true)), "{}", ran.text);
    assert_eq!(ran.document["root"]["label"], "slug");
    assert_eq!(numbers(&ran.document, "public.attachments"), [5, 3, 1, 1, 0, 0, 2, 0]);
    assert_eq!(numbers(&ran.document, "storage.objects"), [6, 3, 2, 0, 0, 1, 2, 0]);
    let names: Vec<&str> =
        ran.document["ambiguous"].as_array().unwrap().iter().filter_map(|t| t["table"]["name"].as_str()).collect();
    assert_eq!(names, ["transfer_items", "transfers"]);

    // A second time there is nothing to write.
    let ran = tenant(&server, &database, folder.path(), &["detect", "--write-config"]);
    assert_eq!(ran.document["written"]["added"], serde_json::json!([]), "{}", ran.text);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let shown = server.stacksnap(&database, &folder.path().join("root")).args(["config", "show"]).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown
            .lines()
            .any(|l| l.starts_with("tenants.root") && l.contains("public.orgs") && l.contains("stacksnap.toml:")),
        "{shown}"
    );
    assert!(
        shown.contains(
            "public.attachments -> public.rentals when owner_type = 'rental' on p.id::text = t.owner_id::text"
        ),
        "{shown}"
    );
}

#[test]
fn a_new_file_is_for_its_owner_alone_and_one_of_somebody_elses_is_not_touched() {
    let server = server();
    let database = server.load("tenant_new_config", "revoked", &["tenancy_accounts"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stacksnap.toml");
    assert_eq!(tenant(&server, &database, folder.path(), &["detect", "--write-config"]).code, 0);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("[projects.tenant_new_config.tenants]") && text.contains("root = \"crm.accounts\""),
        "{text}"
    );
    assert_eq!(tenant(&server, &database, folder.path(), &["classify"]).document["root"]["confirmed"], true);

    std::fs::write(&file, "schema = 1\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    let ran = tenant(&server, &database, folder.path(), &["detect", "--write-config"]);
    assert_eq!(ran.code, 78, "{}", ran.text);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "schema = 1\n");

    // A link stays one: its file is written.
    std::fs::remove_file(&file).unwrap();
    let real = folder.path().join("real.toml");
    std::fs::write(&real, "schema = 1\n").unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    assert_eq!(tenant(&server, &database, folder.path(), &["detect", "--write-config"]).code, 0);
    assert!(file.symlink_metadata().unwrap().is_symlink());
    assert!(std::fs::read_to_string(&real).unwrap().contains("crm.accounts"));
}

/// A block, what the message holds.
const WRONG: [(&str, &str); 12] = [
    ("root = \"public.ors\"", "there is no table public.ors"),
    ("root = \"public.orgs\"\nkey = \"name\"", "public.orgs.name is not unique"),
    ("root = \"public.org_members\"", "has no primary key of one column"),
    ("root = \"public.orgs\"\nlabel = \"nam\"", "has no column nam"),
    ("root = \"public.orgs\"\nshared_tables = [\"public.countri\"]", "there is no table public.countri"),
    ("root = \"public.orgs\"\nshared_tables = [\"public.orgs\"]", "holds the root"),
    (
        "root = \"public.orgs\"\nowner_via = { \"public.notes\" = \"public.channels\" }",
        "has no column public.channels and no reference to it",
    ),
    (
        "root = \"public.orgs\"\nowner_via = { \"public.profiles\" = \"public.countries\" }",
        "cannot belong to whom public.countries belongs",
    ),
    // The parent's side of a reference: channels of one organisation, and texts with numbers.
    (
        "root = \"public.orgs\"\nreferences = [{ table = \"public.attachments\", parent = \"public.rentals\", on = \"p.customer = t.owner_id\" }]",
        "public.rentals (customer) is not unique: 4 rows, 3 values",
    ),
    (
        "root = \"public.orgs\"\nreferences = [{ table = \"public.attachments\", parent = \"public.rentals\", on = \"p.id = t.owner_id\" }]",
        "are of types that do not compare",
    ),
    (
        "root = \"public.orgs\"\nreferences = [{ table = \"public.attachments\", parent = \"public.rentals\", on = \"true\" }]",
        "'on' is made of",
    ),
    ("tenants_query = \"select 1; drop table public.orgs\"\ncolumns = [\"org_id\"]", "tenants_query cannot be run"),
];

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let server = server();
    let database = server.load("tenant_wrong_config", "revoked", &["tenancy"]);
    server.sql(
        &database,
        "INSERT INTO rentals (org_id, customer) SELECT org_id, customer FROM rentals WHERE customer = 'x'",
    );
    let folder = tempfile::tempdir().unwrap();
    for (block, message) in WRONG {
        std::fs::write(folder.path().join("stacksnap.toml"), format!("schema = 1\n[projects.shop.tenants]\n{block}\n"))
            .unwrap();
        let ran = tenant(&server, &database, folder.path(), &["check"]);
        assert_eq!(ran.code, 78, "{block}: {}", ran.text);
        assert!(ran.document["message"].as_str().unwrap().contains(message), "{block}: {}", ran.text);
        assert!(
            !ran.document["hint"].as_str().unwrap_or_default().is_empty() || message.contains("nam"),
            "{block}: {}",
            ran.text
        );
    }
    assert_eq!(server.sql(&database, "SELECT count(*) FROM orgs"), "3");
    // The same reference is fine where counting proves that it is unique.
    server.sql(&database, "DELETE FROM rentals WHERE id > 3");
    std::fs::write(
        folder.path().join("stacksnap.toml"),
        format!("schema = 1\n[projects.shop.tenants]\n{}\n", WRONG[8].0),
    )
    .unwrap();
    assert_eq!(tenant(&server, &database, folder.path(), &["check"]).code, 0);
}

#[test]
fn tenants_without_a_table_come_from_a_query_or_from_the_columns() {
    let server = server();
    let database = server.load("tenant_no_root", "revoked", &["tenancy"]);
    let folder = tempfile::tempdir().unwrap();
    let write = |block: &str| {
        std::fs::write(folder.path().join("stacksnap.toml"), format!("schema = 1\n[projects.shop.tenants]\n{block}\n"))
            .unwrap()
    };
    write("columns = [\"org_id\"]\ntenants_query = \"select id, name from public.orgs where slug <> 'cc'; \"");
    let ran = tenant(&server, &database, folder.path(), &["list"]);
    let labels: Vec<&str> =
        ran.document["tenants"].as_array().unwrap().iter().filter_map(|t| t["label"].as_str()).collect();
    assert_eq!(labels, ["Acme", "' OR 1=1--"], "{}", ran.text);
    assert_eq!(ran.document["unknown"].as_array().unwrap().len(), 1);
    assert_eq!(
        of_table(&tenant(&server, &database, folder.path(), &["check"]).document, "public.rental_lines")["class"],
        "derived"
    );
    // Without a query the names find their table, where there is one.
    write("columns = [\"org_id\"]");
    let ran = tenant(&server, &database, folder.path(), &["list"]);
    assert_eq!(ran.document["root"]["table"]["name"], "orgs", "{}", ran.text);
    let database = server.empty("tenant_values");
    server.sql(
        &database,
        "CREATE TABLE a (id int PRIMARY KEY, client int); CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);
        INSERT INTO a VALUES (1, 7), (2, 8), (3, NULL); INSERT INTO b VALUES (1, 1), (2, 3)",
    );
    write("columns = [\"client\"]");
    let ran = tenant(&server, &database, folder.path(), &["list"]);
    let ids: Vec<&str> = ran.document["tenants"].as_array().unwrap().iter().filter_map(|t| t["id"].as_str()).collect();
    assert_eq!(ids, ["7", "8"], "{}", ran.text);
    let ran = tenant(&server, &database, folder.path(), &["check"]);
    assert_eq!(numbers(&ran.document, "public.a"), [3, 2, 1, 0, 0, 0, 2, 0], "{}", ran.text);
    assert_eq!(numbers(&ran.document, "public.b"), [2, 1, 0, 0, 1, 0, 1, 0], "{}", ran.text);
}

#[test]
fn where_nothing_looks_like_a_tenant_that_is_said() {
    let server = server();
    let database = server.empty("tenant_nothing");
    server.sql(
        &database,
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a)",
    );
    let folder = tempfile::tempdir().unwrap();
    for verb in ["detect", "classify", "list", "check"] {
        let ran = tenant(&server, &database, folder.path(), &[verb]);
        assert_eq!((ran.code, ran.document["code"].as_str()), (10, Some("not_found")), "{verb}: {}", ran.text);
        assert!(ran.text.contains("root ="), "{}", ran.text);
    }
}
