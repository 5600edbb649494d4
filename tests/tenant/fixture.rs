//! The fixture `tenancy`: every count was worked out by hand from its 02_data.sql.

use crate::support::{Cluster, server};
use crate::{numbers, of_table, tenant};

const A: &str = "a1000000-0000-4000-8000-000000000001";
const B: &str = "b2000000-0000-4000-8000-000000000002";

/// What the configuration has to say about it.
pub const BLOCK: &str = r#"schema = 1
[projects.shop.tenants]
root = "public.orgs"
[projects.shop.tenants.owner_via]
"public.transfers" = "from_org"
[projects.shop.tenants.storage]
papers = "{tenant}/"
[[projects.shop.tenants.references]]
table = "public.attachments"
when = "owner_type = 'rental'"
parent = "public.rentals"
on = "p.id::text = t.owner_id"
[[projects.shop.tenants.references]]
table = "public.attachments"
when = "owner_type IN ('Product')"
parent = "public.products"
on = "t.owner_id = p.id::text"
"#;

fn loaded(name: &str) -> (Cluster, String, tempfile::TempDir) {
    let server = server();
    let database = server.load(name, "revoked", &["tenancy"]);
    (server, database, tempfile::tempdir().unwrap())
}

#[test]
fn every_table_has_its_class_and_its_path() {
    let (server, database, folder) = loaded("tenant_classes");
    let ran = tenant(&server, &database, folder.path(), &["classify"]);
    assert_eq!((ran.code, ran.document["schema"].as_str()), (0, Some("stacksnap.v1.tenant_classify")), "{}", ran.text);
    let root = &ran.document["root"];
    assert_eq!((root["table"]["name"].as_str(), root["key"].as_str()), (Some("orgs"), Some("id")));
    assert_eq!(
        (root["membership"]["name"].as_str(), root["members"]["name"].as_str()),
        (Some("org_members"), Some("users"))
    );
    assert_eq!(root["confirmed"], false);
    for (table, class, path) in [
        ("public.orgs", "root", ""),
        ("public.org_members", "direct", "org_id"),
        ("public.invoice_lines", "direct", "holder"),
        ("public.categories", "direct", "org_id"),
        ("public.log_nopk", "direct", "org_id"),
        ("public.audit_log", "direct", "org_id"),
        ("public.events", "direct", "org_id"),
        ("public.or\"gs'; DROP TABLE x; --", "direct", "org id"),
        ("public.employees", "derived", "department_id -> public.departments.org_id"),
        ("public.rental_lines", "derived", "rental_id -> public.rentals.org_id"),
        ("public.price_rules", "derived", "sku -> public.products.org_id"),
        ("public.domains", "derived", "org_slug -> public.orgs"),
        ("public.notes", "derived", "product_id -> public.products.org_id, else rental_id -> public.rentals.org_id"),
        ("public.messages", "derived", "channel_id -> public.channels.org_id, else reply_to -> public.messages .."),
        ("public.folders", "direct", "org_id, else cover_id -> public.files .."),
        ("auth.users", "member", ""),
        ("auth.identities", "member", ""),
        ("public.profiles", "member", ""),
        ("public.countries", "shared", ""),
        ("public.transfers", "ambiguous", ""),
        ("public.transfer_items", "ambiguous", ""),
        ("public.attachments", "ambiguous", ""),
        ("storage.objects", "ambiguous", ""),
        ("storage.buckets", "excluded", ""),
        ("auth.schema_migrations", "excluded", ""),
    ] {
        let entry = of_table(&ran.document, table);
        assert_eq!((entry["class"].as_str(), entry["owner_path"].as_str()), (Some(class), Some(path)), "{table}");
        assert!(!entry["why"].as_str().unwrap().is_empty(), "{table}");
    }
    assert_eq!(of_table(&ran.document, "public.log_nopk")["unverified"], true);
    assert_eq!(of_table(&ran.document, "public.rentals")["unverified"], false);
    // Partitions are their table; the circle of departments and employees is none of ownership.
    let names: Vec<&str> =
        ran.document["tables"].as_array().unwrap().iter().filter_map(|t| t["table"]["name"].as_str()).collect();
    assert!(!names.iter().any(|name| name.starts_with("events_")), "{names:?}");
    assert_eq!(of_table(&ran.document, "public.employees")["recursive"], false);
    assert_eq!(of_table(&ran.document, "public.files")["recursive"], true);
}

#[test]
fn tenants_and_what_has_no_owner_are_the_table_and_the_planted_row_is_named() {
    let (server, database, folder) = loaded("tenant_counts");
    std::fs::write(folder.path().join("stacksnap.toml"), BLOCK).unwrap();
    let ran = tenant(&server, &database, folder.path(), &["check"]);
    assert_eq!((ran.code, ran.document["schema"].as_str()), (0, Some("stacksnap.v1.tenant_check")), "{}", ran.text);
    assert_eq!((ran.document["tenants"].as_u64(), ran.document["sums_up"].as_bool()), (Some(3), Some(true)));
    // total, owned, empty, dangling, parent unowned, unknown tenant, tenants, leaks
    for (table, expected) in [
        ("public.orgs", [3, 3, 0, 0, 0, 0, 3, 0]),
        ("public.messages", [7, 5, 1, 0, 1, 0, 2, 0]),
        ("public.folders", [4, 3, 1, 0, 0, 0, 2, 0]),
        ("public.files", [4, 3, 1, 0, 0, 0, 2, 0]),
        ("public.log_nopk", [5, 3, 1, 0, 0, 1, 2, 0]),
        ("public.notes", [4, 3, 1, 0, 0, 0, 2, 0]),
        ("public.rental_lines", [4, 4, 0, 0, 0, 0, 2, 1]),
        ("public.price_rules", [3, 3, 0, 0, 0, 0, 2, 0]),
        ("public.domains", [2, 2, 0, 0, 0, 0, 2, 0]),
        ("public.events", [5, 5, 0, 0, 0, 0, 2, 0]),
        ("public.secrets", [2, 2, 0, 0, 0, 0, 2, 0]),
        ("public.audit_log", [3, 3, 0, 0, 0, 0, 2, 0]),
        ("public.invoice_lines", [4, 4, 0, 0, 0, 0, 2, 0]),
        ("public.Child\\ of", [3, 2, 1, 0, 0, 0, 2, 0]),
        ("public.attachments", [5, 3, 1, 1, 0, 0, 2, 0]),
        ("storage.objects", [6, 3, 2, 0, 0, 1, 2, 0]),
        ("public.transfers", [1, 1, 0, 0, 0, 0, 1, 1]),
        ("public.transfer_items", [1, 1, 0, 0, 0, 0, 1, 0]),
    ] {
        assert_eq!(numbers(&ran.document, table), expected, "{table}");
    }
    assert_eq!(ran.document["ambiguous"], serde_json::json!([]));
    let leaks = ran.document["leaks"].as_array().unwrap();
    let leak = leaks.iter().find(|l| l["table"]["name"] == "rental_lines").unwrap();
    assert_eq!((leak["columns"].as_str(), leak["parent"]["name"].as_str()), (Some("product_id"), Some("products")));
    let expected = serde_json::json!([{"key": ["4"], "owner": A, "points_into": B}]);
    assert_eq!((&leak["key"], &leak["examples"]), (&serde_json::json!(["id"]), &expected));
    // The other one is the transfer, which is of two tenants by its nature.
    assert_eq!(leaks.len(), 2);
}

#[test]
fn what_fail_on_names_ends_with_4() {
    let (server, database, folder) = loaded("tenant_fail_on");
    for (on, code) in [("leak", 4), ("ambiguous", 4), ("leak,ambiguous", 4)] {
        let ran = tenant(&server, &database, folder.path(), &["check", "--fail-on", on]);
        assert_eq!((ran.code, ran.document["sums_up"].as_bool()), (code, Some(true)), "{on}: {}", ran.text);
    }
    server.sql(&database, "UPDATE rental_lines SET product_id = 1 WHERE id = 4");
    assert_eq!(tenant(&server, &database, folder.path(), &["check", "--fail-on", "leak"]).code, 0);
    assert_eq!(tenant(&server, &database, folder.path(), &["check", "--fail-on", "ambiguous"]).code, 4);
    assert_eq!(tenant(&server, &database, folder.path(), &["check", "--fail-on", "nothing"]).code, 64);
}

#[test]
fn tenants_are_listed_with_their_rows_and_their_names_steer_no_terminal() {
    let (server, database, folder) = loaded("tenant_list");
    let ran = tenant(&server, &database, folder.path(), &["list"]);
    let tenants = ran.document["tenants"].as_array().unwrap();
    let shown: Vec<(&str, &str)> =
        tenants.iter().map(|t| (t["id"].as_str().unwrap(), t["label"].as_str().unwrap())).collect();
    assert_eq!(shown[..2], [(A, "Acme"), (B, "' OR 1=1--")]);
    assert_eq!(shown[2].1, "C\u{1b}[31m");
    assert_eq!(tenants[0]["tables"]["public.rental_lines"], 3);
    let sum =
        |t: &serde_json::Value| t["tables"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert!(tenants.iter().all(|t| t["rows"].as_u64() == Some(sum(t))));
    assert_eq!(ran.document["unknown"][0]["tables"], serde_json::json!({"public.log_nopk": 1}));
    let text = tenant(&server, &database, folder.path(), &["list", "--text"]).text;
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn candidates_come_with_what_speaks_for_them() {
    let (server, database, folder) = loaded("tenant_detect");
    let ran = tenant(&server, &database, folder.path(), &["detect"]);
    assert_eq!((ran.code, ran.document["schema"].as_str()), (0, Some("stacksnap.v1.tenant_detect")), "{}", ran.text);
    let candidates = ran.document["candidates"].as_array().unwrap();
    let first = &candidates[0];
    assert_eq!(
        (first["table"]["name"].as_str(), first["score"].as_u64(), first["policies"].as_u64()),
        (Some("orgs"), Some(10), Some(1))
    );
    assert_eq!(first["membership"]["table"]["name"], "org_members");
    let log = first["unlinked"].as_array().unwrap().iter().find(|u| u["table"]["name"] == "log_nopk").unwrap();
    assert_eq!(log["values"], serde_json::json!({"looked_at": 4, "found": 3}));
    assert_eq!(candidates[1]["table"]["name"], "users");
    let storage = &ran.document["storage"];
    assert_eq!((storage[0]["bucket"].as_str(), storage[0]["template"].as_str()), (Some("papers"), Some("{tenant}/")));
    let references: Vec<(&str, &str)> = ran.document["references"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["value"].as_str().unwrap(), r["parent"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(references, [("Product", "products"), ("rental", "rentals")]);
    assert_eq!(ran.document["written"], serde_json::Value::Null);
    assert!(!folder.path().join("stacksnap.toml").exists());
}

#[test]
fn the_drawing_holds_no_text_that_could_end_it() {
    let (server, database, folder) = loaded("tenant_drawing");
    let ran = tenant(&server, &database, folder.path(), &["classify", "--format", "mermaid", "--text"]);
    assert!(ran.text.starts_with("flowchart BT\n"), "{}", ran.text);
    assert!(ran.text.contains("public.rentals<br/>direct") && ran.text.contains("-->|\"rental_id\"|"), "{}", ran.text);
    let hostile = ran.text.lines().find(|l| l.contains("DROP")).unwrap();
    assert!(hostile.contains("public.or#34;gs#39;#59; DROP TABLE x#59; --"), "{hostile}");
}
