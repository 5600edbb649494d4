//! Snapshot, restore script, and then source and target compared object by object and row by row.

mod round_support;

use std::path::Path;

use round_support::compare::same_but;
use round_support::{Cluster, EVERYTHING, Snapshot, client, server};

/// What a restore by a superuser of plain PostgreSQL cannot bring back, and why.
const ORDER: &str = "pg_dump writes options in the order of their names; `option_order` compares them sorted";
const EVENT_TRIGGER: (&str, &str) =
    ("EVENT TRIGGER log_ddl: owner", "plain PostgreSQL wants a superuser as owner of an event trigger");
const EXTENSION: (&str, &str) = ("EXTENSION pgmq: owner", "an extension's owner is who creates it, and cannot be changed");
const ROLE: (&str, &str) = ("ROLE supabase_admin: definition", "the role that restores keeps its own password");
const ZOO: [(&str, &str); 4] = [
    ("COLLATION zoo.like_c: definition", "initdb alone makes collations for any encoding; CREATE COLLATION takes the database's"),
    ("FK CONSTRAINT ri_disabled_parent_fkey on zoo.ri_disabled: definition", "its rows break it, so it comes back NOT VALID"),
    ("USER MAPPING public on server zoo_server: definition", ORDER),
    ("USER MAPPING supabase_admin on server zoo_postgres: definition", ORDER),
];

const STORAGE_GAP: &str = "storage_files_not_captured 41 files, 607288 bytes in 3 buckets";
const VAULT_GAPS: [&str; 3] = [
    "vault_secrets_not_captured vault secret 'smtp_password'",
    "vault_secrets_not_captured vault secret 'stripe_key'",
    "vault_secrets_not_captured vault secret bc47a415-f482-47df-a704-ad9535895c0d",
];

fn expected_gaps(more: &[&str]) -> Vec<String> {
    let mut gaps: Vec<String> =
        VAULT_GAPS.iter().chain([&STORAGE_GAP]).chain(more).map(|g| (*g).to_string()).collect();
    gaps.sort();
    gaps
}

/// A project's folder with everything that a whole snapshot wants.
fn project() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/project").to_str().unwrap().to_string()
}

fn option_order(source: &Cluster, from: &str, target: &Cluster, to: &str) {
    let sql = "SELECT s.srvname, m.usename, o.* FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid, \
               pg_options_to_table(m.umoptions) o ORDER BY 1, 2, 3, 4";
    let options = source.sql(from, sql);
    assert!(options.contains("mapping-secret-1") && options.contains("mapping-secret-2"), "{options}");
    assert_eq!(options, target.sql(to, sql));
}

/// Takes and restores everything of a database; gives back the snapshot and the look at its source.
fn there_and_back(source: &Cluster, from: &str, target: &Cluster, to: &str, root: &Path) -> (Snapshot, Snapshot) {
    let snapshot = source.create(from, root, 3, &["--project-dir", &project()]);
    assert!(!snapshot.manifest.complete);
    snapshot.is_good();
    target.empty(to);
    let said = target.restore(&snapshot, to, 3);
    assert!(said.contains("restored what the snapshot holds"), "{said}");
    (snapshot, target.look(to))
}

#[test]
fn everything_as_superuser_and_as_postgres() {
    let (source, target) = (server(), Cluster::start(15));
    let place = tempfile::tempdir().unwrap();
    let from = source.load("round_source", "revoked", EVERYTHING);
    let (snapshot, restored) = there_and_back(&source, &from, &target, "round_target", &place.path().join("all"));
    assert_eq!(snapshot.gaps(), expected_gaps(&[]));
    let expected = [&[EVENT_TRIGGER, EXTENSION, ROLE][..], &ZOO].concat();
    same_but(&snapshot, &restored, &expected);
    option_order(&source, &from, &target, "round_target");
}
