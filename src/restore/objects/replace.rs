//! Chooses how to change an existing object that differs, without dropping it where possible.
//!
//! Invariant: every way ends in the snapshot's definition. The last resort is to drop the object, so that the archive
//! creates it again. Pure: it builds statements.

use super::constraint;
use super::delta::extension_schema;
use super::drop::{alter_sequence, row_security};
use crate::model::deparsed::columns::{column_name, columns, without_default};
use crate::model::identity::on;
use crate::model::index_state;
use crate::model::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;
use crate::pgtools::toc::Entry;

/// What to try for one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Run these. If one fails, drop the object instead.
    Alter(Vec<String>),
    /// Drop it; it is then created like a missing object.
    Drop,
    /// A file of the snapshot or another step changes it.
    Elsewhere,
}

/// Chooses the way. `entry`: the archive's entry of the wanted object.
pub fn way(wanted: &CatalogObject, live: &CatalogObject, entry: Option<&Entry>) -> Way {
    let same_definition = wanted.definition == live.definition;
    let for_all = |o: &CatalogObject| o.definition.contains("\"puballtables\": true");
    match wanted.kind {
        // A publication FOR ALL TABLES cannot become one for some tables.
        ObjectKind::Publication if for_all(wanted) != for_all(live) => Way::Drop,
        ObjectKind::Acl
        | ObjectKind::DefaultAcl
        | ObjectKind::Comment
        | ObjectKind::Role
        | ObjectKind::RoleMembership
        | ObjectKind::RoleSetting
        | ObjectKind::DatabaseSetting
        | ObjectKind::SequenceSet
        | ObjectKind::Publication
        | ObjectKind::PublicationTable
        | ObjectKind::PublicationTablesInSchema
        | ObjectKind::Blob => Way::Elsewhere,
        ObjectKind::Extension => match extension_schema(&wanted.definition) {
            Some(schema) => Way::Alter(vec![format!("ALTER EXTENSION {} SET SCHEMA {schema}", wanted.identity)]),
            None => Way::Elsewhere,
        },
        // Owners are set for all objects at the end.
        _ if same_definition => Way::Elsewhere,
        ObjectKind::RowSecurity => Way::Alter(vec![row_security(&wanted.identity, Some(&wanted.definition))]),
        ObjectKind::Function | ObjectKind::Procedure => {
            or_replace(entry, &[ObjectKind::Function, ObjectKind::Procedure])
        }
        ObjectKind::View if has_other_defaults(wanted, live) => Way::Drop,
        ObjectKind::View => or_replace(entry, &[ObjectKind::View]),
        ObjectKind::Sequence if same_place(wanted, live) => {
            alter_sequence(wanted).map_or(Way::Drop, |sql| Way::Alter(vec![sql]))
        }
        ObjectKind::MaterializedView => matview(wanted, live),
        ObjectKind::Table => table(wanted, live),
        ObjectKind::Constraint => index_state::statements(wanted, live).map_or(Way::Drop, Way::Alter),
        ObjectKind::TableAttach | ObjectKind::IndexAttach => Way::Elsewhere,
        ObjectKind::Trigger => trigger(wanted, live),
        // A file sets the state of a key's triggers.
        ObjectKind::FkConstraint if constraint::is_part(wanted, live) => Way::Elsewhere,
        kind if constraint::KINDS.contains(&kind) => {
            constraint::validate(wanted, live).map_or(Way::Drop, |sql| Way::Alter(vec![sql]))
        }
        ObjectKind::EventTrigger => event_trigger(wanted, live),
        // The archive has no options either.
        ObjectKind::UserMapping if wanted.definition.contains("not readable") => Way::Elsewhere,
        _ => Way::Drop,
    }
}

/// `CREATE` becomes `CREATE OR REPLACE`: the definition starts with its verb, whatever the body contains.
fn or_replace(entry: Option<&Entry>, kinds: &[ObjectKind]) -> Way {
    let Some(entry) = entry else { return Way::Drop };
    for word in kinds {
        if let Some(rest) = entry.definition.strip_prefix(&format!("CREATE {word} ")) {
            return Way::Alter(vec![format!("CREATE OR REPLACE {word} {rest}")]);
        }
    }
    Way::Drop
}

/// `CREATE OR REPLACE VIEW` does not change column defaults.
fn has_other_defaults(wanted: &CatalogObject, live: &CatalogObject) -> bool {
    let columns = |o: &CatalogObject| o.definition.split(" AS ").next().unwrap_or_default().to_string();
    columns(live).contains(" DEFAULT ") && columns(live) != columns(wanted)
}

/// Do both sequences belong to the same column in the same way?
fn same_place(wanted: &CatalogObject, live: &CatalogObject) -> bool {
    let place = |o: &CatalogObject| {
        let text = &o.definition;
        text.find(" OWNED BY ").or_else(|| text.find(" IDENTITY OF ")).map(|at| text[at..].to_string())
    };
    place(wanted) == place(live)
}

/// Refreshes the view if it differs only in whether it is populated.
fn matview(wanted: &CatalogObject, live: &CatalogObject) -> Way {
    let query = |o: &CatalogObject| {
        let text = o.definition.as_str();
        text.replace(" WITH NO DATA", "").replace(" WITH DATA", "")
    };
    if query(wanted) != query(live) {
        return Way::Drop;
    }
    let no = if wanted.definition.contains(" WITH NO DATA") { " WITH NO DATA" } else { "" };
    Way::Alter(vec![format!("REFRESH MATERIALIZED VIEW {}{no}", wanted.identity)])
}

/// Enables or disables the trigger if only its state differs: a partition's trigger cannot be dropped by itself.
fn trigger(wanted: &CatalogObject, live: &CatalogObject) -> Way {
    let ((core, state), (live_core, _)) = (trigger_state(&wanted.definition), trigger_state(&live.definition));
    let Some((name, table)) = on(&wanted.identity).filter(|_| core == live_core) else { return Way::Drop };
    Way::Alter(vec![format!("ALTER TABLE ONLY {table} {state} TRIGGER {name}")])
}

/// A role that may switch an event trigger may not be allowed to create it.
fn event_trigger(wanted: &CatalogObject, live: &CatalogObject) -> Way {
    let ((core, state), (live_core, _)) = (trigger_state(&wanted.definition), trigger_state(&live.definition));
    if core != live_core {
        return Way::Drop;
    }
    Way::Alter(vec![format!("ALTER EVENT TRIGGER {} {state}", wanted.identity)])
}

/// `CREATE POLICY` from the inventory's definition.
pub fn create_policy(policy: &CatalogObject) -> Option<String> {
    let (name, table) = on(&policy.identity)?;
    Some(format!("CREATE POLICY {name} ON {table} {}", policy.definition))
}

/// `CREATE TRIGGER` from the inventory's definition. `None`: the inventory has only the sha256 of its arguments.
pub fn create_trigger(trigger: &CatalogObject) -> Option<String> {
    if trigger.definition.contains(" arguments sha256:") {
        return None;
    }
    let (core, state) = trigger_state(&trigger.definition);
    let (name, table) = on(&trigger.identity)?;
    Some(format!("{core};\nALTER TABLE ONLY {table} {state} TRIGGER {name}"))
}

/// The definition without its state, and the state as words for `ALTER TABLE`.
fn trigger_state(definition: &str) -> (&str, &'static str) {
    const STATES: [(&str, &str); 3] =
        [(" DISABLED", "DISABLE"), (" ENABLED ALWAYS", "ENABLE ALWAYS"), (" ENABLED REPLICA", "ENABLE REPLICA")];
    let core = definition.strip_suffix(" OF A PARTITIONED PARENT").unwrap_or(definition);
    STATES.iter().find_map(|(end, word)| core.strip_suffix(end).map(|c| (c, *word))).unwrap_or((core, "ENABLE"))
}

/// A table's definition in parts: before the columns, the columns, after the columns.
pub fn table_parts(definition: &str) -> Option<(&str, Vec<&str>, &str)> {
    let lines = columns(definition)?;
    let (first, last) = (lines.first()?.start, lines.last()?.end);
    let texts = lines.into_iter().map(|line| &definition[line]).collect();
    Some((&definition[..first], texts, &definition[last..]))
}

/// Drops added columns and sets defaults. Any other difference recreates the table. Columns in another order stay in it, as
/// they do where nothing else differs (`difference::columns`).
fn table(wanted: &CatalogObject, live: &CatalogObject) -> Way {
    let (Some(w), Some(l)) = (table_parts(&wanted.definition), table_parts(&live.definition)) else { return Way::Drop };
    if w.0 != l.0 || w.2 != l.2 {
        return Way::Drop;
    }
    let line_of = |lines: &[&'_ str], name: &str| lines.iter().position(|line| column_name(line) == Some(name));
    let mut changes = Vec::new();
    for column in &l.1 {
        let Some(name) = column_name(column) else { return Way::Drop };
        let Some(at) = line_of(&w.1, name) else {
            changes.push(format!("ALTER TABLE {} DROP COLUMN {name} CASCADE", wanted.identity));
            continue;
        };
        let ((wanted_line, default), (line, live_default)) = (without_default(w.1[at]), without_default(column));
        if wanted_line != line {
            return Way::Drop;
        }
        if default != live_default {
            let action = default.map_or("DROP DEFAULT".to_string(), |default| format!("SET DEFAULT {default}"));
            changes.push(format!("ALTER TABLE ONLY {} ALTER COLUMN {name} {action}", wanted.identity));
        }
    }
    let is_missing = |line: &&str| column_name(line).is_none_or(|name| line_of(&l.1, name).is_none());
    if w.1.iter().any(is_missing) || changes.is_empty() { Way::Drop } else { Way::Alter(changes) }
}

/// Do two tables differ only in NOT NULL of their columns?
pub fn only_not_nulls(wanted: &CatalogObject, live: &CatalogObject) -> bool {
    let (Some(w), Some(l)) = (table_parts(&wanted.definition), table_parts(&live.definition)) else { return false };
    let same = |(w, l): (&&str, &&str)| {
        w == l || without_not_null(w).is_some_and(|w| w == **l) || without_not_null(l).is_some_and(|l| l == **w)
    };
    wanted.kind == ObjectKind::Table
        && (w.0, w.2) == (l.0, l.2)
        && w.1.len() == l.1.len()
        && w.1.iter().zip(&l.1).all(same)
}

/// A column's line without NOT NULL, which comes before everything that may contain these words.
fn without_not_null(line: &str) -> Option<String> {
    let name = column_name(line)?;
    let (before, after) = line[name.len()..].split_once(" NOT NULL")?;
    (!before.contains(" DEFAULT ")).then(|| format!("{name}{before}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::object;

    fn table_of(columns: &[&str]) -> CatalogObject {
        object("TABLE", "public.t", &format!("(\n  {}\n) WITH ()", columns.join(",\n  ")))
    }

    #[test]
    fn a_column_that_came_later_is_dropped_and_nothing_else() {
        let wanted = table_of(&["a integer NOT NULL", "\"b \"\"x\" text"]);
        let more = table_of(&["a integer NOT NULL", "\"b \"\"x\" text", "\"c d\" text DEFAULT ', x'::text"]);
        assert_eq!(
            way(&wanted, &more, None),
            Way::Alter(vec!["ALTER TABLE public.t DROP COLUMN \"c d\" CASCADE".into()])
        );
    }

    #[test]
    fn a_column_that_is_gone_or_changed_needs_its_rows() {
        let wanted = table_of(&["a integer NOT NULL", "b text"]);
        for live in [
            table_of(&["a integer NOT NULL"]),
            table_of(&["a bigint NOT NULL", "b text"]),
            table_of(&["b text", "a integer NOT NULL"]),
        ] {
            assert_eq!(way(&wanted, &live, None), Way::Drop, "{live:?}");
        }
    }

    /// `SET DEFAULT NULL` of a dump, on a child whose parents' columns come first.
    #[test]
    fn a_default_is_put_right_whatever_the_order_of_the_columns() {
        let wanted = table_of(&["a integer INHERITED", "b text", "c text INHERITED"]);
        let live = table_of(&["a integer DEFAULT NULL::integer INHERITED", "c text INHERITED", "b text"]);
        let alter = Way::Alter(vec!["ALTER TABLE ONLY public.t ALTER COLUMN a DROP DEFAULT".into()]);
        assert_eq!(way(&wanted, &live, None), alter);
    }

    #[test]
    fn columns_that_may_be_null_are_told_from_altered_ones() {
        let wanted = table_of(&["a integer NOT NULL DEFAULT 1", "b text INHERITED"]);
        assert!(only_not_nulls(&wanted, &table_of(&["a integer DEFAULT 1", "b text NOT NULL INHERITED"])));
        assert!(!only_not_nulls(&wanted, &table_of(&["a integer NOT NULL DEFAULT 2", "b text INHERITED"])));
        let text = |value: &str| table_of(&[&format!("a text DEFAULT '{value}'::text")]);
        assert!(!only_not_nulls(&text(" NOT NULL"), &text("")));
    }

    #[test]
    fn a_matview_that_was_emptied_is_filled() {
        let wanted = object("MATERIALIZED VIEW", "public.m", "WITH () AS SELECT 1 WITH DATA");
        let live = object("MATERIALIZED VIEW", "public.m", "WITH () AS SELECT 1 WITH NO DATA");
        assert_eq!(way(&wanted, &live, None), Way::Alter(vec!["REFRESH MATERIALIZED VIEW public.m".into()]));
        let other = object("MATERIALIZED VIEW", "public.m", "WITH () AS SELECT 2 WITH DATA");
        assert_eq!(way(&wanted, &other, None), Way::Drop);
    }

    #[test]
    fn a_default_of_a_views_column_goes_with_the_view() {
        let wanted = object("VIEW", "s.v", "COLUMNS (a text) AS  SELECT 1");
        let live = object("VIEW", "s.v", "COLUMNS (a text DEFAULT 'z'::text) AS  SELECT 1");
        assert_eq!(way(&wanted, &live, None), Way::Drop);
    }

    #[test]
    fn what_is_on_a_table_of_an_extension_is_made_from_the_inventory() {
        let policy = object("POLICY", "\"p on q\" on pgmq.q_x", "AS PERMISSIVE FOR ALL TO PUBLIC USING (true)");
        let sql = "CREATE POLICY \"p on q\" ON pgmq.q_x AS PERMISSIVE FOR ALL TO PUBLIC USING (true)";
        assert_eq!(create_policy(&policy).unwrap(), sql);
        let trigger = |definition| create_trigger(&object("TRIGGER", "t on pgmq.q_x", definition));
        let sql = "CREATE TRIGGER t EXECUTE FUNCTION f();\nALTER TABLE ONLY pgmq.q_x DISABLE TRIGGER t";
        assert_eq!(trigger("CREATE TRIGGER t EXECUTE FUNCTION f() DISABLED").unwrap(), sql);
        assert_eq!(trigger("CREATE TRIGGER t EXECUTE FUNCTION f(...) arguments sha256:00"), None);
    }

    #[test]
    fn a_trigger_is_switched_where_only_its_state_differs() {
        let wanted =
            object("TRIGGER", "g on s.t", "CREATE TRIGGER g EXECUTE FUNCTION f() DISABLED OF A PARTITIONED PARENT");
        let live = object("TRIGGER", "g on s.t", "CREATE TRIGGER g EXECUTE FUNCTION f() OF A PARTITIONED PARENT");
        assert_eq!(way(&wanted, &live, None), Way::Alter(vec!["ALTER TABLE ONLY s.t DISABLE TRIGGER g".into()]));
        assert_eq!(way(&live, &wanted, None), Way::Alter(vec!["ALTER TABLE ONLY s.t ENABLE TRIGGER g".into()]));
        let wanted = object("EVENT TRIGGER", "e", "ON ddl_command_end EXECUTE FUNCTION public.f()");
        let live = object("EVENT TRIGGER", "e", "ON ddl_command_end EXECUTE FUNCTION public.f() DISABLED");
        assert_eq!(way(&wanted, &live, None), Way::Alter(vec!["ALTER EVENT TRIGGER e ENABLE".into()]));
        let wanted =
            object("TRIGGER", "g on s.t", "CREATE TRIGGER g EXECUTE FUNCTION f() DISABLED OF A PARTITIONED PARENT");
        let other = object("TRIGGER", "g on s.t", "CREATE TRIGGER g EXECUTE FUNCTION h()");
        assert_eq!(way(&wanted, &other, None), Way::Drop);
    }

    #[test]
    fn an_owner_alone_is_set_at_the_end() {
        let wanted = CatalogObject { owner: Some("a".into()), ..object("TYPE", "public.t", "ENUM ('x')") };
        let live = CatalogObject { owner: Some("b".into()), ..wanted.clone() };
        assert_eq!(way(&wanted, &live, None), Way::Elsewhere);
    }
}
