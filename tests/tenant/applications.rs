//! Two ordinary applications: one whose tenants are its users, one of accounts with members on plain PostgreSQL.

use crate::support::server;
use crate::{numbers, of_table, tenant};

#[test]
fn users_are_the_tenants_where_nothing_else_has_members() {
    let server = server();
    let database = server.load("tenant_users", "revoked", &["tenancy_users"]);
    let folder = tempfile::tempdir().unwrap();
    let ran = tenant(&server, &database, folder.path(), &["check", "--fail-on", "ambiguous"]);
    assert_eq!(ran.code, 0, "{}", ran.text);
    let root = &ran.document["root"];
    assert_eq!((root["table"]["schema"].as_str(), root["table"]["name"].as_str()), (Some("auth"), Some("users")));
    for (table, class, path) in [
        ("auth.identities", "direct", "user_id"),
        ("public.profiles", "direct", "id"),
        ("public.pages", "derived", "notebook_id -> public.notebooks.user_id"),
        ("public.templates", "shared", ""),
        ("storage.objects", "direct", "*: owner"),
    ] {
        let entry = of_table(&ran.document, table);
        assert_eq!((entry["class"].as_str(), entry["owner_path"].as_str()), (Some(class), Some(path)), "{table}");
    }
    // Pages 1 and 2 carry a tag of somebody else.
    assert_eq!(numbers(&ran.document, "public.page_tags"), [12, 12, 0, 0, 0, 0, 2, 2]);
    assert_eq!(numbers(&ran.document, "storage.objects"), [3, 3, 0, 0, 0, 0, 3, 0]);
}

#[test]
fn accounts_with_members_win_over_users_and_projects() {
    let server = server();
    let database = server.load("tenant_accounts", "revoked", &["tenancy_accounts"]);
    let folder = tempfile::tempdir().unwrap();
    let ran = tenant(&server, &database, folder.path(), &["check", "--fail-on", "leak,ambiguous"]);
    assert_eq!(ran.code, 0, "{}", ran.text);
    assert_eq!(
        (ran.document["root"]["table"]["name"].as_str(), ran.document["root"]["label"].as_str()),
        (Some("accounts"), Some("title"))
    );
    // Each person has a current account, and belongs to several.
    assert_eq!(of_table(&ran.document, "crm.users")["class"], "member");
    assert_eq!(of_table(&ran.document, "crm.project_members")["owner_path"], "project_id -> crm.projects.account_id");
    assert_eq!(numbers(&ran.document, "crm.deals"), [20, 20, 0, 0, 0, 0, 2, 0]);
}
