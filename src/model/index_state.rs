//! The state of an index in an inventory: whether it is valid, and the state of the index behind a constraint.
//!
//! Invariant: pure. Names and expressions in a definition are never taken for a state keyword: the state is at the end
//! of the definition and is used only if all the text around it is understood.

use super::inventory::{CatalogObject, Inventory};
use super::name::ident;
use crate::model::object_kind::ObjectKind;

/// Starts the line of a constraint's definition that describes its index (format 1.4).
const OF_CONSTRAINT: &str = "\nINDEX ";

/// The definition of an invalid index without the state keywords; `None` if the index is valid.
fn as_valid(object: &CatalogObject) -> Option<String> {
    if object.kind != ObjectKind::Index {
        return None;
    }
    let text = &object.definition;
    let at = text.rfind(" INVALID")?;
    let mut rest = &text[at + " INVALID".len()..];
    rest = rest.strip_prefix(" NOT READY").unwrap_or(rest);
    let plain = format!("{}{rest}", &text[..at]);
    for word in [" CLUSTERED", " REPLICA IDENTITY"] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    (rest.is_empty() || rest.starts_with(" TABLESPACE ") || rest.starts_with(" STATISTICS ")).then_some(plain)
}

/// An invalid index that no query uses and no archive contains: left by a failed `CREATE INDEX CONCURRENTLY`. An
/// invalid index of a partitioned table does not count: the archive contains it, and it becomes valid when every
/// partition has one.
pub fn is_left_over(object: &CatalogObject) -> bool {
    as_valid(object).is_some() && !object.definition.contains(" ON ONLY ")
}

/// True if `was` is invalid and `is` is the same index, valid.
pub fn is_repaired(was: &CatalogObject, is: &CatalogObject) -> bool {
    was.owner == is.owner && as_valid(was).is_some_and(|plain| plain == is.definition)
}

/// A constraint's definition and the state of its index.
fn split_state(constraint: &CatalogObject) -> (&str, &str) {
    let state = constraint.definition.rfind(OF_CONSTRAINT).map(|at| constraint.definition.split_at(at));
    let known = |rest: &str| ["WITH (", "TABLESPACE ", "STATISTICS "].iter().any(|word| rest.starts_with(word));
    state
        .filter(|(_, rest)| constraint.kind == ObjectKind::Constraint && known(&rest[OF_CONSTRAINT.len()..]))
        .map_or((constraint.definition.as_str(), ""), |(plain, rest)| (plain, &rest[OF_CONSTRAINT.len()..]))
}

/// A constraint's definition without the state of its index.
pub fn without_state(constraint: &CatalogObject) -> &str {
    split_state(constraint).0
}

/// Rewrites `live` as a snapshot before format 1.4 would have it, if `wanted` comes from one.
pub fn align_with(live: &mut Inventory, wanted: &Inventory) {
    if wanted.tells_index_state {
        return;
    }
    for object in live.objects.iter_mut().filter(|o| o.kind == ObjectKind::Constraint) {
        let length = split_state(object).0.len();
        object.definition.truncate(length);
    }
}

/// The parts of a state: the options as `name='value'`, the tablespace, `column=target` of STATISTICS.
#[derive(Debug, Default, PartialEq, Eq)]
struct State<'a> {
    options: Vec<&'a str>,
    tablespace: Option<&'a str>,
    statistics: Vec<&'a str>,
}

fn parts(text: &str) -> State<'_> {
    let mut state = State::default();
    let mut rest = text;
    if let Some((options, after)) = rest.strip_prefix("WITH (").and_then(|rest| rest.split_once(')')) {
        state.options = options.split(", ").collect();
        rest = after.trim_start();
    }
    if let Some(at) = rest.rfind("STATISTICS ").filter(|at| *at == 0 || rest[..*at].ends_with(' ')) {
        state.statistics = rest[at + "STATISTICS ".len()..].split(',').collect();
        rest = rest[..at].trim_end();
    }
    state.tablespace = rest.strip_prefix("TABLESPACE ");
    state
}

/// Statements that give the constraint's index the wanted state. `None` if nothing is to do, or if only recreating
/// helps.
pub fn statements(wanted: &CatalogObject, live: &CatalogObject) -> Option<Vec<String>> {
    let ((plain, state), (live_plain, live_state)) = (split_state(wanted), split_state(live));
    if plain != live_plain || wanted.owner != live.owner {
        return None;
    }
    let (state, live_state) = (parts(state), parts(live_state));
    let name = wanted.identity.split_once(" on ").filter(|_| !wanted.identity.starts_with('"'));
    let name = match name {
        Some((name, _)) => name.to_string(),
        None => quoted_name(&wanted.identity)?,
    };
    if state.tablespace != live_state.tablespace {
        return None;
    }
    let index = format!("ALTER INDEX {}.{name}", ident(wanted.schema.as_deref()?));
    let mut alterations = Vec::new();
    let name_of = |option: &str| option.split('=').next().unwrap_or_default().to_string();
    let removed: Vec<String> = live_state.options.iter().map(|o| name_of(o)).collect();
    let removed: Vec<String> =
        removed.into_iter().filter(|name| !state.options.iter().any(|o| name_of(o) == *name)).collect();
    if !removed.is_empty() {
        alterations.push(format!("{index} RESET ({})", removed.join(", ")));
    }
    if !state.options.is_empty() && state.options != live_state.options {
        alterations.push(format!("{index} SET ({})", state.options.join(", ")));
    }
    for target in live_state.statistics.iter().filter(|t| !state.statistics.contains(t)) {
        alterations.push(format!("{index} ALTER COLUMN {} SET STATISTICS -1", target.split_once('=')?.0));
    }
    for target in state.statistics.iter().filter(|t| !live_state.statistics.contains(t)) {
        let (column, value) = target.split_once('=')?;
        alterations.push(format!("{index} ALTER COLUMN {column} SET STATISTICS {value}"));
    }
    (!alterations.is_empty()).then_some(alterations)
}

/// The quoted name at the start of an identity.
fn quoted_name(identity: &str) -> Option<String> {
    let mut at = 1;
    loop {
        let quote = at + identity[at..].find('"')?;
        if identity[quote + 1..].starts_with('"') {
            at = quote + 2;
            continue;
        }
        return Some(identity[..=quote].to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::super::inventory::object;
    use super::*;

    fn index(definition: &str) -> CatalogObject {
        object("INDEX", "public.i", definition)
    }

    #[test]
    fn only_the_end_tells_that_an_index_is_not_valid() {
        let valid = "CREATE INDEX i ON public.t USING btree (a)";
        for state in ["", " NOT READY", " CLUSTERED", " TABLESPACE s", " NOT READY STATISTICS 1=5"] {
            assert!(is_left_over(&index(&format!("{valid} INVALID{state}"))), "{state}");
        }
        let named = [
            "CREATE INDEX i ON public.t USING btree (a) WHERE \"x INVALID\"",
            "CREATE INDEX i ON public.t USING btree (a) WHERE (b = ' INVALID NOT READY'::text)",
            "CREATE INDEX i ON public.\" INVALID\" USING btree (a)",
            valid,
        ];
        for definition in named {
            assert!(!is_left_over(&index(definition)), "{definition}");
        }
        assert!(!is_left_over(&index("CREATE INDEX i ON ONLY public.t USING btree (a) INVALID")));
        let partitioned = index("CREATE INDEX i ON ONLY public.t USING btree (a) INVALID");
        assert!(is_repaired(&partitioned, &index("CREATE INDEX i ON ONLY public.t USING btree (a)")));
        assert!(!is_repaired(&partitioned, &index("CREATE INDEX i ON ONLY public.t USING btree (b)")));
        assert!(!is_repaired(&index(valid), &index(&format!("{valid} INVALID"))));
    }

    fn key(name: &str, state: &str) -> CatalogObject {
        let text = format!("PRIMARY KEY (id){}{state}", if state.is_empty() { "" } else { OF_CONSTRAINT });
        CatalogObject { schema: Some("Odd".into()), ..object("CONSTRAINT", &format!("{name} on \"Odd\".t"), &text) }
    }

    #[test]
    fn the_state_of_an_index_is_altered_to_what_is_wanted() {
        let altered = |wanted: &str, live: &str| statements(&key("k", wanted), &key("k", live));
        let one = |sql: &str| Some(vec![format!("ALTER INDEX \"Odd\".k {sql}")]);
        assert_eq!(altered("WITH (fillfactor='50')", ""), one("SET (fillfactor='50')"));
        assert_eq!(altered("", "WITH (fillfactor='50')"), one("RESET (fillfactor)"));
        assert_eq!(altered("STATISTICS 1=7", "STATISTICS 1=9").unwrap().len(), 2);
        assert_eq!(altered("TABLESPACE s STATISTICS 2=7", "TABLESPACE s"), one("ALTER COLUMN 2 SET STATISTICS 7"));
        assert_eq!(altered("TABLESPACE s", ""), None, "it has to be recreated");
        assert_eq!(altered("", ""), None);
        let odd = statements(&key("\"k \"\" on x\"", "WITH (a='1')"), &key("\"k \"\" on x\"", "")).unwrap();
        assert_eq!(odd, ["ALTER INDEX \"Odd\".\"k \"\" on x\" SET (a='1')"]);
    }

    #[test]
    fn an_older_snapshot_tells_nothing_of_it() {
        let inventory =
            |definition: &CatalogObject| Inventory { objects: vec![definition.clone()], ..Inventory::default() };
        let mut live = inventory(&key("k", "WITH (fillfactor='50')"));
        align_with(&mut live, &inventory(&key("k", "")));
        assert_eq!(live.objects[0].definition, "PRIMARY KEY (id)");
        let newer = Inventory { tells_index_state: true, ..Inventory::default() };
        let mut live = inventory(&key("k", "WITH (fillfactor='50')"));
        align_with(&mut live, &newer);
        assert!(live.objects[0].definition.ends_with("WITH (fillfactor='50')"));
    }
}
