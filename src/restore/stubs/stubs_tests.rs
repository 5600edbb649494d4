//! Plans for missing extensions, tested with small TOCs and inventories.

use super::*;
use crate::model::inventory::{Column, TableFacts};
use crate::model::name::QualifiedName;
use crate::pgtools::toc::Section;

fn member(kind: &str, identity: &str, definition: &str) -> CatalogObject {
    CatalogObject {
        kind: kind.into(),
        schema: Some("x".into()),
        identity: identity.into(),
        definition: definition.into(),
        owner: None,
        extension: Some("vector".into()),
        address: None,
    }
}

fn entry(dump_id: i64, desc: &str, tag: &str, definition: &str, depends_on: &[i64]) -> Entry {
    Entry {
        dump_id,
        catalog_oid: 0,
        oid: 0,
        tag: tag.into(),
        desc: desc.into(),
        section: Section::PreData,
        definition: definition.into(),
        drop_statement: String::new(),
        copy_statement: String::new(),
        schema: Some("public".into()),
        tablespace: None,
        access_method: None,
        relation_kind: None,
        owner: String::new(),
        depends_on: depends_on.to_vec(),
        file_name: String::new(),
    }
}

fn toc(entries: Vec<Entry>) -> Toc {
    Toc {
        format_version: (1, 14),
        database: String::new(),
        server_version: String::new(),
        client_version: String::new(),
        entries,
    }
}

fn inventory(type_name: &str) -> Inventory {
    let extension = CatalogObject { extension: None, ..member("EXTENSION", "vector", "") };
    let table = TableFacts {
        oid: 1,
        name: QualifiedName::new("public", "docs"),
        columns: vec![
            Column { name: "id".into(), type_name: "integer".into(), generated: false },
            Column { name: "v".into(), type_name: type_name.into(), generated: false },
        ],
        persistence: 'p',
        extension: None,
        extension_config: false,
        bytes_estimated: 0,
        rows_estimated: 0,
    };
    let base = "BASE INPUT x.vector_in OUTPUT x.vector_out TYPMOD_IN x.tin TYPMOD_OUT x.tout LENGTH -1 COLLATABLE f DELIMITER ,";
    Inventory {
        objects: vec![
            extension,
            member("TYPE", "x.vector", base),
            member(
                "FUNCTION",
                "x.dims(x.vector)",
                "(x.vector) RETURNS integer LANGUAGE c IMMUTABLE STRICT COST 1 AS 'f' f",
            ),
            member("FUNCTION", "x.vector_in(cstring)", "(cstring) RETURNS x.vector LANGUAGE c AS 'f' f"),
            member("OPERATOR", "x.<->(x.vector,x.vector)", "FUNCTION x.l2 COMMUTATOR x.<->(x.vector,x.vector)"),
            member("AGGREGATE", "x.avg(x.vector)", "(x.vector) KIND n"),
            member("TABLE", "x.state", ""),
        ],
        tables: vec![table],
        written_acls: None,
        tells_index_state: true,
        tells_replication: true,
        rls_view: None,
    }
}

#[test]
fn nothing_is_planned_when_everything_is_offered() {
    let plan = plan(&toc(vec![]), &inventory("x.vector(3)"), &["vector".into()]);
    assert!(plan.is_empty());
}

#[test]
fn trap_26_types_are_stubbed_what_needs_more_is_left_out_and_all_is_named() {
    let member_rows = Entry { schema: Some("x".into()), ..entry(9, "TABLE DATA", "state", "", &[77]) };
    let entries = vec![
        entry(1, "EXTENSION", "vector", "CREATE EXTENSION vector", &[]),
        entry(2, "TABLE", "docs", "CREATE TABLE public.docs (id integer, v x.vector(3))", &[1]),
        entry(3, "INDEX", "docs_v", "CREATE INDEX docs_v ON public.docs USING hnsw (v)", &[2, 1]),
        entry(4, "VIEW", "means", "CREATE VIEW public.means AS SELECT x.avg(v) FROM public.docs", &[2, 1]),
        entry(5, "VIEW", "of_means", "CREATE VIEW public.of_means AS SELECT FROM public.means", &[4]),
        entry(6, "FUNCTION", "f()", "CREATE FUNCTION public.f()\n    AS $$SELECT x.avg(v)$$", &[]),
        entry(7, "POLICY", "docs p", "CREATE POLICY p ON public.docs USING (x.dims(v) = 3)", &[2, 1]),
        entry(8, "TABLE", "other", "CREATE TABLE public.other (t text DEFAULT 'x.avg(')", &[]),
        member_rows,
    ];
    let plan = plan(&toc(entries), &inventory("x.vector(3)"), &["plpgsql".into()]);
    assert_eq!(plan.skip, BTreeSet::from([1, 3, 4, 5, 9]));
    let named: Vec<(&str, &str)> = plan.not_proven.iter().map(|e| (e.code.as_str(), e.what.as_str())).collect();
    for wanted in [
        (MISSING, "extension vector"),
        (MISSING, "index public.docs_v"),
        (MISSING, "view public.means"),
        (MISSING, "view public.of_means"),
        (MISSING, "table data x.state"),
        (STUBBED, "table public.docs"),
        (STUBBED, "policy public.docs p"),
    ] {
        assert!(named.contains(&wanted), "{wanted:?} in {named:?}");
    }
    assert_eq!(named.len(), 7, "{named:?}");
    let table = plan.not_proven.iter().find(|e| e.what == "table public.docs").unwrap();
    assert!(table.why.contains("rows are loaded") && table.why.ends_with(": v"), "{table:?}");
    let sql = plan.statements.join("\n");
    for wanted in [
        "CREATE TYPE x.vector\n",
        "'textin'",
        "'varchartypmodin'",
        "CREATE FUNCTION x.dims(x.vector) RETURNS integer",
        "CREATE OPERATOR x.<->",
    ] {
        assert!(sql.contains(wanted), "{wanted} in {sql}");
    }
    assert!(!sql.contains("x.avg") && sql.matches("FUNCTION x.vector_in").count() == 1, "{sql}");
    assert!(plan.objects.iter().any(|o| o.kind == ObjectKind::Type && o.identity == "x.vector"));
}

#[test]
fn modifiers_that_are_no_number_are_taken() {
    let plan = plan(&toc(vec![]), &inventory("x.vector(Point,4326)"), &[]);
    assert!(plan.statements.iter().any(|s| s.contains("array_ndims")));
}

#[test]
fn trap_26_a_modifier_that_the_server_shows_by_itself_is_kept() {
    // Like pgvector: a function that reads the modifier, and none that shows it.
    let mut inventory = inventory("x.vector(3)");
    for object in &mut inventory.objects {
        object.definition = object.definition.replace(" TYPMOD_OUT x.tout", "");
    }
    let sql = plan(&toc(vec![]), &inventory, &[]).statements.join("\n");
    assert!(sql.contains("TYPMOD_IN = x.tin, TYPMOD_OUT = pg_catalog.varchartypmodout"), "{sql}");
    assert!(sql.contains("'varchartypmodin'") && !sql.contains("FUNCTION pg_catalog."), "{sql}");
}
