//! Severities, rules across major versions, and rename hints: each shown with minimal inventories.

use proptest::prelude::*;

use super::*;
use crate::model::inventory::Address;

fn object(kind: &str, identity: &str, definition: &str) -> CatalogObject {
    CatalogObject {
        kind: kind.into(),
        schema: Some("s".into()),
        identity: identity.into(),
        definition: definition.into(),
        owner: Some("postgres".into()),
        extension: None,
        address: None,
    }
}

fn one(left: CatalogObject, right: CatalogObject, rules: &Rules) -> ObjectDifference {
    let mut found = compare(&[left], &[right], rules);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn changed(kind: &str, left: &str, right: &str) -> ObjectDifference {
    one(object(kind, "x", left), object(kind, "x", right), &Rules::default())
}

#[test]
fn severities_are_told_by_kind_and_by_what_changed() {
    assert!(Severity::Security < Severity::Structure && Severity::Structure < Severity::Cosmetic);
    for kind in ["POLICY", "ROW SECURITY", "ACL", "DEFAULT ACL", "ROLE", "ROLE MEMBERSHIP"] {
        assert_eq!(changed(kind, "a", "b").severity, Severity::Security, "{kind}");
    }
    assert_eq!(changed("COMMENT", "a", "b").severity, Severity::Cosmetic);
    assert_eq!(changed("TABLE", "a", "b").severity, Severity::Structure);
    let mut other = object("TABLE", "x", "a");
    other.owner = Some("anon".into());
    let found = one(object("TABLE", "x", "a"), other, &Rules::default());
    assert_eq!((found.severity, found.owner_right.as_deref()), (Severity::Security, Some("anon")));
}

#[test]
fn security_definer_counts_in_the_head_only() {
    let plain = "() RETURNS void LANGUAGE sql VOLATILE PARALLEL u AS \nselect ' SECURITY DEFINER'";
    let definer = "(a text DEFAULT 'x\n AS \n') RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER AS \nselect 1";
    assert_eq!(changed("FUNCTION", plain, "other").severity, Severity::Structure);
    assert_eq!(changed("FUNCTION", plain, definer).severity, Severity::Security);
    assert_eq!(compare(&[object("FUNCTION", "f()", definer)], &[], &Rules::default())[0].severity, Severity::Security);
}

#[test]
fn a_view_that_lost_security_invoker_is_a_hole() {
    let with = "WITH (security_invoker=true) COLUMNS (a integer) AS  SELECT 1;";
    let without = "COLUMNS (a integer) AS  SELECT 1;";
    assert_eq!(changed("VIEW", with, without).severity, Severity::Security);
    assert_eq!(changed("VIEW", with, &with.replace('1', "2")).severity, Severity::Structure);
}

#[test]
fn addresses_are_never_compared() {
    let mut moved = object("TABLE", "s.t", "(\n  a integer\n)");
    moved.address = Some(Address { class: 1259, oid: 7, sub: 0 });
    assert_eq!(compare(&[moved], &[object("TABLE", "s.t", "(\n  a integer\n)")], &Rules::default()), vec![]);
}

#[test]
fn what_is_ignored_is_named_by_a_rule() {
    let left = [object("ROLE", "r", "LOGIN"), object("COMMENT", "role r", "x"), object("SEQUENCE SET", "s.q", "1, f")];
    assert_eq!(compare(&left, &[], &Rules::default()).len(), 3);
    let rules = Rules { ignore_roles: true, ignore_sequence_values: true, ..Rules::default() };
    assert_eq!(compare(&left, &[], &rules), vec![]);
}

#[test]
fn facts_23_majors_differ_by_nature_and_the_rest_stays_strict() {
    let rules = Rules::between(150_018, 180_006);
    let acl = |text: &str| object("ACL", "TABLE s.t", text);
    let old = "postgres=DELETE,INSERT/postgres\n\"a=b,MAINTAIN/\"=SELECT/postgres";
    let new = "postgres=DELETE,INSERT,MAINTAIN/postgres\n\"a=b,MAINTAIN/\"=MAINTAIN*,SELECT/postgres\nx=MAINTAIN/p";
    let found = one(acl(old), acl(new), &rules);
    assert_eq!(found.severity, Severity::Cosmetic);
    assert!(found.note.unwrap().contains("MAINTAIN"));
    assert_eq!(one(acl(old), acl(&new.replace("SELECT/", "SELECT,UPDATE/")), &rules).severity, Severity::Security);
    assert_eq!(one(acl(old), acl(new), &Rules::default()).severity, Severity::Security, "the same major");

    let version =
        |v: &str| object("EXTENSION", "pg_net", &format!("VERSION '{v}' SCHEMA net RELOCATABLE f CONFIG none"));
    assert_eq!(one(version("1"), version("2"), &rules).severity, Severity::Cosmetic);
    let mut moved = version("2");
    moved.definition = moved.definition.replace("SCHEMA net", "SCHEMA public");
    assert_eq!(one(version("1"), moved, &rules).severity, Severity::Structure);

    let mut owner = version("2");
    owner.owner = Some("anon".into());
    assert_eq!(one(version("1"), owner, &rules).severity, Severity::Security);

    let view = |columns: &str, query: &str| object("VIEW", "s.v", &format!("COLUMNS ({columns}) AS  SELECT {query};"));
    assert_eq!(one(view("a integer", "t.a"), view("a integer", "a"), &rules).severity, Severity::Cosmetic);
    assert_eq!(one(view("a integer", "t.a"), view("a bigint", "a"), &rules).severity, Severity::Structure);
    let matview = |tail: &str| object("MATERIALIZED VIEW", "s.m", &format!("COLUMNS (a int) AS  SELECT 1; {tail}"));
    assert_eq!(one(matview("WITH DATA"), matview("WITH NO DATA"), &rules).severity, Severity::Structure);
    let trigger = |text: &str| object("TRIGGER", "a on s.t", text);
    assert_eq!(one(trigger("x"), trigger("y"), &rules).severity, Severity::Structure);
}

#[test]
fn facts_23_members_follow_their_extension_but_not_their_rights() {
    let rules = Rules::between(150_018, 180_006);
    let member = |kind: &str, definition: &str| {
        let mut member = object(kind, "net.f()", definition);
        member.extension = Some("pg-net".into());
        member
    };
    let side = |version: &str, object_: CatalogObject| {
        vec![object("EXTENSION", "\"pg-net\"", &format!("VERSION '{version}' SCHEMA net RELOCATABLE f")), object_]
    };
    let severity = |kind: &str| {
        let found = compare(&side("1", member(kind, "a")), &side("2", member(kind, "b")), &rules);
        found.into_iter().find(|d| d.kind == ObjectKind::of(kind)).unwrap().severity
    };
    assert_eq!(severity("FUNCTION"), Severity::Cosmetic);
    assert_eq!(severity("ACL"), Severity::Security);
    assert_eq!(severity("POLICY"), Severity::Security);
}

#[test]
fn facts_23_catalog_columns_memberships_and_not_null_constraints() {
    let rules = Rules::between(150_018, 180_006);
    let database = |json: &str| object("DATABASE", "database", &format!("ENCODING UTF8 TABLESPACE pg_default {json}"));
    let old = database(r#"{"datallowconn": true, "daticulocale": null}"#);
    let new = database(r#"{"datallowconn": true, "datlocale": null, "dathasloginevt": false}"#);
    assert_eq!(one(old.clone(), new, &rules).severity, Severity::Cosmetic);
    assert_eq!(one(old, database(r#"{"datallowconn": false}"#), &rules).severity, Severity::Structure);

    let member = |text: &str| [object("ROLE MEMBERSHIP", "a in b by c", text)];
    assert_eq!(compare(&member(""), &member("INHERIT SET"), &rules), vec![]);
    assert_eq!(compare(&member(""), &member("WITH ADMIN INHERIT SET"), &rules).len(), 1);
    assert_eq!(compare(&member("INHERIT"), &member("INHERIT SET"), &Rules::between(160_000, 180_000)).len(), 1);
    let not_null = [object("NOT NULL CONSTRAINT", "t_a_not_null on s.t", "NOT NULL a")];
    assert_eq!(compare(&[], &not_null, &rules), vec![]);
    assert_eq!(compare(&[], &not_null, &Rules::default()).len(), 1);
}

#[test]
fn facts_23_identities_of_partitions_and_names_of_parts_of_foreign_keys() {
    let rules = Rules::between(150_018, 180_006);
    let table = |id: &str| object("TABLE", "s.part", &format!("(\n  id bigint NOT NULL{id} INHERITED,\n  t text\n)"));
    let identity = " GENERATED BY DEFAULT AS IDENTITY";
    assert_eq!(one(table(""), table(identity), &rules).severity, Severity::Cosmetic);
    assert_eq!(one(table(""), table(" DEFAULT 1"), &rules).severity, Severity::Structure);
    let own = object("TABLE", "s.part", &format!("(\n  id bigint NOT NULL{identity},\n  t text\n)"));
    assert_eq!(one(table(""), own, &rules).severity, Severity::Structure, "its own identity");

    let part = |name: &str, table: &str| {
        let text = format!("FOREIGN KEY (a) REFERENCES s.{table}(a) OF A PARTITIONED PARENT RI TRIGGERS O");
        object("FK CONSTRAINT", &format!("{name} on s.t"), &text)
    };
    let found = compare(&[part("fk1", "p")], &[part("fk_1", "p")], &rules);
    assert!(found.len() == 2 && found.iter().all(|d| d.severity == Severity::Cosmetic), "{found:#?}");
    let found = compare(&[part("fk1", "p")], &[part("fk_1", "q")], &rules);
    assert!(found.len() == 2 && found.iter().all(|d| d.severity == Severity::Structure), "{found:#?}");
}

#[test]
fn members_come_and_go_with_their_extension() {
    let mut acl = object("ACL", "FUNCTION e.f()", "PUBLIC=EXECUTE/x");
    acl.extension = Some("uuid-ossp".into());
    let with = [object("EXTENSION", "\"uuid-ossp\"", "VERSION '1' SCHEMA e"), acl.clone()];
    let found = compare(&with, &[], &Rules::default());
    assert!(found.iter().all(|d| d.severity == Severity::Structure), "{found:#?}");
    assert_eq!(found.iter().filter(|d| d.note.is_some()).count(), 1);
    assert_eq!(
        compare(&with, &with[..1], &Rules::default())[0].severity,
        Severity::Security,
        "its grant alone is gone"
    );
}

fn renamed(found: &[ObjectDifference], identity: &str) -> Option<String> {
    let missing = found.iter().find(|d| d.identity == identity && d.change == Change::Missing);
    missing.unwrap_or_else(|| panic!("{identity} is not missing: {found:#?}")).renamed_to.clone()
}

#[test]
fn a_renamed_table_takes_what_stands_on_it_along() {
    let side = |table: &str| {
        vec![
            object("TABLE", &format!("s.{table}"), "(\n  id integer,\n  t text\n)"),
            object("POLICY", &format!("own on s.{table}"), "AS PERMISSIVE FOR ALL TO PUBLIC USING (true)"),
            object("INDEX", &format!("s.{table}_i"), &format!("CREATE INDEX {table}_i ON s.{table} USING btree (id)")),
            object("TRIGGER", &format!("g on s.{table}"), &format!("CREATE TRIGGER g BEFORE INSERT ON s.{table}")),
        ]
    };
    let found = compare(&side("t"), &side("u"), &Rules::default());
    assert_eq!(renamed(&found, "s.t").as_deref(), Some("s.u"));
    assert_eq!(renamed(&found, "own on s.t").as_deref(), Some("own on s.u"));
    assert_eq!(renamed(&found, "g on s.t").as_deref(), Some("g on s.u"));
    let extra = found.iter().find(|d| d.identity == "s.u").unwrap();
    assert_eq!(extra.note.as_deref(), Some("it may be s.t, renamed"));
}

#[test]
fn a_policy_of_another_table_is_not_the_same_policy() {
    let policy = |table: &str| [object("POLICY", &format!("own on s.{table}"), "AS PERMISSIVE FOR ALL TO PUBLIC")];
    assert_eq!(renamed(&compare(&policy("a"), &policy("b"), &Rules::default()), "own on s.a"), None);
    let function = |name: &str| object("FUNCTION", &format!("s.{name}(integer)"), "(a integer) RETURNS void");
    let two = [function("g"), function("h")];
    assert_eq!(renamed(&compare(&[function("f")], &two, &Rules::default()), "s.f(integer)"), None, "two could be it");
    let one = [function("g")];
    assert_eq!(renamed(&compare(&[function("f")], &one, &Rules::default()), "s.f(integer)").unwrap(), "s.g(integer)");
}

#[test]
fn in_one_database_the_address_tells_a_rename() {
    let table = |name: &str, definition: &str| {
        let mut table = object("TABLE", name, definition);
        table.address = Some(Address { class: 1259, oid: 4711, sub: 0 });
        [table]
    };
    let (was, is) = (table("s.a", "(x)"), table("s.b", "(x, y)"));
    assert_eq!(renamed(&compare(&was, &is, &Rules::default()), "s.a"), None);
    let rules = Rules { same_database: true, ..Rules::default() };
    assert_eq!(renamed(&compare(&was, &is, &rules), "s.a").as_deref(), Some("s.b"));
}

#[test]
fn worst_first_and_objects_of_one_identity_meet() {
    let left = [object("TABLE", "s.b", "1"), object("COMMENT", "c", "1"), object("POLICY", "p on s.b", "1")];
    let found = compare(&left, &[], &Rules::default());
    let kinds: Vec<&str> = found.iter().map(|d| d.kind.word()).collect();
    assert_eq!(kinds, ["POLICY", "TABLE", "COMMENT"]);
    let twice = |a: &str, b: &str| vec![object("USER MAPPING", "m", a), object("USER MAPPING", "m", b)];
    assert_eq!(compare(&twice("1", "2"), &twice("2", "1"), &Rules::default()), vec![]);
    assert_eq!(compare(&twice("1", "2"), &twice("2", "3"), &Rules::default()).len(), 2);
}

proptest! {
    #[test]
    fn a_side_equals_itself_and_sides_mirror_each_other(
        left in proptest::collection::vec(("[AB]{1}", "[a-c.\" (]{0,4}", "[a-b\n']{0,4}"), 0..12),
        right in proptest::collection::vec(("[AB]{1}", "[a-c.\" (]{0,4}", "[a-b\n']{0,4}"), 0..12),
    ) {
        let side = |v: &[(String, String, String)]| v.iter().map(|(k, i, d)| object(k, i, d)).collect::<Vec<_>>();
        let (left, right) = (side(&left), side(&right));
        prop_assert!(compare(&left, &left, &Rules::default()).is_empty());
        let there = compare(&left, &right, &Rules::default());
        let back = compare(&right, &left, &Rules::default());
        let count = |found: &[ObjectDifference], change| found.iter().filter(|d| d.change == change).count();
        prop_assert_eq!(count(&there, Change::Missing), count(&back, Change::Extra));
        prop_assert_eq!(count(&there, Change::Differs), count(&back, Change::Differs));
    }
}
