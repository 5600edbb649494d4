//! Reading and writing the block of tenants.

use super::*;
use crate::config::environment::Environment;
use crate::config::file::parse;

fn read_block(block: &str) -> Result<TenantSettings> {
    let text = format!("schema = 1\n[projects.shop.tenants]\n{block}");
    let file = parse(&text, Path::new("/srv/stacksnap.toml"), &Environment::of([("HOME", "/home/ann")], "/srv"))?;
    Ok(file.projects["shop"].tenants.clone().unwrap().settings)
}

const FULL: &str = r#"root = "public.orgs"
key = "id"
label = "name"
membership = "public.org_members"
columns = ["org_id", "tenant"]
shared_tables = ["public.countries", "\"a.b\".\"c\""]
changed_column = "updated_at"
required_tables = ["public.orders"]
owner_via = { "public.transfers" = "from_org" }
storage = { papers = "{tenant}/", "*" = "owner" }
references = [
    { table = "public.files", when = "owner_type IN ('it''s', 'b') AND t.\"Kind\" = 'x'", parent = "public.orders", on = "p.id::text = t.owner_id" },
]
"#;

#[test]
fn every_key_is_read_and_written_so_that_it_is_read_again() {
    let block = read_block(FULL).unwrap();
    assert_eq!(block.shared_tables[1], QualifiedName::new("a.b", "c"));
    assert_eq!(block.references[0].when[0].values, ["it's", "b"]);
    assert_eq!(block.storage["*"], StorageRule::Owner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("stacksnap.toml");
    let written = write(&path, "shop", &block).unwrap();
    assert_eq!(written.added.len(), TENANT_KEYS.len() - 1);
    let text = std::fs::read_to_string(&path).unwrap();
    let again = parse(&text, &path, &Environment::of([("HOME", "/")], "/")).unwrap();
    assert_eq!(again.projects["shop"].tenants.as_ref().unwrap().settings, block);
    // The other way to name tenants.
    let query = read_block("tenants_query = \"select 1\"\ncolumns = [\"a\"]").unwrap();
    assert_eq!(query.tenants_query.as_deref(), Some("select 1"));
}

#[test]
fn mistakes_have_their_line() {
    for (block, message) in [
        ("rots = \"a.b\"", "line 3: unknown key 'rots' in [projects.shop.tenants]"),
        ("root = \"orgs\"", "line 3: 'projects.shop.tenants.root': 'orgs' is not schema.table"),
        ("\nroot = 1", "line 4: 'projects.shop.tenants.root' must be a text in quotes, not integer"),
        ("shared_tables = [\"x\"]", "line 3: 'tenants.shared_tables': 'x' is not schema.table"),
        (
            "root = \"a.b\"\ntenants_query = \"select 1\"",
            "line 4: 'tenants.root' and 'tenants.tenants_query' cannot both be set",
        ),
        ("references = [{ table = \"a.b\", parent = \"a.c\" }]", "line 3: 'on' is missing in a reference of tenants"),
        ("references = [{ tabel = \"a.b\" }]", "line 3: unknown key 'tabel' in [projects.shop.tenants.references]"),
        ("owner_via = { transfers = \"a\" }", "line 3: 'tenants.owner_via': 'transfers' is not schema.table"),
        (
            "storage = { papers = \"a/b\" }",
            "line 3: 'projects.shop.tenants.storage.papers': 'a/b' has no folder {tenant}: write \"{tenant}/\", \"folder/{tenant}/\", \"*/{tenant}/\" or \"owner\"",
        ),
    ] {
        assert_eq!(read_block(block).unwrap_err().to_string(), message.to_string().as_str().to_string(), "{block}");
    }
}

#[test]
fn a_block_in_one_line_is_extended_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("stacksnap.toml");
    std::fs::write(&path, "schema = 1\nprojects.shop = { tenants = { label = 'x' } } # short\n").unwrap();
    let block = TenantSettings {
        root: Some(QualifiedName::new("a", "b")),
        label: Some("y".into()),
        ..TenantSettings::default()
    };
    let written = write(&path, "shop", &block).unwrap();
    assert_eq!((written.added, written.kept), (vec!["root"], vec!["label"]));
    let text = std::fs::read_to_string(&path).unwrap();
    let again = parse(&text, &path, &Environment::of([("HOME", "/")], "/")).unwrap();
    let found = &again.projects["shop"].tenants.as_ref().unwrap().settings;
    assert_eq!(
        (found.label.as_deref(), found.root.is_some(), text.contains("# short")),
        (Some("x"), true, true),
        "{text}"
    );
    std::fs::write(&path, "schema = 1\nprojects = 1\n").unwrap();
    assert!(write(&path, "shop", &block).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "schema = 1\nprojects = 1\n");
}
