//! Addresses of the inventory against the catalog ids that the real pg_dump writes into the archive, both ways.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::archive::dump;
use crate::support::sessions::{fixtures, open};
use stacksnap::model::inventory::{Address, CatalogObject};
use stacksnap::pg::catalog::inventory::inventory;
use stacksnap::pg::catalog::marker::catalogs;
use stacksnap::pgtools::toc::Entry;

/// Kinds of entries with a catalog id that are no object of the inventory: they are parts of one.
const PARTS: [&str; 1] = ["DEFAULT"];

/// Kinds of the inventory that no entry has an id for, and why.
const WITHOUT_ID: [(&str, &str); 12] = [
    ("ACL", "an entry hangs on that of its object, and is there only where privileges are not the default"),
    ("COMMENT", "an entry hangs on that of its object"),
    ("SECURITY LABEL", "an entry hangs on that of its object"),
    ("SEQUENCE SET", "an entry hangs on that of its sequence"),
    ("TABLE ATTACH", "an entry depends on the partition and has its name"),
    ("INDEX ATTACH", "an entry depends on the partition's index and has its name"),
    ("ROW SECURITY", "an entry has the oid of the table, and class 0"),
    ("USER MAPPING", "an entry has the names of the user and the server alone"),
    ("ROLE", "roles are no part of a database"),
    ("ROLE MEMBERSHIP", "roles are no part of a database"),
    ("ROLE SETTING", "roles are no part of a database"),
    ("DATABASE SETTING", "they are together in DATABASE PROPERTIES"),
];

/// Why pg_dump writes no entry for it, although it writes one for others of its kind.
fn left_out(object: &CatalogObject) -> Option<&'static str> {
    let says = |text: &str| object.definition.contains(text);
    match object.kind.word() {
        _ if object.address.is_some_and(|a| a.oid < 16384) => Some("every database has it"),
        "CHECK CONSTRAINT" if !says("NOT VALID") && !says("NOT ENFORCED") => Some("its table or domain has it"),
        "NOT NULL CONSTRAINT" if !says("NOT VALID") => Some("its table or domain has it"),
        "FK CONSTRAINT" | "TRIGGER" if says("OF A PARTITIONED PARENT") => Some("its parent makes it"),
        "INDEX" if says(" INVALID") => Some("pg_dump leaves out an index that is not valid"),
        _ => None,
    }
}

/// Is that entry a view's query, which left its view because it waits for a primary key?
fn is_view(entry: &Entry) -> bool {
    entry.desc.word() == "RULE" && entry.definition.starts_with("CREATE OR REPLACE VIEW ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_has_its_object_and_every_object_its_entry() {
    let spec = fixtures();
    let folder = tempfile::tempdir().unwrap();
    let toc = dump(&spec, &folder.path().join("dump"));
    let session = open(&spec).await;
    let all = inventory(&session).await.unwrap();
    let without: BTreeMap<_, _> = WITHOUT_ID.into();

    let mut objects: BTreeMap<(&str, u32, u32), Vec<&CatalogObject>> = BTreeMap::new();
    for object in &all.objects {
        if let Some(a) = object.address {
            objects.entry((object.kind.word(), a.class, a.oid)).or_default().push(object);
        }
    }
    let kind_of = |entry: &Entry| match entry.desc.word() {
        // From 17 on an entry stands for a group of large objects: the first one's id.
        "BLOB METADATA" => "BLOB".to_string(),
        // From 18 on a NOT NULL that is not valid has an entry of its own, under this word.
        "CONSTRAINT" if entry.definition.contains(" NOT NULL ") => "NOT NULL CONSTRAINT".to_string(),
        other => other.to_string(),
    };
    let mut carried = BTreeSet::new();
    for entry in toc.entries.iter().filter(|e| e.catalog_oid != 0 && !PARTS.contains(&e.desc.word()) && !is_view(e)) {
        let kind = kind_of(entry);
        let found = objects.get(&(kind.as_str(), entry.catalog_oid, entry.oid)).map_or(0, Vec::len);
        assert_eq!(found, 1, "objects for {kind} {:?} ({}, {})", entry.tag, entry.catalog_oid, entry.oid);
        assert!(carried.insert((kind, entry.catalog_oid, entry.oid)), "two entries for {} {:?}", entry.desc, entry.tag);
    }
    let mut lost = Vec::new();
    for object in all.objects.iter().filter(|o| o.extension.is_none() && !without.contains_key(o.kind.word())) {
        let Some(Address { class, oid, sub: 0 }) = object.address else { panic!("no address: {object:?}") };
        let there = carried.contains(&(object.kind.to_string(), class, oid));
        if !there && left_out(object).is_none() {
            lost.push(format!("{} {}", object.kind, object.identity));
        }
    }
    assert!(lost.is_empty(), "no entry for {lost:#?}");
    assert!(carried.len() > 1000, "{}", carried.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_have_the_address_of_what_they_belong_to() {
    let spec = fixtures();
    let session = open(&spec).await;
    let all = inventory(&session).await.unwrap();
    let tables: BTreeSet<u32> =
        all.objects.iter().filter(|o| o.kind.word().ends_with("TABLE")).filter_map(|o| Some(o.address?.oid)).collect();
    for object in &all.objects {
        let Some(address) = object.address else {
            assert!(["ROLE MEMBERSHIP", "ROLE SETTING"].contains(&object.kind.word()), "{object:?}");
            continue;
        };
        if ["ROW SECURITY", "TABLE ATTACH"].contains(&object.kind.word()) {
            assert!(address.class == 1259 && tables.contains(&address.oid), "{object:?}");
        }
        let column = object.identity.starts_with("COLUMN ") || object.identity.contains(" column ");
        if ["ACL", "COMMENT"].contains(&object.kind.word()) {
            assert_eq!(address.sub != 0, column, "{object:?}");
        } else {
            assert_eq!(address.sub, 0, "{object:?}");
        }
    }
}

/// The same database restored elsewhere has other addresses: the change marker must not see them.
#[tokio::test(flavor = "multi_thread")]
async fn the_change_marker_does_not_see_addresses() {
    let session = open(&fixtures()).await;
    let mut objects = inventory(&session).await.unwrap().objects;
    let before = catalogs(&session, &objects).await.unwrap();
    objects.iter_mut().for_each(|o| o.address = None);
    let order: Vec<_> = objects.iter().map(|o| (o.kind, o.identity.clone())).collect();
    assert_eq!(catalogs(&session, &objects).await.unwrap(), before);
    objects.sort();
    let sorted: Vec<_> = objects.iter().map(|o| (o.kind, o.identity.clone())).collect();
    assert_eq!(sorted, order, "the order depends on addresses");
}
