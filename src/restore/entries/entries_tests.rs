//! Tests of entries without a server: classes, parts, and objects without an entry.

use super::{Entries, EntryClass, Making, Pass};
use crate::model::failure::FailureKind;
use crate::model::inventory::{Address, CatalogObject, Inventory};
use crate::pgtools::toc::{Entry, Section, Toc};

/// An entry in the schema `s` that has only a kind and a tag.
pub(crate) fn entry(dump_id: i64, desc: &str, tag: &str) -> Entry {
    Entry {
        dump_id,
        catalog_oid: 0,
        oid: 0,
        tag: tag.into(),
        desc: desc.into(),
        section: Section::PreData,
        definition: String::new(),
        drop_statement: String::new(),
        copy_statement: String::new(),
        schema: Some("s".into()),
        tablespace: None,
        access_method: None,
        relation_kind: None,
        owner: String::new(),
        depends_on: Vec::new(),
        file_name: String::new(),
    }
}

fn toc(entries: Vec<Entry>) -> Toc {
    let text = String::new;
    Toc { format_version: (1, 14), database: text(), server_version: text(), client_version: text(), entries }
}

fn object(kind: &str, identity: &str, address: Option<(u32, u32)>) -> CatalogObject {
    CatalogObject {
        kind: kind.into(),
        schema: Some("s".into()),
        identity: identity.into(),
        definition: String::new(),
        owner: None,
        extension: None,
        address: address.map(|(class, oid)| Address { class, oid, sub: 0 }),
    }
}

fn inventory(objects: Vec<CatalogObject>) -> Inventory {
    Inventory { objects, ..Inventory::default() }
}

fn with(mut entry: Entry, change: impl FnOnce(&mut Entry)) -> Entry {
    change(&mut entry);
    entry
}

fn ids(making: &Making) -> Vec<i64> {
    let Making::Entries(entries) = making else { panic!("{making:?}") };
    entries.iter().map(|e| e.dump_id).collect()
}

/// Tables named `a b` and `a`: their names must not be confused.
fn example() -> (Toc, Inventory) {
    let table = |id, tag: &str, oid| {
        with(entry(id, "TABLE", tag), |e| {
            (e.catalog_oid, e.oid) = (1259, oid);
        })
    };
    let on = |id, desc: &str, tag: &str, main| with(entry(id, desc, tag), |e| e.depends_on = vec![main]);
    let default = with(on(3, "DEFAULT", "a b c", 2), |e| {
        e.drop_statement = "ALTER TABLE s.\"a b\" ALTER COLUMN c DROP DEFAULT;\n".into();
        e.depends_on = vec![1, 2];
    });
    let column = with(on(4, "COMMENT", "COLUMN \"a b\".c", 2), |e| {
        e.definition = "COMMENT ON COLUMN s.\"a b\".c IS 'x';\n".into();
    });
    let constraint = with(on(5, "CONSTRAINT", "a b a_pkey", 2), |e| {
        (e.catalog_oid, e.oid) = (2606, 70_000);
        e.drop_statement = "ALTER TABLE ONLY s.\"a b\" DROP CONSTRAINT a_pkey;\n".into();
    });
    let attach = with(on(6, "INDEX ATTACH", "a_pkey", 1), |e| e.depends_on = vec![1, 2, 5]);
    let database = with(entry(7, "DATABASE", "db"), |e| e.catalog_oid = 1262);
    let grant = on(8, "ACL", "DATABASE db", 7);
    let gone = on(9, "ACL", "SCHEMA public", 99);
    let entries = vec![
        table(1, "a", 50_001),
        table(2, "a b", 50_002),
        default,
        column,
        on(10, "COMMENT", "TABLE \"a b\"", 2),
        on(11, "ROW SECURITY", "a b", 2),
        constraint,
        attach,
        database,
        grant,
        gone,
    ];
    let objects = vec![
        object("CONSTRAINT", "a_pkey on s.\"a b\"", Some((2606, 70_000))),
        object("TABLE", "s.\"a b\"", Some((1259, 50_002))),
    ];
    (toc(entries), inventory(objects))
}

#[test]
fn parts_belong_to_the_table_that_they_name() {
    let (toc, inventory) = example();
    let entries = Entries::new(&toc, &inventory).unwrap();
    let class = |id: i64| entries.all().find(|(e, _)| e.dump_id == id).unwrap().1;
    assert_eq!(class(3), EntryClass::Satellite(2));
    assert_eq!(class(6), EntryClass::Satellite(5));
    assert_eq!([class(7), class(8)], [EntryClass::Preamble; 2]);
    assert_eq!(class(9), EntryClass::Satellite(99));
    assert_eq!(ids(&entries.making(&inventory.objects[1])), [2, 3, 4, 10, 11]);
    assert_eq!(ids(&entries.making(&inventory.objects[0])), [5, 6]);
    let attach = object("INDEX ATTACH", "s.a_pkey", Some((1259, 60_001)));
    assert_eq!(ids(&entries.making(&attach)), [6]);
    let security = object("ROW SECURITY", "s.\"a b\"", Some((1259, 50_002)));
    assert_eq!(ids(&entries.making(&security)), [11]);
}

#[test]
fn comments_are_found_by_what_they_are_on() {
    let (toc, inventory) = example();
    let entries = Entries::new(&toc, &inventory).unwrap();
    let of = |identity: &str, sub| {
        let mut comment = object("COMMENT", identity, Some((1259, 50_002)));
        comment.address = Some(Address { class: 1259, oid: 50_002, sub });
        entries.making(&comment)
    };
    assert_eq!(ids(&of("table column s.\"a b\".c", 1)), [4]);
    assert_eq!(ids(&of("table s.\"a b\"", 0)), [10]);
    assert!(matches!(of("table column s.\"a b\".d", 2), Making::NotNeeded(_)), "from the inventory");
}

#[test]
fn what_has_no_entry_says_why_or_is_missing() {
    let (toc, inventory) = example();
    let entries = Entries::new(&toc, &inventory).unwrap();
    let making = |kind: &str, definition: &str| {
        let mut found = object(kind, "s.x", Some((2606, 99_999)));
        found.definition = definition.into();
        entries.making(&found)
    };
    assert!(matches!(making("CHECK CONSTRAINT", "CHECK (true)"), Making::NotNeeded(_)));
    assert_eq!(making("CHECK CONSTRAINT", "CHECK (true) NOT VALID UNPROVED"), Making::Missing);
    assert!(matches!(making("FK CONSTRAINT", "x OF A PARTITIONED PARENT"), Making::NotNeeded(_)));
    assert_eq!(making("FK CONSTRAINT", "x"), Making::Missing);
    assert!(matches!(making("ROLE", ""), Making::NotNeeded(_)));
    assert_eq!(making("TABLE", ""), Making::Missing);
}

#[test]
fn a_kind_that_is_not_known_is_an_error_in_words() {
    let (mut toc, inventory) = example();
    toc.entries.push(entry(12, "PROPERTY GRAPH", "g\n\\! x"));
    let failure = Entries::new(&toc, &inventory).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Configuration);
    assert!(failure.to_string().contains("PROPERTY GRAPH \"g\\u{a}\\! x\""), "{failure}");
    // A part that does not name its object is an error too.
    toc.entries.pop();
    toc.entries.push(entry(12, "TABLE ATTACH", "nowhere"));
    assert_eq!(Entries::new(&toc, &inventory).unwrap_err().kind, FailureKind::Integrity);
}

#[test]
fn a_snapshot_without_addresses_is_refused() {
    let (toc, mut inventory) = example();
    inventory.objects.iter_mut().for_each(|o| o.address = None);
    assert_eq!(Entries::new(&toc, &inventory).unwrap_err().kind, FailureKind::Configuration);
}

#[test]
fn event_triggers_and_refreshes_come_last() {
    let mut trigger = entry(1, "EVENT TRIGGER", "e");
    trigger.catalog_oid = 3466;
    let comment = with(entry(2, "COMMENT", "EVENT TRIGGER e"), |e| e.depends_on = vec![1]);
    let toc = toc(vec![
        trigger,
        comment,
        entry(3, "MATERIALIZED VIEW DATA", "m"),
        entry(4, "DEFAULT ACL", "d"),
        entry(5, "TABLE", "t"),
    ]);
    let inventory = inventory(Vec::new());
    let entries = Entries::new(&toc, &inventory).unwrap();
    let passes: Vec<Pass> = toc.entries.iter().map(|e| entries.pass(e)).collect();
    assert_eq!(passes, [Pass::Last, Pass::Last, Pass::Last, Pass::Privileges, Pass::Main]);
}
